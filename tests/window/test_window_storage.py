"""What stands beneath the window: columns that widen, rows as bytes, the index that grows in steps, the journal that stays small."""

import tracemalloc
import uuid
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.batch import batch_of
from monitor.model.privacy import RecipientMask, mask
from monitor.window import Window
from monitor.window.codec import decode, encode, opened, sealed
from monitor.window.columns import COLUMNS, Columns
from monitor.window.dictionary import Dictionary
from monitor.window.ids import MessageIds
from monitor.window.index import SMALLEST, Index, Keys, first_of_each
from monitor.window.journal import MOST_ENTRIES, STALE_ROWS, WindowJournal
from monitor.window.profiles import PROFILED
from monitor.window.table import BLOCK, ColumnTable

whole = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-3, 300) | st.just(0)


@given(
    st.lists(st.tuples(st.integers(0, 999), whole, st.integers(0, (1 << 64) - 1)), min_size=1, unique_by=lambda r: r[0])
)
def test_rows_come_back_from_bytes_as_they_were(given_rows: list[tuple[int, int, int]]) -> None:
    columns = Columns()
    columns.reserve(1000)
    rows = np.array([row for row, _, _ in given_rows], np.int64)
    columns.write(rows, {"date": np.array([date for _, date, _ in given_rows], np.int64)})
    columns.write(rows, {"high": np.array([high for _, _, high in given_rows], np.uint64)})
    columns.write(rows, {"key": np.array([max(date, -9) % 70_000 - 9 for _, date, _ in given_rows], np.int64)})
    columns.write(rows, {"country": np.array([abs(date) % 300 for _, date, _ in given_rows], np.int64)})
    blob = encode(columns, rows, COLUMNS) + encode(columns, rows, ("kind",))
    (((back, values), (again, kinds)),) = decode([opened(sealed([blob]))], columns.profiles)
    assert (back == rows).all()
    assert (again == rows).all()
    assert list(kinds) == ["kind"]
    for name in COLUMNS:
        assert (values[name] == columns[name][rows]).all()


def test_profiles_keep_their_values_where_they_get_other_numbers() -> None:
    columns, others = Columns(), Columns()
    rows = np.arange(3)
    for number, table in enumerate((others, columns)):
        table.reserve(3)
        table.write(rows, {"country": rows + number, "status": rows % 2, "searches": rows[::-1]})
    (((_, values),),) = decode([opened(sealed([encode(columns, rows, COLUMNS)]))], others.profiles)
    others.write(rows, values)
    for name in PROFILED:
        assert (others.of(name, rows) == columns.of(name, rows)).all()


def test_values_that_hardly_differ_take_few_bytes() -> None:
    columns = Columns()
    columns.reserve(2000)
    rows = np.arange(2000)
    columns.write(rows, {"date": 10**15 + rows * 1000, "country": rows % 9})
    assert len(encode(columns, rows, ("date", "profile", "kind"))) < 2000 * (2 + 4 + 1) + 800


def test_a_column_is_widened_where_a_value_needs_it_and_keeps_what_it_had() -> None:
    columns = Columns()
    columns.reserve(4)
    for row, value in enumerate([200, 300, 70_000, -1]):
        name = "price" if value < 0 else "operator"
        columns.write(np.array([row]), {name: np.array([value])})
    assert columns.profiles["operator"].dtype == np.uint32
    assert columns.of("operator", np.arange(3)).tolist() == [200, 300, 70_000]
    columns.write(np.array([0]), {"price": np.array([1 << 40])})
    assert columns["price"][[0, 3]].tolist() == [1 << 40, -1]


spans = st.builds(lambda first, count: list(range(first, first + count)), st.integers(0, 20), st.integers(0, 12))
shuffled = spans.flatmap(
    lambda rows: st.permutations(rows[1:-1]).map(lambda inner: [*rows[:1], *inner, *rows[1:][-1:]])
)
some_rows = spans | shuffled | spans.flatmap(st.permutations) | st.lists(st.integers(0, 40), unique=True, max_size=12)


@given(st.lists(some_rows, max_size=5))
def test_rows_are_written_where_they_belong_in_any_order(writes: list[list[int]]) -> None:
    table, expected = ColumnTable({"value": np.uint8}), [0] * 50
    table.reserve(50)
    for number, rows in enumerate(writes):
        values = [100 * number + row for row in rows]
        table.write(np.array(rows, np.int64), {"value": np.array(values, np.int64)})
        for row, value in zip(rows, values, strict=True):
            expected[row] = value
    assert table["value"][:50].tolist() == expected


def test_an_expensive_message_and_a_late_one_are_kept_exactly() -> None:
    window = Window("main")
    rows = [{"messageId": "a", "date": 1, "status": "Delivered", "price": 1234.5, "latency": 86_400.25}]
    window.upsert(batch_of(rows), "all")
    assert window.columns["price"][0] == 1_234_500_000_000
    assert window.columns["latency"][0] == 86_400_250


def test_the_index_finds_everything_while_it_grows() -> None:
    rng = np.random.default_rng(0)
    count = SMALLEST * 40
    keys = Keys(*(rng.integers(0, 1 << 62, count).astype(np.uint64) for _ in range(2)), np.ones(count, np.int8))
    index, rows = Index(), np.arange(count)
    for start in range(0, count, 1500):
        some = rows[start : start + 1500]
        index.add(keys[some], some, keys)
        probed = rng.integers(0, count, 500)
        assert (index.find(keys[probed], keys) == np.where(probed <= some[-1], probed, -1)).all()
    gone = rows[::3]
    index.remove(keys[gone], keys)
    assert (index.find(keys, keys) == np.where(rows % 3 == 0, -1, rows)).all()


def test_the_index_does_not_grow_where_rows_come_and_go() -> None:
    rng = np.random.default_rng(1)
    index, rows = Index(), np.arange(1000)
    for _ in range(60):
        keys = Keys(*(rng.integers(0, 1 << 62, 1000).astype(np.uint64) for _ in range(2)), np.ones(1000, np.int8))
        index.add(keys, rows, keys)
        assert (index.find(keys, keys) == rows).all()
        index.remove(keys, keys)
    assert index.nbytes <= 4 * SMALLEST * 4


@given(
    st.lists(
        st.uuids().map(str)
        | st.sampled_from(["plain", "0" * 36, "Ω" * 36, ""])
        | st.uuids().map(lambda u: str(u).upper())
        | st.uuids().map(lambda u: f"{str(u)[:14]}0000{str(u)[18:]}")
        | st.tuples(st.uuids(), st.integers(0, 35), st.sampled_from("-0aAg \n\x00")).map(
            lambda one: str(one[0])[: one[1]] + one[2] + str(one[0])[one[1] + 1 :]
        ),
        max_size=6,
    )
)
def test_ids_are_the_same_alone_and_on_a_page(texts: list[str]) -> None:
    together, alone = MessageIds(), MessageIds()
    high, low = together.encode(texts)
    for position, text in enumerate(texts):
        for page in ([text], [text, "another length"]):
            assert [int(half[0]) for half in alone.encode(page)] == [int(high[position]), int(low[position])]
        assert together.decode(int(high[position]), int(low[position])) == text


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-1, 3)), max_size=12))
def test_each_message_of_some_parts_is_found_once(parts: list[tuple[int, int, int]]) -> None:
    high, low, key = (np.array(column) for column in zip(*parts, strict=True)) if parts else (np.zeros(0, int),) * 3
    found = first_of_each(Keys(high.astype(np.uint64), low.astype(np.uint64), key.astype(np.int8)))
    ids = [part[:2] for part in parts]
    assert sorted(found.tolist()) == sorted(ids.index(one) for one in set(ids))


def test_an_id_that_only_looks_like_a_uuid_is_no_other_one() -> None:
    real = str(uuid.UUID(int=(4 << 76) | 7))
    strange = [real.replace("-", "_"), real[:-1] + "g", real[:14] + "0000" + real[18:]]
    ids = MessageIds()
    high, low = ids.encode([real, *strange])
    assert len(set(zip(high.tolist(), low.tolist(), strict=True))) == 4


@given(st.lists(st.text("+0123456789x•", max_size=16)))
def test_masks_on_a_page_are_those_of_each_number(numbers: list[str]) -> None:
    privacy = RecipientMask("mask", b"k")
    assert privacy.texts(numbers) == [mask(number) for number in numbers]
    assert privacy.hashes(numbers).tolist() == [privacy.hash(number) for number in numbers]


def test_a_dictionary_tells_each_new_text_once() -> None:
    dictionary = Dictionary()
    dictionary.encode(["a", "b", "a"])
    assert dictionary.unsaved() == (0, ["a", "b"])
    dictionary.saved(2)
    dictionary.encode(["b", "c"])
    assert dictionary.unsaved() == (2, ["c"])


class Kept:
    """A journal with the entries that its store would have."""

    def __init__(self, seq: int = 0) -> None:
        self.columns = Columns()
        self.journal = WindowJournal(self.columns)
        self.blobs: dict[int, bytes] = {}
        self.seq = seq
        self.written = 0

    def write(self, rows: Any, values: dict[str, Any]) -> None:
        self.columns.reserve(int(np.max(rows)) + 1)
        self.columns.write(np.asarray(rows), {name: np.broadcast_to(v, len(rows)) for name, v in values.items()})
        self.journal.changed(np.asarray(rows))

    def commit(self, step: int = 20_000) -> None:
        entry = self.journal.next_entry(step)
        for old in entry.cleaned:
            del self.blobs[old]
        self.written += len(entry.rows) + len(entry.freed)
        if entry.blob is not None:
            self.seq += 1
            self.blobs[self.seq] = entry.blob
        self.journal.saved(entry, self.seq if entry.blob is not None else None)

    def assert_restored(self) -> None:
        stored = list(self.blobs.items())
        for at_once in (1, 3, len(stored)):
            self._assert_restored([stored[at : at + at_once] for at in range(0, len(stored), max(at_once, 1))])

    def _assert_restored(self, pages: list[list[tuple[int, bytes]]]) -> None:
        back = Columns()
        journal = WindowJournal(back)
        for page in pages:
            journal.restore(page)
        used = self.columns["kind"][: back.length] > 0
        assert ((back["kind"][: back.length] > 0) == used).all()
        assert not (self.columns["kind"][back.length :] > 0).any()
        for name in ("date", "operator"):
            assert (back.of(name, np.flatnonzero(used)) == self.columns.of(name, np.flatnonzero(used))).all()


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60), st.booleans()), max_size=40), st.integers(1, 500))
@settings(max_examples=40, deadline=None)
def test_the_journal_restores_every_row_also_freed_ones(steps: list[tuple[int, int, bool]], step: int) -> None:
    kept = Kept()
    for number, (first, count, free) in enumerate(steps * 4):
        rows = np.arange(first, first + count)
        kept.write(rows, {"date": number, "kind": 3, "operator": number % 7})
        if free:
            kept.columns.write(rows[::2], {"kind": np.zeros(len(rows[::2]), np.uint8)})
        kept.commit(step)
        kept.assert_restored()


def test_many_small_entries_are_put_together() -> None:
    kept = Kept()
    for number in range(1500):
        kept.write(np.arange(number * 20, number * 20 + 20), {"date": number, "kind": 3})
        kept.commit()
    assert len(kept.journal) <= MOST_ENTRIES + 1 + kept.columns.length // 4096
    assert kept.written < 4 * 1500 * 20
    kept.assert_restored()


def test_what_a_commit_takes_does_not_grow_with_the_numbers_of_entries() -> None:
    peaks = []
    for number in (0, 1 << 40):  # the store counts all entries of all accounts that ever were
        kept = Kept(number)
        tracemalloc.start()
        for _ in range(2 * MOST_ENTRIES):
            kept.write(np.arange(300), {"date": kept.seq, "kind": 3})
            kept.commit()
        kept.assert_restored()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 1.2 * min(peaks)


def test_stale_rows_are_dropped_without_writing_the_lasting_ones_again() -> None:
    kept = Kept()
    lasting = np.arange(STALE_ROWS)
    kept.write(lasting, {"date": 1, "kind": 3})
    kept.commit()
    changing = lasting[-1] + 1 + np.arange(3000)
    for number in range(200):
        kept.write(changing, {"date": number, "kind": 3})
        kept.commit()
    assert len(kept.blobs) < 80
    assert kept.written <= len(lasting) + 210 * len(changing)
    kept.assert_restored()


def test_many_messages_are_forgotten_in_steps() -> None:
    window = Window("main")
    count = 3 * BLOCK
    rows = [
        {"messageId": f"m{i}", "parts": 2, "part": i % 2 + 1, "date": 1 + i % 3, "status": "Failed"}
        for i in range(count)
    ]
    window.upsert(batch_of(rows), "all")
    steps = []
    while forgotten := window.expire(2, most=1000):
        steps.append(forgotten)
    assert len(steps) > 1
    assert max(steps) <= 3 * BLOCK
    assert len(window) == 2 * len(range(2, count, 3))
    blob = window.unsaved().blob
    assert blob is not None


def test_forgetting_writes_a_few_bytes_a_row() -> None:
    window = Window("main")
    window.upsert(batch_of([{"messageId": f"m{i}", "date": 1, "status": "Failed"} for i in range(5000)]), "all")
    window.saved(window.unsaved(), 1)
    window.expire(1)
    blob = window.unsaved().blob
    assert blob is not None
    assert len(blob) < 4 * 5000
