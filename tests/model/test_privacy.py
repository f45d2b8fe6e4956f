"""What is kept and shown of recipients' numbers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.rules import Condition
from monitor.daemon.committer import put_rows
from monitor.model.batch import batch_of
from monitor.model.privacy import Mode, RecipientMask, mask
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from monitor.window import Query, Window, WindowReader

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
    privacy = RecipientMask("mask", b"k" * 32)
    assert privacy.texts(numbers) == [mask(number) for number in numbers]
    assert privacy.hashes(numbers).tolist() == [privacy.hash(number) for number in numbers]


def test_modes_differ_in_what_is_shown_only() -> None:
    number = "+306912345678"
    shown = {mode: RecipientMask(mode, b"key").texts([number])[0] for mode in ("mask", "hash", "show")}
    assert shown == {"mask": "+30691•••••78", "hash": "••••••••", "show": number}
    assert len({RecipientMask(mode, b"key").hash(number) for mode in ("mask", "hash", "show")}) == 1


def inbound(number: str, direction: str = "Inbound") -> dict[str, object]:
    return {
        "messageId": f"{direction}-{number}",
        "date": 1,
        "status": "Delivered",
        "from": number,
        "direction": direction,
    }


CANARY = "+306912345678"


def test_the_number_of_a_person_who_writes_is_nowhere_in_the_store(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "monitor.db")
    window = Window("main", RecipientMask("mask", store.secret("recipients")))
    window.upsert(batch_of([inbound(CANARY), inbound("+306919999978", "inbound"), inbound("Shop", "Outbound")]), "all")
    commit = Commit()
    put_rows(commit, "main", window.unsaved())
    store.commit(commit)
    store.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert "+30691•••••78#".encode() in kept
    assert b"Shop" in kept
    for digits in (CANARY[1:], CANARY[6:], "06919999978"):
        assert digits.encode() not in kept


@pytest.mark.parametrize("mode", ["mask", "hash", "show"])
def test_people_who_write_are_told_apart_and_found_by_their_number(mode: Mode) -> None:
    window = Window("main", RecipientMask(mode, b"key"))
    other = "+306919999978"
    window.upsert(batch_of([inbound(CANARY), inbound(other), inbound("Shop", "Outbound"), inbound("unknown")]), "all")
    reading, everything = WindowReader(window), Query(0, 10)
    senders = reading.split(reading.rows(everything), "from")
    assert len(senders) == 4
    assert {"Shop", "unknown"} < senders.keys()
    assert ({CANARY, other} < senders.keys()) == (mode == "show")
    for operator, values, number in (
        ("is", (CANARY,), 1),
        ("is", (CANARY, "Shop"), 2),
        ("is_not", (CANARY,), 3),
        ("is", ("+306910000078",), 0),
    ):
        assert len(reading.rows(everything.narrowed([Condition("from", operator, values)]))) == number


def test_without_the_key_a_number_cannot_be_tried_out() -> None:
    assert RecipientMask("mask", b"one").hash("+306912345678") != RecipientMask("mask", b"two").hash("+306912345678")


def test_different_numbers_of_the_same_look_have_different_hashes() -> None:
    one, two = "+306910000078", "+306919999978"
    assert mask(one) == mask(two)
    assert RecipientMask(key=b"key").hash(one) != RecipientMask(key=b"key").hash(two)
