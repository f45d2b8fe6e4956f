"""A few hours of made-up traffic with incidents, as reports; and a daemon's pipeline that polls it into a store."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import Views
from monitor.config.rules import Rule
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.account_sink import AccountSink
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.services import Services
from monitor.dispatch.dispatcher import Dispatcher
from monitor.model.batch import batch_of
from monitor.model.privacy import RecipientMask
from monitor.notify.render import Templates
from monitor.routing.route import Route
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant, parse_iso
from monitor.store.protocol import Cursor
from monitor.store.sqlite import open_sqlite
from monitor.window import Window
from tests.fakes.hand_clock import HandClock
from tests.fakes.inline_store import InlineStoreFront

START = parse_iso("2026-11-18T12:00:00Z")
EVERY = 30 * SECOND
Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A message: when it was sent, and its final report; ``parts`` of a long one are reported one after the other."""

    sent: Instant
    rows: tuple[Row, ...]

    def seen_at(self, now: Instant) -> Iterator[Row]:
        """What Routee says of it at a moment."""
        for row in self.rows:
            if row["date"] <= now:
                yield row
            elif self.sent <= now:
                yield row | {"date": self.sent, "status": "Sent", "detailedStatus": "", "latency": None}


def traffic(seed: int, hours: int) -> list[Message]:
    """Three operators, ten messages a minute; one loses most of its messages for 40 minutes, one is slow for an hour, one is silent
    for 25 minutes. For a quarter of an hour some have no report at all; a new sender comes; two campaigns are sent, one of which stalls."""
    dice = random.Random(seed)
    usual = [_message(dice, number, START + round(dice.random() * hours * HOUR)) for number in range(hours * 600)]
    return usual + [_of_campaign(dice, 100_000 + number) for number in range(400)]


def _of_campaign(dice: random.Random, number: int) -> Message:
    """One of 200 messages that are sent within ten minutes: of the first campaign many fail, of the second many are not reported."""
    second = number % 2 == 1
    sent = START + (60 if second else 20) * MINUTE + round(dice.random() * 10 * MINUTE)
    fields = {"campaign": "Sale" if second else "News", "campaignTrackingId": "c2" if second else "c1", "from": "Shop"}
    return _message(dice, number, sent, bad=0.02 if second else 0.3, lost=0.4 if second else 0.0, **fields)


def _message(
    dice: random.Random, number: int, sent: Instant, bad: float = 0.04, lost: float = 0.0, **fields: str
) -> Message:
    operators = ["Cosmote", "Vodafone", "Nova"] if not 100 * MINUTE < sent - START < 125 * MINUTE else ["Cosmote"]
    operator = dice.choices(operators, [5, 3, 2][: len(operators)])[0]
    slow = operator == "Vodafone" and HOUR < sent - START < 2 * HOUR
    down = operator == "Cosmote" and 90 * MINUTE < sent - START < 130 * MINUTE
    lost = 0.3 if 40 * MINUTE < sent - START < 55 * MINUTE else lost
    fields = {"from": "Newcomer" if sent - START > 130 * MINUTE and dice.random() < 0.1 else "Bank"} | fields
    parts = dice.choice([1, 1, 1, 3])
    late = 12 * HOUR if dice.random() < lost else 0
    rows = []
    for part in range(1, parts + 1):
        wait = round(dice.lognormvariate(1.5, 1.0) * SECOND * (40 if slow else 1))
        wait += late
        failed = dice.random() < (0.6 if down else bad)
        rows.append(
            {
                **fields,
                "messageId": f"{number:08x}-0000-4000-8000-000000000000",
                "part": part,
                "parts": parts,
                "date": sent + wait,
                "status": "Undelivered" if failed else "Delivered",
                "detailedStatus": dice.choice(["Expired", "Carrier Violation"]) if failed else "Delivered",
                "operator": operator,
                "country": "GR",
                "to": f"+3069{number:08d}",
                "latency": round(wait / SECOND, 3),
                "price": dice.choice([0.0371, 0.0412, 0.01]),
            }
        )
    return Message(sent, tuple(rows))


ONE_GROUP = Route("ops", (), 0, MINUTE, HOUR)


async def polled(
    path: Path,
    messages: list[Message],
    rules: list[Rule],
    hours: int,
    route: Route = ONE_GROUP,
    every: Duration = EVERY,
) -> list[Instant]:
    """Let a pipeline poll all of it into the store at ``path``; gives the moments of its polls."""
    store = open_sqlite(path)
    window = Window("main", RecipientMask("mask", store.secret("recipients")))
    evaluator, clock = RuleEvaluator(window, rules, ["outbound"]), HandClock(START)
    services = Services(clock, Metrics(clock), Health(), lambda: None)
    account = AccountPipeline(evaluator, Views(evaluator, Templates({})))
    pipeline = Pipeline(
        InlineStoreFront(store),
        [account],
        Dispatcher(route, {"ops": ("console/0",)}, ""),
        DAY,
        services,
    )
    sink = AccountSink(pipeline, account)
    polls = list(range(START, START + hours * HOUR + 1, every))
    for at in polls:
        clock.at = at
        seen = [row for one in messages if one.sent <= at for row in one.seen_at(at) if row["date"] > at - 2 * every]
        if seen:
            await sink.page("outbound", batch_of(seen), ())
        await sink.complete("outbound", Cursor("main", "outbound", at, START - DAY))
    store.close()
    return polls
