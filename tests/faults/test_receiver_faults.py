"""A webhook that is in trouble for ten minutes: told everything afterwards, in order within each group, and nobody else waits for it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from monitor.notify.channels.webhook.notifier import WebhookNotifier
from monitor.notify.outbox import Outbox, deliver
from monitor.notify.render import Templates
from monitor.runtime.clock import MILLISECOND, SECOND, TrioClock
from monitor.store.protocol import Commit, Pending
from monitor.store.sqlite import SqliteStore, open_sqlite
from tests.fakes.http import Answer, Asked, serving
from tests.fakes.inline_store import InlineStoreFront
from tests.store.store_samples import NOW, notification

TROUBLE = 600.0
"""Seconds of virtual time."""
LONGEST_WAIT = 300.0
GROUPS = 6
TROUBLES: dict[str, Callable[[int], Answer]] = {
    "hangs": lambda number: Answer(fault="hang"),
    "drips a refusal": lambda number: Answer(500, fault="drip", drips=1.0),
    "resets": lambda number: Answer(fault="reset"),
    "429 with Retry-After": lambda number: Answer(429, headers={"retry-after": "45"}),
    "429 without Retry-After": lambda number: Answer(429),
    "429 with Retry-After 0": lambda number: Answer(429, headers={"retry-after": "0"}),
    "500": lambda number: Answer(500),
    "all in turn": lambda number: [Answer(fault="hang"), Answer(fault="reset"), Answer(429), Answer(503)][number % 4],
}


@dataclass
class Endpoint:
    """A webhook by its path: what it took and when; ``trouble`` says what it answers until ``well_at``, in trio's seconds."""

    trouble: Callable[[int], Answer] | None = None
    well_at: float = TROUBLE
    asked: int = 0
    took: list[tuple[str, float]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answer:
        self.asked += 1
        if self.trouble is not None and trio.current_time() < self.well_at:
            return self.trouble(self.asked)
        self.took.append((asked.headers["webhook-id"], trio.current_time()))
        return Answer()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_sqlite(tmp_path / "monitor.db", busy_timeout=MILLISECOND)) as opened:
        yield opened


@asynccontextmanager
async def delivering(store: SqliteStore, endpoints: dict[str, Endpoint]) -> AsyncIterator[Outbox]:
    """Delivery to a webhook for each endpoint, whose name is its channel."""
    clock = TrioClock(NOW)

    async def handle(asked: Asked) -> Answer:
        return endpoints[asked.target.strip("/")].answer(asked)

    async with serving(handle) as url, trio.open_nursery() as nursery:
        notifiers = {
            ("ops", name): WebhookNotifier(f"{url}/{name}", clock=clock, templates=Templates()) for name in endpoints
        }
        start = partial(deliver, InlineStoreFront(store), notifiers, clock)
        outbox = await nursery.start(lambda task_status: start(task_status=task_status))
        yield outbox
        outbox.stop()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_ten_minutes_of_trouble_lose_nothing_keep_the_order_and_delay_nobody_else(
    store: SqliteStore, trouble: str, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.002  # time stands still while bytes are on their way
    sick, well = Endpoint(TROUBLES[trouble]), Endpoint()
    async with delivering(store, {"sick": sick, "well": well}) as outbox:
        put = await _tell_for(TROUBLE, store, outbox)
        assert sick.took == []
        assert all(at - put[key] < 1 for key, at in well.took)
        assert [key for key, _ in well.took] == list(put)
        assert 2 <= sick.asked < 250, "it is tried again, and not hammered"
        assert outbox.failing.keys() == {("ops", "sick")}
        await trio.sleep(LONGEST_WAIT + 15)
        assert outbox.failing == {}
    assert sorted(key for key, _ in sick.took) == sorted(put), "each once"
    for group in range(GROUPS):
        of_group = [key for key, _ in sick.took if key.startswith(f"g{group}-")]
        assert of_group == sorted(of_group, key=lambda key: int(key.rpartition("-")[2]))


async def _tell_for(seconds: float, store: SqliteStore, outbox: Outbox) -> dict[str, float]:
    """Every ten seconds something for one of the groups; gives when each notification was put into the outbox."""
    put: dict[str, float] = {}
    number = 0
    while (now := trio.current_time()) < seconds - 10:
        group = number % GROUPS
        key = f"g{group}-{number}"
        one = notification(key, f"episode-{group}", "new alerts", at=NOW + round(now * SECOND), group=f"group-{group}")
        store.commit(Commit(outbox=[Pending(channel, one) for channel in ("sick", "well")]))
        outbox.wake()
        put[key] = now
        number += 1
        await trio.sleep(10)
    return put
