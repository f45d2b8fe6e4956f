"""Statuses, and batches as plain rows."""

from itertools import pairwise

from monitor.model.batch import batch_of
from monitor.model.message import CODED_FIELDS, FAILURES, FIELDS, FINAL, STATUSES, UNKNOWN, rank


def test_reports_of_one_date_are_ordered_as_messages_go() -> None:
    order = ["Queued", "Sent", "Something New", "Delivered", "Undelivered", "Failed", "Unsent"]
    assert all(rank(earlier) < rank(later) for earlier, later in pairwise(order))


def test_final_are_delivery_and_the_failures_and_nothing_that_is_not_documented() -> None:
    assert set(STATUSES) - FINAL == {"Queued", "Sent"}
    assert sorted(FINAL - FAILURES) == ["Delivered"]
    assert "Something New" not in FINAL


def test_every_field_that_a_rule_can_name_is_coded_or_special() -> None:
    assert set(FIELDS) - set(CODED_FIELDS) == {"to", "account"}


def test_a_batch_gives_back_the_rows_it_was_made_of() -> None:
    rows = [
        {
            "messageId": "m1",
            "part": 2,
            "parts": 3,
            "date": 5,
            "latency": 1.5,
            "price": 0.2,
            "to": "+30",
            "status": "Sent",
        },
        {"messageId": "m2", "date": 6},
    ]
    first, second = batch_of(rows).rows()
    assert first.items() >= rows[0].items()
    assert first["operator"] == UNKNOWN
    assert second == {
        "messageId": "m2",
        "part": 1,
        "parts": 1,
        "date": 6,
        "latency": None,
        "price": None,
    } | dict.fromkeys((*CODED_FIELDS, "to"), UNKNOWN)


def test_an_empty_batch() -> None:
    assert len(batch_of([])) == 0
    assert list(batch_of([]).rows()) == []
