"""What is older than the retention goes in small steps, and the file stays as large as what it holds."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
import trio.testing

from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, Duration
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import PRUNED_AT_ONCE, Commit, Entry, Pending
from monitor.store.sqlite import SqliteStore, open_sqlite
from monitor.window import Window
from tests.store.store_samples import NOW, alert, enqueue, notification, silence, transition

KEPT: Duration = 3 * DAY
A_POLL = 300


@dataclass
class Month:
    """An account's polls, one in two hours; what is older than three days is forgotten."""

    store: SqliteStore
    window: Window = field(default_factory=lambda: Window("main"))
    now: int = NOW

    def poll(self) -> None:
        self.now += 2 * HOUR
        rows = [
            {"messageId": f"{self.now}-{number}", "date": self.now - number, "status": "Delivered"}
            for number in range(A_POLL)
        ]
        self.window.upsert(batch_of(rows), "all")
        self.window.expire(self.now - KEPT)
        unsaved = self.window.unsaved()
        key = str(self.now)
        commit = Commit(
            journal=[] if unsaved.blob is None else [("main", unsaved.blob)],
            cleaned=[("main", number) for number in unsaved.cleaned],
            entries=[Entry("main", *entry) for entry in unsaved.entries],
            alerts=[alert(operator=key, resolved_at=self.now)],
            transitions=[transition(key, self.now)] * 4,
            outbox=[Pending("slack/0", notification(key, key, at=self.now))],
        )
        numbers = self.store.commit(commit)
        self.window.saved(unsaved, numbers[0] if numbers else None)
        [outbox_row] = self.store.waiting("ops", "slack/0", 1)
        self.store.sent(outbox_row.id, {"ts": key}, self.now)
        self.prune()

    def prune(self) -> None:
        while self.store.prune(self.now - KEPT, self.now - KEPT):
            pass


def test_over_a_month_the_file_stays_as_large_as_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    with closing(open_sqlite(path)) as store:
        month = Month(store)
        sizes = []
        for _ in range(
            40
        ):  # the file only grows when the write-ahead log is copied into it, which happens every few days
            for _ in range(12):
                month.poll()
            sizes.append(path.stat().st_size)
        counts = store.counts()
        assert month.window.messages == A_POLL * 36
    assert max(sizes[20:]) <= 1.1 * max(sizes[:20]), sizes
    assert sizes[-1] < 12 * 1024 * 1024
    assert counts["sent"] <= 37
    assert counts["transitions"] <= 37 * 4
    assert counts["alerts"] <= 37


def test_much_that_is_old_goes_in_small_steps(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        count = 2 * PRUNED_AT_ONCE + 1
        store.commit(
            Commit(transitions=[transition(at=NOW)] * count, alerts=[alert(str(n), resolved_at=NOW) for n in range(9)])
        )
        assert store.prune(NOW + 1, NOW + 1) == PRUNED_AT_ONCE + 9
        assert store.prune(NOW + 1, NOW + 1) == PRUNED_AT_ONCE
        assert store.prune(NOW + 1, NOW + 1) == 1
        assert store.prune(NOW + 1, NOW + 1) == 0


def test_what_must_stay_is_no_reason_to_go_on_for_ever(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        for number in range(5):
            enqueue(store, notification(f"k{number}"))
        for outbox_row in store.waiting("ops", "slack/0", 4):
            store.sent(outbox_row.id, {"ts": "1"}, NOW)
        assert store.prune(NOW + 1, NOW + 1, most=2) == 2
        assert store.prune(NOW + 1, NOW + 1, most=2) == 1, (
            "the latest receipt stays while a parcel of its episode waits"
        )
        assert store.prune(NOW + 1, NOW + 1, most=2) == 0
        assert store.receipt("ops", "slack/0", "e1") == {"ts": "1"}


async def test_others_have_their_turns_between_the_steps(tmp_path: Path) -> None:
    front = AsyncStore(open_sqlite(tmp_path / "monitor.db"))
    await front.commit(Commit(transitions=[transition(at=NOW)] * (20 * PRUNED_AT_ONCE)))
    left: list[int] = []

    async def commit() -> None:
        await front.commit(Commit(silences=[silence()]))
        left.append((await front.counts())["transitions"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(front.prune, NOW + 1, NOW + 1)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(commit)
    assert 0 < left[0] < 20 * PRUNED_AT_ONCE
    assert (await front.counts())["transitions"] == 0
    await front.close()


@pytest.mark.parametrize("most", [1, 7, PRUNED_AT_ONCE])
def test_the_size_of_the_steps_makes_no_difference(tmp_path: Path, most: int) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        for number in range(12):
            [outbox_row, *_] = enqueue(store, notification(f"k{number}", f"e{number % 3}"))
            store.sent(outbox_row.id, {"ts": str(number)}, NOW + number)
        enqueue(store, notification("waits", "e1"))
        while store.prune(NOW, NOW + 11, most=most):
            pass
        assert [one.notification.key for one in store.outbox_rows()] == ["waits", "k11", "k10"]
