"""An entry of the journal that is missing, or one too many, is noticed; what was written since the sum was made is no damage."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.journal_sum import JournalSum
from monitor.window import UnreadableBlob
from monitor.window.columns import Columns
from monitor.window.journal import MOST_ENTRIES, WindowJournal


class Stored:
    """A journal, what its store has of it, and the sum of each commit, as a cursor has it."""

    def __init__(self) -> None:
        self.columns = Columns()
        self.journal = WindowJournal(self.columns)
        self.blobs: dict[int, bytes] = {}
        self.sums: list[JournalSum] = []
        self.seq = 0

    def commit(
        self, first: int = 0, count: int = 20, step: int = 20_000, *, value: int | None = None, fails: bool = False
    ) -> None:
        """Writes so many rows, or none; if it fails, they are written by the next commit."""
        rows, value = np.arange(first, first + count), self.seq if value is None else value
        self.columns.reserve(first + count)
        self.columns.write(rows, {"date": np.full(count, value), "kind": np.full(count, 3, np.uint8)})
        self.journal.changed(rows)
        entry = self.journal.next_entry(step)
        if fails:
            self.journal.not_saved(entry)
            return
        for old in entry.cleaned:
            del self.blobs[old]
        if entry.blob is not None:
            self.seq += 1
            self.blobs[self.seq] = entry.blob
        self.sums.append(entry.sum)
        self.journal.saved(entry, self.seq if entry.blob is not None else None)

    def restart(self) -> None:
        self.columns, blobs = Columns(), list(self.blobs.items())
        self.journal = WindowJournal(self.columns)
        self.journal.restore(blobs[:3])
        self.journal.restore(blobs[3:])

    def check(self, *sums: JournalSum, without: Any = (), **more: bytes) -> None:
        journal = WindowJournal(Columns())
        stored = [(seq, blob) for seq, blob in self.blobs.items() if seq not in without]
        journal.restore([*stored, *((self.seq + 1, blob) for blob in more.values())])
        journal.check(sums)


STEPS = st.tuples(
    st.integers(0, 300), st.integers(0, 40), st.sampled_from(["saved", "saved", "saved", "fails", "restart"])
)


@given(st.lists(STEPS, max_size=40), st.integers(1, 500))
@settings(max_examples=40, deadline=None)
def test_a_whole_journal_is_found_whole_and_each_entry_is_missed(steps: list[Any], step: int) -> None:
    stored = Stored()
    for first, count, what in steps * 2:
        if what == "restart":
            stored.restart()
        stored.commit(first, count, step, fails=what == "fails")
    stored.check(*stored.sums)
    for before in stored.sums[:: max(len(stored.sums) // 5, 1)]:
        stored.check(before)
    for seq in [*stored.blobs][:: max(len(stored.blobs) // 8, 1)] + [*stored.blobs][-1:]:
        with pytest.raises(UnreadableBlob, match="missing"):
            stored.check(*stored.sums, without={seq})


def test_it_is_so_while_entries_are_put_together() -> None:
    stored = Stored()
    for number in range(3 * MOST_ENTRIES):
        stored.commit(number * 20)
        if number % 50 == 49:
            stored.check(stored.sums[-1])
    assert len(stored.blobs) < 2 * MOST_ENTRIES
    stored.commit(count=0)
    stored.check(stored.sums[-1])


def test_entries_are_not_dropped_without_a_new_one() -> None:
    stored = Stored()
    for _ in range(MOST_ENTRIES + 1):
        stored.commit(count=40)
    stored.commit(count=0, step=20)
    stored.check(stored.sums[-1])
    assert len(stored.blobs) == MOST_ENTRIES + 1
    stored.commit(100)
    stored.check(*stored.sums[-2:])
    assert len(stored.blobs) < MOST_ENTRIES, "until then they wait"


@pytest.mark.parametrize("missing", [{6}, {5, 6}, {4, 5, 6}, {2, 3, 4, 5, 6}, {4, 6}])
@pytest.mark.parametrize("idle", [False, True], ids=["", "and polls without news since"])
def test_the_newest_entries_are_missed_however_many(missing: set[int], idle: bool) -> None:
    """As where the last page of a table is lost."""
    stored = Stored()
    for number in range(6):
        stored.commit(number * 20)
    if idle:
        stored.commit(count=0)
    with pytest.raises(UnreadableBlob, match="missing"):
        stored.check(stored.sums[-1], without=missing)


def test_an_entry_of_another_account_is_one_too_many() -> None:
    stored, other = Stored(), Stored()
    for number in range(3):
        stored.commit(number * 20)
    other.commit(7)
    stored.blobs = {0: other.blobs[1], **stored.blobs}
    with pytest.raises(UnreadableBlob, match="its journal has 4 entries instead of 3"):
        stored.check(stored.sums[-1])


def test_the_same_rows_again_are_no_entry_too_many() -> None:
    stored = Stored()
    for first in (0, 0, 0, 5, 0):  # as where Routee pushes the same reports again, between two polls
        stored.commit(first, value=7)
        for before in stored.sums:
            stored.check(before)
    assert len({one.newest for one in stored.sums}) == 5
    rows = np.arange(25)
    assert (stored.columns["date"][rows] == 7).all()
    stored.restart()
    assert (stored.columns["date"][rows] == 7).all()


def test_where_nothing_is_left_of_it_something_is_missing() -> None:
    stored = Stored()
    stored.check()
    stored.check(JournalSum())
    stored.commit()
    stored.commit()
    with pytest.raises(UnreadableBlob, match="its journal has 0 entries instead of 2"):
        stored.check(stored.sums[-1], without={1, 2})
