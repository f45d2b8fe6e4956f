"""One daemon on SQLite becomes one or several on PostgreSQL: what its groups of several accounts were notified of goes on, and ends, once."""

import re
from collections import Counter

from monitor.config.settings import Settings
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import MINUTE
from monitor.store.accounts import Owners, split
from monitor.store.protocol import Commit, StoredState
from tests.daemon.test_shared_pipeline import CONFIG, RULES
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import traffic
from tests.fakes.shared_worker import SHARED, SharedWorker
from tests.fakes.written import settings

GROUPED = re.sub("(watchdog|report):.*\n", "", CONFIG).replace(
    "group_wait: 0s", "group_wait: 0s, group_by: [alertname], group_interval: 1m"
)


async def poll(worker: SharedWorker, clock: HandClock, failing: int = 9) -> None:
    """Completes a poll of each account that the worker holds."""
    clock.at += MINUTE
    for account in worker.pipeline.accounts:
        rows = [
            row | {"messageId": f"{account}{clock.at}{i}", "date": clock.at}
            for i, row in enumerate(traffic(failing, operator="Cosmote"))
        ]
        await worker.poll(account, rows, clock.at)


def told(store: MemoryStore) -> Counter[tuple[str, str]]:
    """Returns how often an account's alert was told to begin or to end, by account and status."""
    seen: dict[str, str] = {}
    changes = Counter[tuple[str, str]]()
    for pending in store.outbox:
        for view in pending.notification.alerts:
            if seen.get(view.fingerprint) != view.status:
                changes[view.labels["account"], view.status] += 1
            seen[view.fingerprint] = view.status
    return changes


def split_in(store: MemoryStore) -> tuple[StoredState, list[AggregationGroup]]:
    """Splits the store's groups as the first daemon on PostgreSQL does."""
    loaded = store.load()
    change = split(loaded.groups, Owners(loaded.alerts, ["a", "b"]))
    dropped = [(one.key, one.receiver, one.account) for one in change.dropped]
    store.commit(Commit(dropped_groups=dropped, groups=change.written))
    return loaded, change.written


def written(config: str) -> Settings:
    return settings(RULES, config)


async def test_a_daemon_that_holds_all_parts_of_a_split_group_tells_each_alert_and_its_end_once() -> None:
    clock, store = HandClock(), MemoryStore()
    alone = SharedWorker(written(GROUPED.replace(SHARED, "")), clock, store)
    await alone.start(("a", "b"))
    for _ in range(3):
        await poll(alone, clock)
    before, parts = split_in(store)
    [whole] = before.groups
    assert (len(whole.told), sorted(part.account for part in parts)) == (2, ["a", "b"])
    sent = len(store.outbox)
    worker = SharedWorker(written(GROUPED), clock, store)
    await worker.start()
    for account in ("a", "b"):
        await worker.adopt(account)
    for _ in range(3):
        await poll(worker, clock)
    assert store.outbox[sent:] == [], "nothing has changed"
    for _ in range(3):
        await poll(worker, clock, failing=0)
    ends = [one.notification for one in store.outbox[sent:]]
    assert [one.reason for one in ends] == ["all resolved", "all resolved"]
    assert whole.episode in {one.episode for one in ends}, "one of the ends is in the thread of the beginning"
    assert told(store) == {(account, status): 1 for account in "ab" for status in ("firing", "resolved")}
    assert store.load().groups == []
