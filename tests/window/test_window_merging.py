"""Reports of one part with the same status and date: what any of them says is known, in whatever order they come."""

import random
from itertools import permutations
from typing import Any

import pytest

from monitor.model.batch import batch_of
from monitor.model.message import CODED_FIELDS
from monitor.runtime.clock import SECOND
from monitor.window import Query, Window, WindowReader
from monitor.window.aggregates import percentiles, sums

ID = "0b6f0c1e-7d8a-4c5e-9f00-1234567890ab"
FIELDS = tuple(name for name in CODED_FIELDS if name != "status")
ALL = Query(0, 100 * SECOND)
NONE = (0.0, 0)


def report(at: int = 1, **more: Any) -> dict[str, Any]:
    return {"messageId": ID, "date": at * SECOND, "status": "Delivered"} | more


def window(*reports: dict[str, Any]) -> Window:
    """Each report in a page of its own."""
    made = Window("main")
    for one in reports:
        made.upsert(batch_of([one]), "all")
    return made


def value(of: Window, field: str) -> str:
    """The one message's value."""
    reading = WindowReader(of)
    question = Query(0, 100 * SECOND, by=(field,))
    (code,) = reading.tally(question).codes.tolist()
    return reading.labels((field,), code)[0]


def spent(of: Window, **what: Any) -> tuple[float, int]:
    found = sums(WindowReader(of), Query(0, 100 * SECOND, **what))
    return (float(found.values.sum()), int(found.counts.sum()))


@pytest.mark.parametrize("field", FIELDS)
def test_a_text_that_comes_later_is_kept_whichever_comes_first(field: str) -> None:
    for order in permutations([report(), report(**{field: "Known"}), report()]):
        assert value(window(*order), field) == "Known"


def test_a_recipient_that_comes_later_is_kept() -> None:
    for order in permutations([report(), report(to="+306912345678"), report()]):
        assert value(window(*order), "to").startswith("+30691•••••78")


def test_a_price_and_a_latency_that_come_later_are_kept() -> None:
    for order in permutations([report(), report(price=0.05), report(latency=3.0)]):
        made = window(*order)
        assert spent(made) == (0.05, 1)
        assert percentiles(WindowReader(made), ALL, 95).values.tolist() == [3.0]


def test_each_of_several_reports_adds_what_it_knows() -> None:
    reports = [report(operator="Cosmote"), report(country="GR", price=0.05), report(label="promo"), report()]
    for order in permutations(reports):
        made = window(*order)
        assert [value(made, field) for field in ("operator", "country", "label")] == ["Cosmote", "GR", "promo"]
        assert spent(made) == (0.05, 1)


def test_what_a_hundred_messages_cost_is_whole_when_the_prices_come_some_seconds_later() -> None:
    rows = [report(messageId=f"message-{i}", to=f"+30691234{i:04d}") for i in range(100)]
    made = Window("main")
    for page in (rows, [row | {"price": 0.05} for row in rows], rows):
        made.upsert(batch_of(page), "all")
    assert spent(made) == (5.0, 100)


def test_of_two_known_values_the_same_one_stays_in_any_order() -> None:
    found = {value(window(*order), "operator") for order in permutations([report(operator=n) for n in "abc"])}
    assert len(found) == 1
    assert {spent(window(*order)) for order in permutations([report(price=p) for p in (0.0, 0.05, 0.04)])} == {
        (0.05, 1)
    }


def test_a_report_of_another_status_or_date_replaces_everything() -> None:
    before = report(status="Sent", operator="Cosmote", price=0.05)
    for after in (report(), report(at=2, status="Sent"), report(at=2)):
        for order in permutations([before, after]):
            made = window(*order)
            assert (value(made, "operator"), spent(made)) == ("unknown", NONE)


def test_statuses_that_routee_did_not_document_are_not_mixed_with_each_other() -> None:
    reports = [report(status="Odd", operator="Cosmote"), report(status="Strange", country="GR")]
    found = {
        tuple(value(window(*order), f) for f in ("status", "operator", "country")) for order in permutations(reports)
    }
    assert found in ({("Odd", "Cosmote", "unknown")}, {("Strange", "unknown", "GR")})


def test_what_is_filled_in_comes_back_after_a_restart() -> None:
    live, entries, blobs = Window("main"), [], []
    for one in (report(), report(price=0.05, operator="Cosmote"), report()):
        live.upsert(batch_of([one]), "all")
        unsaved = live.unsaved()
        entries += unsaved.entries
        blobs += [] if unsaved.blob is None else [unsaved.blob]
        live.saved(unsaved, len(blobs) if unsaved.blob is not None else None)
    assert len(blobs) == 2  # the third report says nothing new: nothing is written
    back = Window("main")
    back.restore_entries(entries)
    back.restore(enumerate(blobs, 1))
    back.restored()
    assert (value(back, "operator"), spent(back)) == ("Cosmote", (0.05, 1))


# Messages of several parts


def part(number: int, **more: Any) -> dict[str, Any]:
    return report(parts=3, part=number) | more


@pytest.mark.parametrize("field", FIELDS)
def test_a_message_knows_what_any_part_of_its_status_and_date_knows(field: str) -> None:
    parts = [part(1, status="Failed"), part(2, status="Failed", **{field: "Known"}), part(3)]
    for order in permutations(parts):
        made = window(*order)
        assert (value(made, "status"), value(made, field)) == ("Failed", "Known")


def test_of_parts_that_know_different_values_the_first_one_speaks() -> None:
    parts = [part(1), part(2, operator="Cosmote"), part(3, operator="Vodafone", to="+306912345678")]
    for order in permutations(parts):
        made = window(*order)
        assert value(made, "operator") == "Cosmote"
        assert value(made, "to").startswith("+30691•••••78")


def test_a_part_of_another_status_or_date_lends_nothing() -> None:
    for other in (part(2, operator="Cosmote"), part(2, status="Failed", operator="Cosmote", date=SECOND // 2)):
        for order in permutations([part(1, status="Failed"), other]):
            assert value(window(*order), "operator") == "unknown"


def test_a_price_that_comes_later_for_one_part_is_in_the_sum_of_the_message() -> None:
    parts = [part(n, price=None if n == 2 else 0.05) for n in (1, 2, 3)] + [part(2, price=0.05), part(2)]
    for order in permutations(parts):
        made = window(*order)
        assert spent(made) == pytest.approx((0.15, 1))
        assert spent(made, unit="parts") == pytest.approx((0.15, 3))


def test_many_messages_in_random_pages_end_the_same() -> None:
    random_ = random.Random(7)

    def some(message: int) -> dict[str, Any]:
        chosen = {name: random_.choice([None, "a", "b"]) for name in ("operator", "country", "label", "campaign")}
        row = report(at=random_.choice([1, 2]), messageId=f"m{message}", part=random_.choice([1, 2]), parts=2)
        return row | chosen | {"price": random_.choice([None, 0.1, 0.2]), "status": random_.choice(["Sent", "Failed"])}

    rows = [some(message) for message in range(200) for _ in range(6)]
    found = []
    for _ in range(5):
        random_.shuffle(rows)
        made = Window("main")
        for start in range(0, len(rows), 100):
            made.upsert(batch_of(rows[start : start + 150]), "all")  # pages overlap
        reading = WindowReader(made)
        by = ("status", "operator", "country", "label", "campaign")
        question = Query(0, 100 * SECOND, by=by)
        money = sums(reading, question)
        labels = [reading.labels(by, code) for code in money.codes.tolist()]
        found.append(dict(zip(labels, zip(money.values.tolist(), money.counts.tolist(), strict=True), strict=True)))
    assert all(one == found[0] for one in found)
