"""The timeline against looking at all rows, settled at any moment."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.batch import batch_of
from monitor.window import Query, Window, WindowReader
from monitor.window.table import ColumnTable
from monitor.window.timeline import AS_MESSAGE, AS_PART, COPIED, COUNTS, EDGES, RECENT, Timeline

ROWS = 60
changes = st.lists(
    st.tuples(st.integers(0, ROWS - 1), st.integers(0, 20), st.sampled_from([0, 1, 2, 3]), st.integers(0, 4)),
    max_size=40,
    unique_by=lambda change: change[0],
)
steps = st.lists(st.tuples(changes, st.booleans()), max_size=8)


@given(steps, st.integers(1, 9), st.integers(-1, 21), st.integers(-1, 21))
@settings(max_examples=300, deadline=None)
def test_every_span_is_what_a_look_at_all_rows_finds(history: list[object], segment: int, start: int, end: int) -> None:
    table = ColumnTable({"date": np.int64, "kind": np.uint8, "profile": np.uint8})
    table.reserve(ROWS)
    timeline = Timeline(table, segment)
    for some, settle in history:  # type: ignore[misc]  # hypothesis' nested tuples
        rows, *values = (
            (np.array(column) for column in zip(*some, strict=True)) if some else (np.zeros(0, np.int64),) * 4
        )
        timeline.changing(rows)
        table.write(rows, dict(zip(("date", "kind", "profile"), values, strict=True)))
        if settle:
            timeline.settle()
        dates, kinds = table["date"][:ROWS], table["kind"][:ROWS]
        for kind in (AS_PART, AS_MESSAGE):
            wanted = np.flatnonzero((dates > start) & (dates <= end) & ((kinds & kind) > 0))
            assert sorted(timeline.rows(start, end, kind).tolist()) == wanted.tolist()
        assert timeline.begins == min(dates[(kinds & AS_MESSAGE) > 0].tolist(), default=None)
        assert (timeline.count(start, end, 5) == np.bincount(table["profile"][wanted], minlength=5)).all()


def test_spans_with_more_edges_than_are_kept_are_read_again_also_after_their_rows_have_changed() -> None:
    count = 3 * EDGES
    table = ColumnTable({"date": np.int64, "kind": np.uint8, "profile": np.uint8})
    table.reserve(count)
    timeline = Timeline(table, segment=2)
    every = np.arange(count)
    timeline.changing(every)
    table.write(every, {"date": every, "kind": np.full(count, AS_MESSAGE), "profile": every % 3})
    timeline.settle()
    for changed in ([], [5, 6, 100], range(0, count, 7)):
        rows = np.array(changed, np.int64)
        timeline.changing(rows)
        table.write(rows, {"date": (rows * 31 + 7) % count})
        for _ in range(2):
            for start in range(-1, count):
                wanted = np.flatnonzero((table["date"][:count] > start) & (table["date"][:count] <= start + 2))
                assert sorted(timeline.rows(start, start + 2, AS_MESSAGE).tolist()) == wanted.tolist()
                assert timeline.count(start, start + 2, 3).sum() == len(wanted)


messages = st.fixed_dictionaries(
    {
        "messageId": st.sampled_from([f"m{i}" for i in range(9)]),
        "date": st.integers(0, 20),
        "status": st.sampled_from(["Queued", "Sent", "Delivered"]),
        "latency": st.sampled_from([None, 0.0, 0.004]),
        "parts": st.sampled_from([1, 2]),
        "key": st.sampled_from([1, 2]),
    }
)


@given(st.lists(st.lists(messages, max_size=5), max_size=6), st.integers(-1, 21), st.integers(-1, 21), st.booleans())
@settings(max_examples=200, deadline=None)
def test_messages_first_seen_in_a_span_and_late_ones_are_what_a_look_at_all_finds(
    pages: list[list[dict[str, object]]], start: int, end: int, settle: bool
) -> None:
    window = Window("main")
    for page in pages:
        window.upsert(batch_of(page), "all")
        columns, question = window.columns, Query(start, end, ("status",), seen=True)
        first, kind = columns["first_seen"][: columns.length], columns["kind"][: columns.length]
        wanted = np.flatnonzero((first > start) & (first <= end) & ((kind & AS_MESSAGE) > 0))
        reading = WindowReader(window)
        assert sorted(reading.rows(question).tolist()) == wanted.tolist()
        counted = {reading.labels(("status",), code)[0]: n for code, n in zip(*pairs(reading, question), strict=True)}
        assert counted == reading.split(wanted, "status")
        dates, latency = columns["date"][: columns.length], columns["latency"][: columns.length]
        took = np.where(latency < 0, dates - first, latency * np.int64(1_000))
        late = np.flatnonzero((dates > start) & (dates <= end) & ((kind & AS_MESSAGE) > 0) & (took > 3))
        assert reading.rows(Query(start, end, late=3)).tolist() == late.tolist()
        if settle:
            columns.seen.settle()


def pairs(reading: WindowReader, question: Query) -> tuple[list[int], list[int]]:
    tally = reading.tally(question)
    return tally.codes.tolist(), tally.counts.tolist()


def test_settling_in_pieces_gives_what_settling_at_once_gives_also_where_a_query_comes_first() -> None:
    window, count = Window("main"), RECENT * 3
    rows = [{"messageId": f"m{i}", "date": i, "status": "Sent"} for i in range(count)]
    window.upsert(batch_of(rows), "all")
    window.columns.timeline.settle()
    changed = [row | {"date": count + 5, "status": "Failed"} for row in rows[1000:50_000:2]]
    window.upsert(batch_of(changed), "all")
    pieces = window.settling()
    for number, _ in enumerate(pieces):
        assert counted(window, 1000, 1010) == {("Sent",): 5}
        if number == 3:
            window.columns.timeline.settle()
    assert number == 3, "the rest of the pieces has nothing to do"
    assert counted(window, -1, count + 5) == {("Sent",): count - len(changed), ("Failed",): len(changed)}
    assert not list(window.settling())


def test_settling_copies_many_counts_in_pieces_also_where_profiles_were_added() -> None:
    profiles, count = 2_000, 1 << 16
    table = ColumnTable({"date": np.int64, "kind": np.uint8, "profile": np.uint16})
    table.reserve(count)
    timeline, every = Timeline(table, segment=count * profiles // COUNTS), np.arange(count)
    timeline.changing(every)
    table.write(every, {"date": every, "kind": np.full(count, AS_MESSAGE), "profile": every % profiles})
    timeline.settle()
    for row, profile in ((5, profiles), (count - 5, 0), (count // 2, profiles + 9)):
        timeline.changing(np.array([row]))
        table.write(np.array([row]), {"profile": np.array([profile])})
        pieces = sum(1 for _ in timeline.settling())
        assert pieces > COUNTS / COPIED
        for start, end in ((-1, count), (3, count // 2), (count // 2 - 1, count - 3)):
            wanted = np.bincount(table["profile"][:count][start + 1 : end + 1], minlength=profiles + 10)
            assert timeline.count(start, end, profiles + 10).tolist() == wanted.tolist()


def test_counts_stay_exact_while_many_messages_change() -> None:
    window, count = Window("main"), RECENT * 2
    rows = [{"messageId": f"m{i}", "date": i % 500, "status": "Sent", "operator": f"o{i % 7}"} for i in range(count)]
    window.upsert(batch_of(rows), "all")
    assert counted(window, 99, 199) == {("Sent",): len([row for row in rows if 99 < row["date"] <= 199])}
    late = [row | {"date": 600 + i % 10, "status": "Failed"} for i, row in enumerate(rows[: RECENT + 5000])]
    window.upsert(batch_of(late[:1000]), "all")
    assert counted(window, 599, 700) == {("Failed",): 1000}
    window.upsert(batch_of(late), "all")
    assert counted(window, 599, 700) == {("Failed",): len(late)}
    assert counted(window, -1, 599) == {("Sent",): count - len(late)}


def counted(window: Window, start: int, end: int) -> dict[tuple[str, ...], int]:
    reading = WindowReader(window)
    tally = reading.tally(Query(start, end, by=("status",)))
    return {
        reading.labels(("status",), code): n
        for code, n in zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    }


def test_profiles_that_nothing_has_any_more_are_forgotten() -> None:
    window = Window("main")
    for day in range(50):
        rows = [
            {"messageId": f"{day}-{i}", "date": day * 10 + 1, "status": "Failed", "campaign": f"{day}-{i}"}
            for i in range(1000)
        ]
        window.upsert(batch_of(rows), "all")
        while window.expire(day * 10 - 5):
            pass
    assert window.columns.profiles.length < 40_000
    reading = WindowReader(window)
    assert reading.tally(Query(0, 10_000)).counts.tolist() == [1000]
    campaigns = reading.split(reading.rows(Query(0, 10_000)), "campaign")
    assert campaigns == {f"49-{i}": 1 for i in range(1000)}


def test_the_version_changes_whenever_profiles_get_other_numbers() -> None:
    """What was read before, such as the codes of groups, no longer fits then, although no message has changed."""
    window = Window("main")
    for date in (1, 2):
        rows = [
            {"messageId": f"m{i}", "date": date, "status": "Sent", "campaign": f"{i}" if date == 1 else "all"}
            for i in range(40_000)
        ]
        window.upsert(batch_of(rows), "all")
    facets, version = window.facets, window.version
    assert window.expire(0) == 0
    assert window.facets is not facets, "no profile got another number"
    assert window.version != version
    facets, version = window.facets, window.version
    assert window.expire(0) == 0
    assert window.facets is facets
    assert window.version == version
