"""Matches: what people mean by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.rules import EVERYTHING, FAILED, OPERATORS, Condition, Match, parse_match
from monitor.model.message import GROUPS_SEPARATOR

ROW = {
    "status": "Undelivered",
    "operator": "Cosmote",
    "label": "otp-login",
    "groups": GROUPS_SEPARATOR.join(("vip", "beta")),
    "from": "Shop",
}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"status": "Undelivered"}, True),
        ({"status": ["Failed", "Undelivered"]}, True),
        ({"status": "Failed"}, False),
        ({"operator": "cosmote"}, False),
        ({"operator": {"is_not": "Cosmote"}}, False),
        ({"operator": {"is_not": ["Vodafone", "Wind"]}}, True),
        ({"operator": {"is_not": ["Vodafone", "Cosmote"]}}, False),
        ({"label": {"starts_with": "otp"}}, True),
        ({"label": {"ends_with": ["x", "login"]}}, True),
        ({"label": {"contains": "p-l"}}, True),
        ({"label": {"starts_with": "otp", "ends_with": "x"}}, False),
        ({"country": "unknown"}, True),
        ({"country": {"is_not": "GR"}}, True),
        ({"groups": "beta"}, True),
        ({"groups": ["gold", "vip"]}, True),
        ({"groups": {"is_not": "vip"}}, False),
        ({"groups": {"is_not": "gold"}}, True),
        ({"status": "Undelivered", "from": "Other"}, False),
    ],
)
def test_a_match_holds_or_not(written: dict[str, object], expected: bool) -> None:
    assert parse_match(written).matches(ROW) is expected


def test_groups_may_come_as_a_tuple_and_may_be_missing() -> None:
    assert parse_match({"groups": "vip"}).matches({"groups": ("a", "vip")})
    assert parse_match({"groups": "unknown"}).matches({"groups": ()})


def test_no_conditions_match_everything_and_the_usual_failures_are_three() -> None:
    assert EVERYTHING.matches({})
    assert [FAILED.matches({"status": s}) for s in ("Failed", "Undelivered", "Unsent", "Delivered", "Sent")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_equal_matches_share_a_hash_so_that_equal_questions_are_asked_once() -> None:
    assert len({parse_match({"status": "Failed"}), parse_match({"status": ["Failed"]})}) == 1


def test_an_unknown_status_is_let_through_because_the_set_is_open() -> None:
    assert parse_match({"status": "Rejected"}) == Match((Condition("status", "is", ("Rejected",)),))
    assert parse_match({"detailedStatus": "undelivered"})


@given(
    st.sampled_from(OPERATORS), st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3), st.text(max_size=4)
)
def test_is_not_is_the_opposite_of_is(operator: str, values: list[str], value: str) -> None:
    positive = Condition("label", "is", tuple(values))
    negative = Condition("label", "is_not", tuple(values))
    assert positive.matches({"label": value}) is not negative.matches({"label": value})
