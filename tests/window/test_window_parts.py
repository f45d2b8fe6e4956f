"""A message is all its parts: each sentence of what that means, as a case."""

from typing import Any

import pytest

from monitor.config.rules.match import Condition
from monitor.model.batch import batch_of
from monitor.runtime.clock import SECOND
from monitor.window import Query, Window, WindowReader

ID = "0b6f0c1e-7d8a-4c5e-9f00-1234567890ab"


def part(number: int, status: str, at: int = 1, **more: Any) -> dict[str, Any]:
    """One of three parts, reported ``at`` seconds."""
    return {"messageId": ID, "parts": 3, "part": number, "status": status, "date": at * SECOND} | more


def window(*reports: dict[str, Any], search: str = "all") -> Window:
    """Each report in a page of its own."""
    made = Window("main")
    for report in reports:
        made.upsert(batch_of([report]), search)
    return made


def together(*reports: dict[str, Any]) -> Window:
    """All reports in one page."""
    made = Window("main")
    made.upsert(batch_of(list(reports)), "all")
    return made


def restarted(before: Window, *reports: dict[str, Any]) -> Window:
    """A window that was read from what the one before had stored, and further reports. That one must not have been restored itself."""
    unsaved = before.unsaved()
    made = Window("main")
    made.restore_entries(unsaved.entries)
    if unsaved.blob is not None:
        made.restore([(1, unsaved.blob)])
    made.restored()
    before.not_saved(unsaved)
    for report in reports:
        made.upsert(batch_of([report]), "all")
    return made


def counted(of: Window, by: tuple[str, ...] = ("status",), end: int = 100, start: int = 0, **more: Any) -> Any:
    """How many messages there are of each value between two seconds."""
    reading = WindowReader(of)
    question = Query(start * SECOND, end * SECOND, by=by, **more)
    tally = reading.tally(question)
    found = zip(tally.codes.tolist(), tally.counts.tolist(), strict=True)
    return {"/".join(reading.labels(by, code)): count for code, count in found}


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (("Delivered", "Delivered", "Delivered"), "Delivered"),
        (("Delivered", "Sent", "Delivered"), "Sent"),
        (("Delivered", "Delivered", "Queued"), "Queued"),
        (("Sent", "Queued", "Sent"), "Queued"),
        (("Delivered", "Delivered", "Undelivered"), "Undelivered"),
        (("Sent", "Failed", "Queued"), "Failed"),
        (("Undelivered", "Failed", "Delivered"), "Failed"),
        (("Unsent", "Failed", "Undelivered"), "Unsent"),
        (("Delivered", "Buffered", "Delivered"), "Buffered"),
        (("Buffered", "Undelivered", "Sent"), "Undelivered"),
    ],
)
def test_the_status_is_that_of_the_worst_part(statuses: tuple[str, ...], whole: str) -> None:
    reports = [part(number, status) for number, status in enumerate(statuses, 1)]
    assert counted(window(*reports)) == {whole: 1}
    assert counted(window(*reversed(reports))) == {whole: 1}
    together = Window("main")
    together.upsert(batch_of(reports), "all")
    assert counted(together) == {whole: 1}


def test_it_has_failed_as_soon_as_one_part_has() -> None:
    assert counted(window(part(2, "Undelivered"))) == {"Undelivered": 1}


def test_it_is_delivered_only_when_all_parts_were_seen_delivered() -> None:
    some = window(part(1, "Delivered"), part(3, "Delivered"))
    assert counted(some) == {"Sent": 1}
    assert counted(some, final=True) == {}
    some.upsert(batch_of([part(2, "Delivered")]), "all")
    assert counted(some, final=True) == {"Delivered": 1}


def test_its_date_is_the_latest_among_the_parts_of_the_worst_status() -> None:
    made = window(part(1, "Failed", 10), part(2, "Failed", 20), part(3, "Delivered", 90))
    assert counted(made, start=19, end=20) == {"Failed": 1}
    assert counted(made, start=20, end=100) == {}


def test_of_parts_that_failed_differently_the_time_is_that_of_the_worst_status() -> None:
    reports = [part(1, "Failed", 10), part(2, "Undelivered", 20)]
    for order in (reports, reports[::-1]):
        made = window(*order)
        assert counted(made, start=9, end=10) == {"Failed": 1}
        assert counted(made, start=10, end=100) == {}
        made.upsert(batch_of([part(3, "Failed", 30)]), "all")
        assert counted(made, start=29, end=30) == {"Failed": 1}
        assert counted(made, start=0, end=29) == {}


def test_a_status_change_moves_it() -> None:
    made = window(part(1, "Delivered", 1), part(2, "Sent", 2), part(3, "Delivered", 3))
    assert counted(made, start=1, end=2) == {"Sent": 1}
    made.upsert(batch_of([part(2, "Delivered", 50)]), "all")
    assert counted(made, start=1, end=49) == {}
    assert counted(made, start=49, end=50) == {"Delivered": 1}


def test_a_part_that_recovers_takes_its_failure_back() -> None:
    made = window(*(part(number, "Delivered") for number in (1, 2)), part(3, "Undelivered", 2))
    made.upsert(batch_of([part(3, "Delivered", 3)]), "all")
    assert counted(made) == {"Delivered": 1}


def test_other_fields_are_those_of_the_worst_part() -> None:
    made = window(
        part(1, "Delivered", operator="Cosmote"),
        part(2, "Undelivered", operator="Vodafone", detailedStatus="Expired"),
    )
    assert counted(made, ("operator", "detailedStatus")) == {"Vodafone/Expired": 1}


def test_it_was_returned_by_every_search_that_returned_one_of_its_parts() -> None:
    made = window(part(1, "Delivered"), part(2, "Undelivered"))
    made.upsert(batch_of([part(1, "Delivered")]), "other")
    assert counted(made, search="other") == {"Undelivered": 1}
    assert counted(made, search="none") == {}


def test_reports_count_as_fresh_by_the_slowest_part() -> None:
    made = window(part(1, "Delivered", latency=2.0), part(2, "Delivered", latency=70.0), part(3, "Delivered"))
    assert counted(made, within=60 * SECOND) == {}
    assert counted(made, within=70 * SECOND) == {"Delivered": 1}


def test_parts_can_be_counted_instead() -> None:
    made = window(part(1, "Delivered"), part(2, "Undelivered"), part(3, "Delivered"))
    assert counted(made, unit="parts") == {"Delivered": 2, "Undelivered": 1}
    failed = (Condition("status", "is", ("Undelivered",)),)
    assert counted(made, unit="parts", conditions=failed) == {"Undelivered": 1}


def test_a_repeated_part_counts_once() -> None:
    made = window(part(1, "Undelivered"), part(1, "Undelivered"), part(1, "Undelivered"))
    assert counted(made, unit="parts") == {"Undelivered": 1}
    assert (made.messages, counted(made)) == (1, {"Undelivered": 1})


def test_messages_of_one_part_and_of_several_stand_side_by_side() -> None:
    rows = [{"messageId": f"m{i}", "date": SECOND, "status": "Delivered"} for i in range(5)]
    made = Window("main")
    made.upsert(batch_of([*rows, *(part(number, "Failed") for number in (1, 2, 3))]), "all")
    assert counted(made) == {"Delivered": 5, "Failed": 1}
    assert counted(made, unit="parts") == {"Delivered": 5, "Failed": 3}
    assert made.messages == 6


ALONE = part(1, "Delivered", 5, parts=1, price=0.5)
"""Its sisters say that the message has two parts."""
SISTER = part(2, "Failed", 4, parts=2, price=0.25)


@pytest.mark.parametrize("reports", [(ALONE, SISTER), (SISTER, ALONE), (ALONE, SISTER, ALONE), (SISTER, ALONE, SISTER)])
def test_parts_that_contradict_each_other_in_their_number_are_one_message(reports: tuple[dict[str, Any], ...]) -> None:
    """What shares a message's id belongs to it; the largest number of parts holds."""
    after_restarts = [restarted(window(*reports[:1]), *reports[1:]), restarted(window(*reports))]
    for made in (window(*reports), together(*reports), *after_restarts):
        assert counted(made) == {"Failed": 1}
        assert counted(made, unit="parts") == {"Delivered": 1, "Failed": 1}
        assert (made.messages, len(made)) == (1, 3)
        made.upsert(batch_of([SISTER | {"status": "Delivered", "date": 6 * SECOND}]), "all")
        assert counted(made) == {"Delivered": 1}
        made.expire(6 * SECOND)
        assert (len(made), made.messages) == (0, 0)


@pytest.mark.parametrize("number", [2, 3])
def test_a_message_of_one_part_that_gets_further_ones_waits_for_as_many_as_the_largest_number_says(number: int) -> None:
    made = window(ALONE)
    assert counted(made) == {"Delivered": 1}
    made.upsert(batch_of([part(2, "Delivered", 6, parts=number)]), "all")
    assert counted(made) == {"Delivered" if number == 2 else "Sent": 1}


def test_a_part_that_names_another_number_of_parts_later_is_one_message_with_the_others() -> None:
    made = window(ALONE, part(1, "Failed", 6, parts=2))
    assert (counted(made), len(made)) == ({"Failed": 1}, 2)
    made.upsert(batch_of([part(2, "Delivered", 7, parts=2), part(1, "Delivered", 8, parts=1)]), "all")
    assert (counted(made), counted(made, unit="parts"), len(made)) == ({"Delivered": 1}, {"Delivered": 2}, 3)


def test_of_several_parts_that_each_say_to_be_the_whole_message_there_is_one_message() -> None:
    reports = [part(number, "Delivered", number, parts=1) for number in (2, 1, 3)]
    for made in (window(*reports), together(*reports), window(*reversed(reports))):
        assert (counted(made), counted(made, unit="parts")) == ({"Delivered": 1}, {"Delivered": 3})


def test_all_parts_are_forgotten_with_their_message() -> None:
    made = window(part(1, "Failed", 5), part(2, "Delivered", 90), part(3, "Delivered", 90))
    made.expire(5 * SECOND)
    assert (len(made), made.messages) == (0, 0)
    assert counted(made) == counted(made, unit="parts") == {}
