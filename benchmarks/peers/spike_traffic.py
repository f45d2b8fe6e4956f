"""The messages of the comparison with ElastAlert 2: two and a half hours of traffic, in whose last half hour one operator has a spike."""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from monitor.runtime.clock import HOUR, MINUTE, Duration, Instant, SystemClock
from monitor.simulation.sandbox import Sandbox, Traffic
from monitor.simulation.sandbox.messages import NEVER, Rows
from monitor.simulation.sandbox.search import SearchRequest

SPIKING: Final = "Yettel"
"""The operator that has the spike: a small one, with half a percent of the traffic otherwise."""
SPIKE_SHARE: Final = 0.1
"""The share of the last half hour's messages that are moved to it."""
HALF_HOUR: Final[Duration] = 30 * MINUTE
SPAN: Final[Duration] = 5 * HALF_HOUR
WINDOW: Final[Duration] = HOUR
"""How long the present is, and how long the time before it that it is compared with."""
HEIGHT: Final = 3
"""How many times as many messages are a spike."""
LEAST: Final = 10
"""With fewer messages in the time before there is no spike."""


def sandbox_with_a_spike(messages: int) -> Sandbox:
    """Returns a local Routee with exactly that many messages of one part each, which do not change any more."""
    sandbox = Sandbox(SystemClock(), traffic=None)
    sandbox.model.traffic = Traffic(campaign_share=0)
    end = sandbox.now()
    for start in range(end - SPAN, end, HALF_HOUR):
        each = messages * HALF_HOUR // SPAN
        rows = sandbox.model.draw(start, start + HALF_HOUR, each)
        rows = rows.take(np.flatnonzero(rows.part == 1)[:each])
        rows.parts[:] = 1
        sandbox.messages.append(rows)
    _settle(sandbox.messages.rows, end)
    _move(sandbox, end - HALF_HOUR)
    return sandbox


def _settle(rows: Rows, now: Instant) -> None:
    """Makes sure that no status changes after ``now``."""
    rows.created[:] = np.minimum(rows.created, now)
    rows.sent_at[:] = np.minimum(rows.sent_at, now)
    rows.last_at[rows.last_at > now] = NEVER


def _move(sandbox: Sandbox, since: Instant) -> None:
    """Gives some of the messages since then to the operator that spikes."""
    rows, routes = sandbox.messages.rows, sandbox.known.routes
    [code] = [routes.code(one) for one in routes.entries if one.operator == SPIKING]
    chosen = np.random.default_rng(1).random(len(rows)) < SPIKE_SHARE
    rows.route[chosen & (rows.created >= since)] = code


@dataclass(frozen=True)
class Document:
    """One message as Elasticsearch would answer it; ``at`` is when its present status began."""

    at: Instant
    hit: bytes


class _Record(msgspec.Struct):
    status: dict[str, object]


def documents(sandbox: Sandbox) -> list[Document]:
    """Returns all messages as documents, in the order of their dates, with the same fields as Routee's records and an ``@timestamp``."""
    now = sandbox.now()
    numbers = sandbox.select(SearchRequest(), now)
    numbers = numbers[np.argsort(sandbox.messages.rows.take(numbers).present(now)[1], kind="stable")]
    dates = sandbox.messages.rows.take(numbers).present(now)[1].tolist()
    records = sandbox.encoded(numbers, now)
    return [_document(number, at, record) for number, at, record in zip(numbers.tolist(), dates, records, strict=True)]


def _document(number: int, at: Instant, record: bytes) -> Document:
    date = msgspec.json.encode(msgspec.json.decode(record, type=_Record).status["date"])
    hit = b'{"_index":"sms","_type":"_doc","_id":"%d","_score":null,"_source":{"@timestamp":%b,%b,"sort":[%d]}'
    return Document(at, hit % (number, date, record[1:], at // 1_000))
