"""A storm from the poll to memory: no step of the daemon's loop is longer because more alerts begin, go on or end at once. Work is counted."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from monitor.model.alert import State
from monitor.runtime.clock import MINUTE, SECOND
from monitor.store.protocol import Cursor
from tests.fakes.counted_work import CountedSteps
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.shared_worker import SHARED, SharedWorker
from tests.fakes.written import CONFIG, settings

FEW, MANY = 400, 800
LITTLE = 10_000
"""Calls of a step that is short whatever its reason is: a notification that names as many alerts as it may, say."""
ROUTES = {
    "each alone": '{receiver: ops, group_by: ["..."], group_wait: 0s, group_interval: 20s, repeat_interval: 1m}',
    "all together": "{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 20s, repeat_interval: 1m}",
}
RULE = "{name: Bad, kind: count, match: {status: [Failed]}, by: [label], window: 1h, above: 0, incident: {by: [label]}}"


class Storm:
    """A daemon that holds an account with so many groups, each with a message that is sent or has failed."""

    def __init__(self, groups: int, route: str) -> None:
        written = CONFIG.replace("web: off", f"web: off\n{SHARED}")
        written = written.replace(CONFIG[CONFIG.index("{receiver") : CONFIG.index("\nweb")], route)
        self.groups, self.clock, self.store = groups, HandClock(), MemoryStore()
        self.worker = SharedWorker(settings(f"rules: [{RULE}]", written), self.clock, self.store)
        self.longest = dict[str, int]()

    async def poll(self, what: str, status: str = "") -> None:
        """Polls what is new, and takes the work of the longest step from the end of the reading until all is applied."""
        self.clock.at += 5 * SECOND
        rows = [
            {"messageId": f"m{i}", "label": f"L{i}", "date": self.clock.at, "status": status}
            for i in range(self.groups if status else 0)
        ]
        await self.worker.page("main", rows)
        cursor = Cursor("main", "all", self.clock.at, 0)
        await self.watched(what, lambda: self.worker.sinks["main"].complete("all", cursor))

    async def repeat(self) -> None:
        self.clock.at += 2 * MINUTE
        await self.watched("repeat", self.worker.pipeline.flush_due)

    async def watched(self, what: str, act: Callable[[], Any]) -> None:
        steps = CountedSteps()
        with steps.watching():
            await act()
        self.longest[what] = max(steps.steps)

    def has(self, state: State) -> int:
        return sum(alert.state == state for alert in self.worker.pipeline.every_alert())


async def storm(groups: int, route: str) -> dict[str, int]:
    """Returns the work of the longest step of each part of a storm's life."""
    one = Storm(groups, route)
    await one.worker.start(["main"])
    await one.poll("begin", "Failed")
    assert one.has("firing") == groups
    await one.poll("go on")
    await one.repeat()
    assert [row.notification.reason for row in one.store.outbox][-1] == "repeat"
    await one.poll("end", "Delivered")
    assert one.has("firing") == 0
    await one.repeat()
    assert not list(one.worker.pipeline.every_alert()), "everybody was told of each end"
    assert one.worker.pipeline.dispatcher.notified_fingerprints() == set()
    return one.longest


@pytest.mark.parametrize("route", ROUTES)
async def test_no_step_grows_with_the_storm(route: str) -> None:
    few, many = await storm(FEW, ROUTES[route]), await storm(MANY, ROUTES[route])
    grown = {what: (few[what], work) for what, work in many.items() if work > max(1.5 * few[what], LITTLE)}
    assert not grown


async def test_what_the_store_has_and_what_is_in_memory_is_the_same_in_a_storm() -> None:
    one = Storm(FEW, ROUTES["each alone"])
    await one.worker.start(["main"])
    await one.poll("begin", "Failed")
    stored = {alert.fingerprint: msgspec.json.encode(alert) for alert in one.store.load().alerts}
    assert stored == {alert.fingerprint: msgspec.json.encode(alert) for alert in one.worker.pipeline.every_alert()}
    assert len(stored) == FEW
