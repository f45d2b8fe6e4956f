"""Thresholds: shares, numbers and changes, and what is no threshold at all."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules import Change
from monitor.rules.threshold import parse_change, parse_number, parse_share


@pytest.mark.parametrize(
    ("text", "share"), [("20%", 0.2), ("0.1 %", 0.001), ("100%", 1.0), ("12.5%", 0.125), ("7%", 0.07)]
)
def test_a_share_is_exact(text: str, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    ("value", "hint"), [(30, "30%"), (0.3, "30%"), ("30", "20%"), ("x", "20%"), (True, "20%"), (None, "20%")]
)
def test_anything_else_is_no_share_and_the_right_form_is_named(value: object, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_share(value)


@pytest.mark.parametrize("value", ["20%", "5", -1, True, None, float("inf"), float("nan")])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(ValueError):
        parse_number(value)


@pytest.mark.parametrize(
    ("text", "change", "size"),
    [
        ("3x", Change("factor", 3.0), 3.0),
        ("0.5x", Change("factor", 0.5), 0.5),
        ("+25%", Change("relative", 0.25), 1.25),
        ("-25%", Change("relative", -0.25), 0.75),
        ("4 sigma", Change("sigma", 4.0), 4.0),
    ],
)
def test_a_change_has_a_form_and_an_amount(text: str, change: Change, size: float) -> None:
    assert parse_change(text) == change
    assert change.size == size
    assert parse_change(str(change)) == change


@given(st.text(max_size=10) | st.integers() | st.floats() | st.none())
def test_what_cannot_be_read_is_a_value_error(value: object) -> None:
    for parse in (parse_share, parse_number, parse_change):
        with suppress(ValueError):
            parse(value)
