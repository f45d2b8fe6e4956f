"""What is kept and shown of recipients' numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.message import batch_of
from monitor.privacy import Mode, Privacy, mask

NUMBERS = st.one_of(st.from_regex(r"\+?[0-9]{1,16}", fullmatch=True), st.text(max_size=20), st.just("unknown"))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+306912345678", "+30691•••••78"),
        ("306912345678", "30691•••••78"),
        ("+123456789", "+12345••89"),
        ("+12345678", "+••••••78"),
        ("12345", "•••45"),
        ("+12", "+••"),
        ("7", "•"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_masked_numbers(number: str, shown: str) -> None:
    assert mask(number) == shown


@given(NUMBERS)
def test_a_mask_keeps_the_length_and_hides_what_identifies(number: str) -> None:
    shown = mask(number)
    assert len(shown) == len(number)
    digits = number.removeprefix("+")
    if number != "unknown" and len(digits) > 2:
        assert shown.count("•") >= len(digits) - 7
        assert "•" in shown


@given(st.lists(NUMBERS, max_size=5))
def test_many_are_treated_as_one_each(numbers: list[str]) -> None:
    privacy = Privacy("mask", b"k" * 32)
    assert privacy.texts(numbers) == [mask(number) for number in numbers]
    assert privacy.hashes(numbers).tolist() == [privacy.hash(number) for number in numbers]


def test_modes_differ_in_what_is_shown_only() -> None:
    number = "+306912345678"
    shown = {mode: Privacy(mode, b"key").texts([number])[0] for mode in ("mask", "hash", "show")}
    assert shown == {"mask": "+30691•••••78", "hash": "••••••••", "show": number}
    assert len({Privacy(mode, b"key").hash(number) for mode in ("mask", "hash", "show")}) == 1


def test_without_the_key_a_number_cannot_be_tried_out() -> None:
    assert Privacy("mask", b"one").hash("+306912345678") != Privacy("mask", b"two").hash("+306912345678")


def test_different_numbers_of_the_same_look_have_different_hashes() -> None:
    one, two = "+306910000078", "+306919999978"
    assert mask(one) == mask(two)
    assert Privacy(key=b"key").hash(one) != Privacy(key=b"key").hash(two)


@pytest.mark.parametrize(
    ("mode", "shown"), [("mask", "+30691•••••78"), ("hash", "••••••••"), ("show", "+306912345678")]
)
def test_who_writes_to_us_is_a_person_whose_number_is_treated_as_those_of_recipients(mode: Mode, shown: str) -> None:
    sender = {"messageId": "m", "date": 1, "from": "+306912345678"}
    batch = batch_of([sender | {"direction": "Inbound"}, sender | {"direction": "Outbound", "from": "+3021010101010"}])
    assert Privacy(mode).field(batch, "from") == [shown, "+3021010101010"], "our own numbers stay as they are"
    assert Privacy(mode).field(batch, "country") == ["unknown", "unknown"]
