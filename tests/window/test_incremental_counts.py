"""Answers that are carried on from moment to moment against a count of all messages, whatever happens to the window in between."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.rules.match import Condition
from monitor.model.batch import batch_of
from monitor.model.message import FAILURES, FINAL
from monitor.window import GroupCounts, IncrementalCounts, Query, RelativeQuery, Window, WindowReader
from monitor.window.aggregates import last_seen, spendings
from monitor.window.incremental_counts import UNUSED
from monitor.window.passed_rows import FEW
from tests.fakes.rounds import rounds

FAILED = (Condition("status", "is", tuple(sorted(FAILURES))),)
ASKED = [
    Query(-4, 0, ("operator",)),
    Query(-9, -3, ("operator",)),
    Query(-4, 0, ("operator",), FAILED),
    Query(-6, 0, ("status", "country"), final=True),
    Query(-6, 0, search="b"),
    Query(-5, 0, ("to",)),
    Query(-5, 0, conditions=(Condition("to", "is", ("+306912345678",)),)),
    Query(-5, 0, ("operator",), within=2),
    Query(-5, 0, ("operator",), unit="parts"),
    Query(-5, 0, ("operator",), seen=True),
    Query(-7, 0, ("operator",), seen=True, pending_at=0),
    Query(-9, -3, seen=True, pending_at=0),
    Query(-9, -1, ("country",), seen=True, pending_at=-4, unit="parts"),
    Query(-5, 0, slower=1.0),
    Query(-8, 0, ("operator",), late=2),
    Query(-5, 0, ("operator",), priced=True),
    Query(-5, -1, ("country",), conditions=FAILED, priced=False),
]
SPENT = [Query(-5, 0, ("operator",)), Query(-9, -2), Query(-6, 0, ("country",), FAILED)]
LAST_SEEN = [Query(-5, 0, ("operator",), seen=True), Query(-9, -3, seen=True)]
rows = st.fixed_dictionaries(
    {
        "messageId": st.sampled_from([f"m{i}" for i in range(12)]),
        "date": st.integers(0, 25),
        "status": st.sampled_from(["Queued", "Sent", "Delivered", "Failed"]),
        "operator": st.sampled_from(["Cosmote", "Vodafone", "Wind", None]),
        "country": st.sampled_from(["GR", "Iraq"]),
        "to": st.sampled_from(["+306912345678", "+306999945678"]),
        "price": st.sampled_from([0.04, 0.1, 1 / 3, None]),
        "latency": st.sampled_from([0.5, 1.5, 3.0, None]),
        "parts": st.sampled_from([1, 1, 2]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("page"), st.sampled_from("ab"), st.lists(rows, max_size=6)),
        st.tuples(st.just("as of"), st.integers(-3, 30), st.just(None)),
        st.tuples(st.just("as of"), st.integers(-3, 30), st.just(None)),
        st.tuples(st.just("expire"), st.integers(0, 8), st.just(None)),
        st.tuples(st.just("settle"), st.just(0), st.just(None)),
    ),
    max_size=14,
)


def named(window: Window, question: Query, tally: GroupCounts) -> dict[tuple[str, ...], int]:
    reading = WindowReader(window)
    return {reading.labels(question.by, int(c)): int(n) for c, n in zip(tally.codes, tally.counts, strict=True)}


@given(steps)
@settings(max_examples=rounds(100, else_=40), deadline=None)
def test_a_carried_answer_is_what_a_new_count_gives(history: list[Any]) -> None:
    window = Window("main")
    carried, relative = IncrementalCounts(window), [RelativeQuery(question) for question in ASKED]
    for what, one, page in [*history, ("as of", 11, None), ("as of", 12, None), ("as of", 10, None)]:
        if what == "page":
            window.upsert(batch_of(page), one)
        elif what == "expire":
            window.expire(one)
        elif what == "settle":
            for timeline in window.columns.timelines:
                timeline.settle()
        else:
            reading = WindowReader(window)
            for asked in relative:
                question = asked.at(one)
                found = named(window, question, carried.tally(reading, asked, one))
                assert found == named(window, question, WindowReader(window).tally(question)), question
            for question in SPENT:
                spent = carried.spendings(reading, RelativeQuery(question), one)
                fresh = spendings(WindowReader(window), RelativeQuery(question).at(one))
                assert (spent.amounts.tolist(), spent.priced.tolist()) == (
                    fresh.amounts.tolist(),
                    fresh.priced.tolist(),
                )
            for question in LAST_SEEN:
                latest = carried.last_seen(reading, RelativeQuery(question), one)
                fresh_latest = last_seen(WindowReader(window), RelativeQuery(question).at(one), np.arange(len(latest)))
                start = one + question.start  # what is earlier counts as none
                assert np.maximum(latest, start).tolist() == np.maximum(fresh_latest, start).tolist()
            carried.forget_passed()


@given(st.lists(rows, max_size=40, unique_by=lambda row: row["messageId"]), st.lists(st.integers(0, 30), max_size=8))
@settings(max_examples=rounds(100, else_=40), deadline=None)
def test_it_is_what_a_look_at_each_message_gives(page: list[dict[str, Any]], moments: list[int]) -> None:
    window = Window("main")
    window.upsert(batch_of(page), "a")
    carried, asked = IncrementalCounts(window), RelativeQuery(Query(-6, -1, ("operator",), FAILED, final=True))
    for as_of in moments:
        expected: dict[tuple[str, ...], int] = {}
        for row in page:
            if as_of - 6 < row["date"] <= as_of - 1 and row["status"] in FAILURES & FINAL:
                group = (row["operator"] or "unknown",)
                expected[group] = expected.get(group, 0) + 1
        assert named(window, asked.question, carried.tally(WindowReader(window), asked, as_of)) == expected


def test_the_all_of_a_tally_agrees_with_it_after_moves() -> None:
    window = Window("main")
    window.upsert(batch_of([{"messageId": f"m{i}", "date": i, "operator": f"O{i % 3}"} for i in range(50)]), "a")
    carried, asked = IncrementalCounts(window), RelativeQuery(Query(-10, 0, ("operator",)))
    for as_of in (20, 25, 31, 28):
        tally, fresh = carried.tally(WindowReader(window), asked, as_of), WindowReader(window).tally(asked.at(as_of))
        assert tally.at(fresh.codes).tolist() == fresh.counts.tolist()
        assert replace(tally, all=None).at(fresh.codes).tolist() == fresh.counts.tolist()


def test_what_was_made_of_the_messages_is_kept_while_it_holds_and_they_are_the_same() -> None:
    window, made = Window("main"), list[int]()
    carried = IncrementalCounts(window)

    def kept(limit: int) -> int:
        return carried.kept("what", lambda known: known < limit, lambda: made.append(0) or len(made))

    assert [kept(5), kept(5), kept(1), kept(5)] == [1, 1, 2, 2]
    window.upsert(batch_of([{"messageId": "m", "date": 5}]), "a")
    assert [kept(5), kept(5)] == [3, 3]


def test_answers_that_nobody_asks_for_any_more_are_forgotten() -> None:
    window = Window("main")
    window.upsert(batch_of([{"messageId": "m", "date": 5}]), "a")
    carried, asked = IncrementalCounts(window), RelativeQuery(Query(-10, 0))
    first = carried.tally(WindowReader(window), asked, 6)
    for _ in range(UNUSED):
        carried.forget_passed()
    assert carried.tally(WindowReader(window), asked, 6) is first
    for _ in range(UNUSED + 1):
        carried.forget_passed()
    assert carried.tally(WindowReader(window), asked, 6) is not first


def test_where_very_many_messages_leave_at_once_all_are_counted_anew() -> None:
    window, many = Window("main"), FEW + 10
    window.upsert(batch_of([{"messageId": f"m{i}", "date": i % 5} for i in range(many)]), "a")
    carried, asked = IncrementalCounts(window), RelativeQuery(Query(-100, 0))
    counted = [carried.tally(WindowReader(window), asked, as_of).counts.tolist() for as_of in (50, 104, 150)]
    assert counted == [[many], [], []]


def test_an_answer_that_stays_the_same_is_the_same_object() -> None:
    window = Window("main")
    window.upsert(batch_of([{"messageId": "m", "date": 5}]), "a")
    carried, asked = IncrementalCounts(window), RelativeQuery(Query(-10, 0))
    first = carried.tally(WindowReader(window), asked, 6)
    assert carried.tally(WindowReader(window), asked, 9) is first
    window.upsert(batch_of([{"messageId": "n", "date": 5}]), "a")
    assert carried.tally(WindowReader(window), asked, 9).counts.tolist() == [2]
