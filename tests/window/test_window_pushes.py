"""Pushed reports in the window: they are merged as those of polls are, and say nothing of what a search has."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.batch import batch_of
from monitor.model.complete_read import POLL, CompleteRead, ReadOrigin
from monitor.runtime.clock import SECOND, Instant, parse_iso
from monitor.window import Window
from monitor.window.columns import AS_MESSAGE

T0: Instant = parse_iso("2026-11-21T12:00:00Z")
STATUSES = ("Queued", "Sent", "Delivered", "Undelivered", "Failed")


def report(status: str, after: int = 0, message: str = "m1", **fields: Any) -> dict[str, Any]:
    return {"messageId": message, "status": status, "date": T0 + after * SECOND} | fields


def window(**searches: Any) -> Window:
    made = Window("main")
    made.is_pushed_to = True
    made.search_results.searches = searches or {"all": None}
    return made


def poll(of: Window, search: str, *rows: dict[str, Any], to: int, certain: bool = True) -> None:
    """A complete poll of a search that returned these messages, whose place it covers."""
    of.search_results.begin(search, POLL)
    of.upsert(batch_of(rows), search, ReadOrigin(T0 - SECOND, T0 - SECOND))
    end = T0 + to * SECOND
    of.conclude(CompleteRead(search, POLL, ((T0 - SECOND, end),), end, end, certain))
    of.search_results.end(search, POLL)


def state(of: Window, message: str = "m1") -> tuple[str, frozenset[str]]:
    """The status of a message, and the searches that have it."""
    high, low = of.ids.encode([message])
    columns = of.columns
    (row,) = [
        row
        for row in range(columns.length)
        if (columns["high"][row], columns["low"][row]) == (high[0], low[0]) and columns["kind"][row] & AS_MESSAGE
    ]
    code = int(columns.of("status", [row])[0])
    names = of.searches.members(int(columns.of("searches", [row])[0]))
    return of.dictionaries["status"].texts[code], frozenset(name for name in names if name.isprintable())


def test_a_pushed_message_belongs_to_searches_without_filters_at_once_and_to_others_once_they_return_it() -> None:
    one = window(everything=None, promo=None)
    one.push(batch_of([report("Sent")]), frozenset({"everything"}))
    assert state(one) == ("Sent", {"everything"})
    one.upsert(batch_of([report("Sent")]), "promo")
    assert state(one) == ("Sent", {"everything", "promo"})


def test_a_pushed_status_takes_a_message_out_of_the_search_that_cannot_return_it_and_stays_known() -> None:
    one = window(queued="Queued".__eq__)
    poll(one, "queued", report("Queued"), to=10)
    one.push(batch_of([report("Delivered", 12)]), frozenset())
    assert state(one) == ("Delivered", set())
    poll(one, "queued", to=20)
    assert state(one) == ("Delivered", set()), "a read that missed it has made its status unknown"


def test_a_stale_page_that_comes_after_the_push_does_not_make_the_status_unknown() -> None:
    one = window(queued="Queued".__eq__)
    one.push(batch_of([report("Delivered", 12)]), frozenset())
    poll(one, "queued", report("Queued"), to=13)
    poll(one, "queued", to=20)
    assert state(one)[0] == "Delivered"


@pytest.mark.parametrize(
    ("pushed", "status"),
    [
        (report("Queued"), "unknown"),
        (report("Queued", 5), "unknown"),
        (report("Delivered", 5), "Delivered"),
        (report("Queued", 30), "Queued"),
    ],
)
def test_of_a_message_that_has_left_its_searches_only_a_report_counts_that_can_explain_it(
    pushed: dict[str, Any], status: str
) -> None:
    one = window(queued="Queued".__eq__)
    poll(one, "queued", report("Queued"), to=10)
    poll(one, "queued", to=20)
    assert state(one)[0] == "unknown"
    one.push(batch_of([pushed]), frozenset())
    assert state(one)[0] == status


def test_a_poll_fills_in_what_the_push_lacked_and_a_push_hides_nothing_that_is_known() -> None:
    one = window()
    one.push(batch_of([report("Failed")]), frozenset({"all"}))
    one.upsert(batch_of([report("Failed", operator="Cosmote", price=0.5)]), "all")
    one.push(batch_of([report("Failed")]), frozenset({"all"}))
    (row,) = [row for row in range(one.columns.length) if one.columns["kind"][row]]
    assert one.dictionaries["operator"].texts[int(one.columns.of("operator", [row])[0])] == "Cosmote"
    assert one.columns["price"][row] > 0


def test_what_was_known_already_is_journalled_again_and_changes_nothing() -> None:
    one = window()
    one.upsert(batch_of([report("Sent")]), "all")
    one.saved(one.unsaved(), 1)
    version = one.version
    one.push(batch_of([report("Sent")]), frozenset({"all"}))
    assert one.version == version
    assert one.unsaved().count == 1


reports = st.builds(
    report,
    st.sampled_from(STATUSES),
    st.integers(0, 5),
    st.sampled_from(["m1", "m2"]),
    part=st.integers(1, 2),
    parts=st.just(2),
    operator=st.sampled_from(["unknown", "Cosmote", "Wind"]),
)


@given(st.lists(reports, max_size=12), st.randoms(), st.data())
def test_pushes_and_polls_end_in_the_same_state_in_any_order(rows: list[dict[str, Any]], mixed: Any, data: Any) -> None:
    polled, other = window(), window()
    for row in rows:
        polled.upsert(batch_of([row]), "all")
    again = rows + data.draw(st.lists(st.sampled_from(rows), max_size=5)) if rows else rows
    mixed.shuffle(again)
    for row in again:
        if data.draw(st.booleans()):
            other.push(batch_of([row]), frozenset({"all"}))
        else:
            other.upsert(batch_of([row]), "all")
    assert _content(polled) == _content(other)


def _content(of: Window) -> set[tuple[object, ...]]:
    columns = of.columns
    rows = [row for row in range(columns.length) if columns["kind"][row]]
    coded = [("status", of.dictionaries["status"]), ("operator", of.dictionaries["operator"])]
    texts = {name: [known.texts[int(code)] for code in columns.of(name, rows)] for name, known in coded}
    keys = [tuple(int(columns[name][row]) for name in ("high", "low", "key", "date")) for row in rows]
    return {(*key, *(texts[name][at] for name, _ in coded)) for at, key in enumerate(keys)}
