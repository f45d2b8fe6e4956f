"""Counts of messages by the status that they take, against a naive count of the window's messages after each page."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.batch import batch_of
from monitor.model.message import UNKNOWN
from monitor.model.privacy import RecipientMask
from monitor.window import Query, Window, WindowReader
from tests.fakes.rounds import rounds

STATUSES = ["Queued", "Sent", "Delivered", "Failed", "Odd"]


@st.composite
def reports(draw: st.DrawFn) -> dict[str, Any]:
    number = draw(st.integers(0, 4))
    return {
        "messageId": f"message-{number}",
        "parts": 1 + number % 3,
        "part": draw(st.integers(1, 1 + number % 3)),
        "date": draw(st.integers(0, 6)),
        "status": draw(st.sampled_from(STATUSES)),
        "operator": draw(st.sampled_from(["Cosmote", "Vodafone", None])),
        "country": draw(st.sampled_from(["GR", "DE"])),
    }


def seen(window: Window) -> dict[str, tuple[str, ...]]:
    """By message: its country, operator and status."""
    reading = WindowReader(window)
    rows = reading.rows(Query(-1, 1 << 62))
    columns, fields = window.columns, ("country", "operator", "status")
    texts = [[window.dictionaries[name].texts[code] for code in columns.of(name, rows).tolist()] for name in fields]
    ids = [window.ids.decode(int(columns["high"][row]), int(columns["low"][row])) for row in rows.tolist()]
    return dict(zip(ids, zip(*texts, strict=True), strict=True))


@settings(max_examples=rounds(80, else_=32), deadline=None)
@given(st.lists(st.lists(reports(), max_size=8), max_size=8), st.sets(st.integers(0, 7)))
def test_a_message_counts_once_for_each_status_it_takes(pages: list[list[dict[str, Any]]], expiries: set[int]) -> None:
    window, expected = Window("main", RecipientMask()), Counter[tuple[str, ...]]()
    taken: dict[str, set[str]] = {}
    assert window.status_changes.take() == {}
    for number, page in enumerate(pages):
        for report in page:  # one by one: of several in a page only the last status is ever the window's
            window.upsert(batch_of([report]), "all")
            for one, key in seen(window).items():
                if key[2] not in taken.setdefault(one, set()):
                    taken[one].add(key[2])
                    expected[key] += 1
        if number in expiries:
            window.expire(number // 2)
            taken = {one: statuses for one, statuses in taken.items() if one in seen(window)}
        assert Counter(window.status_changes.take()) == expected
        expected.clear()


def test_what_the_window_holds_at_the_start_is_not_counted() -> None:
    window = Window("main", RecipientMask())
    report = {"messageId": "m", "date": 5, "status": "Sent", "country": "GR", "operator": "Cosmote"}
    window.upsert(batch_of([report]), "all")
    assert window.status_changes.take() == {}
    window.upsert(batch_of([report | {"date": 6, "status": "Delivered"}]), "all")
    assert window.status_changes.take() == {("GR", "Cosmote", "Delivered"): 1}


@settings(max_examples=rounds(80, else_=32), deadline=None)
@given(st.lists(reports(), max_size=20), st.integers(0, 6), st.lists(reports(), max_size=10), st.integers(0, 50))
def test_counting_that_begins_late_knows_the_present_statuses(
    held: list[dict[str, Any]], forgotten: int, later: list[dict[str, Any]], others: int
) -> None:
    window, expected = Window("main", RecipientMask()), Counter[tuple[str, ...]]()
    window.dictionaries["status"].encode([f"Status{number}" for number in range(others)])
    for report in held:
        window.upsert(batch_of([report]), "all")
    window.expire(forgotten)
    window.count_status_changes()
    taken = {one: {key[2]} for one, key in seen(window).items()}
    for report in later:
        window.upsert(batch_of([report | {"date": report["date"] + 7}]), "all")
        for one, key in seen(window).items():
            if key[2] not in taken.setdefault(one, set()):
                taken[one].add(key[2])
                expected[key] += 1
    assert Counter(window.status_changes.take()) == expected


def test_a_message_of_unknown_status_at_the_start_counts_once_it_has_one() -> None:
    window = Window("main", RecipientMask())
    window.upsert(batch_of([{"messageId": "m", "date": 1, "status": UNKNOWN}]), "all")
    assert window.status_changes.take() == {}
    window.upsert(batch_of([{"messageId": "m", "date": 2, "status": "Sent"}]), "all")
    window.upsert(batch_of([{"messageId": "m", "date": 3, "status": UNKNOWN}]), "all")
    assert window.status_changes.take() == {(UNKNOWN, UNKNOWN, "Sent"): 1}


def test_the_past_that_a_new_search_reads_is_not_counted() -> None:
    window = Window("main", RecipientMask())
    window.status_changes.since["new"] = 10
    window.upsert(batch_of([{"messageId": str(at), "date": at, "status": "Failed"} for at in (9, 10, 11)]), "new")
    assert window.status_changes.take() == {(UNKNOWN, UNKNOWN, "Failed"): 1}
    window.upsert(batch_of([{"messageId": "9", "date": 9, "status": "Failed"}]), "old")
    assert window.status_changes.take() == {}


def test_a_part_that_comes_late_does_not_make_a_message_count_again() -> None:
    window = Window("main", RecipientMask())
    window.status_changes.take()
    for part, date, status in ((1, 1, "Queued"), (1, 2, "Sent"), (2, 1, "Queued"), (2, 2, "Sent")):
        report = {"messageId": "m", "parts": 2, "part": part, "date": date, "status": status}
        window.upsert(batch_of([report]), "all")
    assert window.status_changes.take() == {(UNKNOWN, UNKNOWN, "Queued"): 1, (UNKNOWN, UNKNOWN, "Sent"): 1}


def test_what_could_not_be_used_is_taken_with_what_comes_next() -> None:
    window = Window("main", RecipientMask())
    window.status_changes.take()
    window.upsert(batch_of([{"messageId": "a", "date": 1, "status": "Sent"}]), "all")
    window.status_changes.put_back(window.status_changes.take())
    window.upsert(batch_of([{"messageId": "b", "date": 1, "status": "Sent"}]), "all")
    assert window.status_changes.take() == {(UNKNOWN, UNKNOWN, "Sent"): 2}
    assert window.status_changes.take() == {}
