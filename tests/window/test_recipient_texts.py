"""Codes of the texts that are shown of recipients, against texts that are made one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.privacy import Mode, RecipientMask
from monitor.window.recipient_texts import AT_ONCE, RecipientTexts

numbers = st.one_of(
    st.from_regex(r"\+[0-9]{1,16}", fullmatch=True),
    st.sampled_from(["unknown", "", "+", "+30691234567", "+30691•••567", "306912345678", "+306912345678"]),
    st.text(max_size=14),
    st.text("+•0a\x00ά\ud800", max_size=14).map(lambda text: "+" + text),
    st.sampled_from([254, 255, 256, 300]).map(lambda length: "+" + "1" * (length - 1)),
)
pages = st.lists(st.lists(numbers, max_size=12), max_size=4)
modes = st.sampled_from(["mask", "hash", "show"])


@given(st.lists(st.tuples(st.lists(numbers, max_size=12), modes), max_size=4))
def test_codes_of_pages_of_numbers_stand_for_what_each_number_is_shown_as(
    given_pages: list[tuple[list[str], Mode]],
) -> None:
    texts = RecipientTexts()
    codes: dict[str, int] = {}
    for page, mode in given_pages:
        privacy = RecipientMask(mode)
        shown = privacy.texts(page)
        found = texts.encode_numbers(page, privacy).tolist()
        assert [texts.texts[code] for code in found] == shown
        for text, code in zip(shown, found, strict=True):
            assert codes.setdefault(text, code) == code
    assert sorted(codes.values()) == list(range(len(texts)))
    assert {text: texts.code(text) for text in codes} == codes
    assert list(texts.texts) == texts.texts[:] == sorted(codes, key=codes.__getitem__)


@given(pages, numbers)
def test_texts_come_back_from_the_store_with_their_codes(given_pages: list[list[str]], other: str) -> None:
    texts, privacy, restored = RecipientTexts(), RecipientMask("mask"), RecipientTexts()
    for page in given_pages:
        texts.encode_numbers(page, privacy)
    first, unsaved = texts.unsaved()
    assert (first, len(unsaved)) == (0, len(texts))
    texts.saved(len(texts))
    assert texts.unsaved() == (len(texts), [])
    restored.restore(unsaved)
    assert list(restored.texts) == list(texts.texts)
    assert restored.unsaved() == (len(texts), [])
    (shown,) = privacy.texts([other])
    assert restored.code(shown) == texts.code(shown)
    (code,) = restored.encode_numbers([other], privacy).tolist()
    assert restored.texts[code] == shown


def test_numbers_that_look_the_same_have_one_text() -> None:
    texts, privacy = RecipientTexts(), RecipientMask("mask")
    codes = texts.encode_numbers(["+306912345678", "+306912345611", "+306912300078", "unknown"], privacy).tolist()
    assert codes[0] == codes[2]
    assert sorted(set(codes)) == [0, 1, 2]
    assert texts.encode(["+30691•••••11", "unknown"]).tolist() == [codes[1], codes[3]]


def test_a_text_that_was_never_seen_has_no_code() -> None:
    texts = RecipientTexts()
    assert texts.code("+30691•••••11") is None
    assert texts.code("unknown") is None
    with pytest.raises(IndexError):
        texts.texts[0]


def test_more_texts_than_are_read_at_once_keep_their_codes() -> None:
    stored = [f"+{number:05}•••{number % 100:02}" if number % 3 else f"{number}" for number in range(AT_ONCE + 100)]
    texts = RecipientTexts()
    texts.restore(stored)
    assert list(texts.texts) == stored
    assert texts.encode(stored).tolist() == list(range(len(stored)))
