"""Pages that are decoded with the codes of texts of pages before, against the same pages decoded without."""

import gc
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routee_pages import NOW, body_of, item, status

from monitor.ingest.routee import known_texts
from monitor.ingest.routee.batch import batch_of_parts
from monitor.ingest.routee.coded_columns import combined
from monitor.ingest.routee.dates import instants
from monitor.ingest.routee.envelope import Envelope
from monitor.ingest.routee.known_texts import KnownTexts
from monitor.ingest.routee.part_columns import PartColumns
from monitor.ingest.routee.text_codes import MOST_CODES, TextCodes
from monitor.ingest.routee.tolerant import SmsPart
from monitor.ingest.routee.wire import decode_page

PADDING = "x" * known_texts.LEAST
"""A page with it is large enough to be worth known texts."""
NAMED = {"name": "Parked", "updatedDate": "2026-11-21T17:07:04Z"}
"""A status as callbacks have it."""
_PLAIN = msgspec.json.Decoder(Envelope[SmsPart], strict=False)

texts = st.sampled_from(
    ["", "\0", "x" * 257, "GR", "DE", "null", "Null", "true", "1", "ά", "a\x00b", "\\", '"', "unknown"]
)
odd: st.SearchStrategy[Any] = texts | st.sampled_from([None, 7, 0.5, True, [], {}, ["GR"], "x" * 300, "\ud800"])
FIELDS = ("operator", "country", "campaignName", "campaign", "campaignTrackingId", "label", "from", "direction")


def records(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    changes = dict.fromkeys((*FIELDS, "applicationName", "originatingService"), values) | {
        "status": st.builds(status, st.sampled_from(["Sent", "Failed", "Parked"]), reason=values)
        | st.just(NAMED)
        | values,
        "groups": st.lists(values, max_size=3) | values,
        "price": st.sampled_from([0, 0.5, "0.5", None]),
        "part": st.sampled_from([1, 2, "1", 300, None]),
        "parts": st.sampled_from([1, 2, None]),
    }
    return st.fixed_dictionaries({}, optional=changes).map(lambda changed: item(parts=2) | changed)


pages = st.lists(records(texts), min_size=1, max_size=3) | st.lists(records(odd), min_size=1, max_size=3)


def page(some: list[Any]) -> bytes:
    return body_of(*some, padding=PADDING)


def taught(*bodies: bytes) -> KnownTexts:
    """What knows the texts of those pages that are all of the documented form."""
    known = KnownTexts()
    for body in bodies:
        if known.decode(body) is None:
            try:
                parts = _PLAIN.decode(body).content
            except ValueError:
                continue
            known.learn(body, parts)
    return known


def rows_of_columns(columns: PartColumns) -> list[dict[str, object]]:
    return [*batch_of_parts(columns, instants(columns.dates())).rows()]


@settings(max_examples=200)
@given(st.lists(pages, max_size=3), pages)
def test_a_page_of_known_texts_is_the_page(before: list[list[Any]], some: list[Any]) -> None:
    found = taught(*map(page, before)).decode(page(some))
    if found is None:
        return
    envelope, columns = found
    plain = _PLAIN.decode(page(some))
    assert (envelope.number, envelope.totalElements, envelope.last) == (
        plain.number,
        plain.totalElements,
        plain.last,
    )
    expected = PartColumns(plain.content)
    assert columns.have_problems() or not expected.have_problems()
    if columns.have_problems():
        return
    if any(part.status.name and not part.status.status for part in plain.content):  # which has no code
        with pytest.raises(TypeError):
            rows_of_columns(columns)
    else:
        np.testing.assert_equal(rows_of_columns(columns), rows_of_columns(expected))


@settings(max_examples=100)
@given(st.lists(pages, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_what_a_page_says_does_not_depend_on_the_pages_before(some: list[list[Any]], chance: Any) -> None:
    alone = {i: rows_of(body_of(*records)) for i, records in enumerate(some)}  # too small for known texts
    for i in chance.choices(range(len(some)), k=2 * len(some)):
        np.testing.assert_equal(rows_of(page(some[i])), alone[i])


def rows_of(body: bytes) -> Any:
    found = decode_page(body, NOW)
    return [*found.batch.rows()], [(each.why, each.record) for each in found.rejected], found.batch.unread


def value(known: KnownTexts, name: str, body: bytes) -> list[str] | None:
    """The values of a field on a page; None if it is not decoded with known texts."""
    found = known.decode(body)
    return None if found is None else found[1].combinations().of_each(name)


def test_a_page_is_decoded_with_the_texts_of_the_one_before_and_with_new_ones() -> None:
    known = taught(page([item(), item(operator=None, groups=[])]))
    assert value(known, "operator", page([item(), item(operator=None)])) == ["Cosmote", "unknown"]
    assert value(known, "operator", page([item(operator="Nova"), item(operator="Nova")])) == ["Nova", "Nova"]
    assert value(known, "groups", page([item(groups=["a", "", "vip"]), item(groups=[])])) == ["a\x1fvip", "unknown"]


def test_a_campaign_has_one_name_whichever_field_it_comes_in() -> None:
    known = taught(page([item()]))
    some = [item(), item(campaignName=None, campaign="Easter"), item(campaign="any")]
    assert value(known, "campaign", page(some)) == ["Black Friday", "Easter", "Black Friday"]


@pytest.mark.parametrize(
    "some", [[item(), item(status=NAMED)], [item(status=NAMED)], [item(status=NAMED | {"status": ""})]]
)
def test_a_status_under_its_other_name_is_no_code(some: list[Any]) -> None:
    known = taught(page([item()]))
    with pytest.raises(TypeError):
        value(known, "status", page(some))
    assert [row["status"] for row in rows_of(page(some))[0]][-1] == "Parked"


def test_small_pages_are_not_worth_it() -> None:
    body = body_of(item())
    assert taught(body, body).decode(body) is None


def test_a_field_with_many_texts_may_have_any() -> None:
    known = taught(page([item()]))
    many = page([item(label=f"order {number}") for number in range(MOST_CODES)])
    assert known.decode(many) is None
    assert value(known, "label", many) == [f"order {number}" for number in range(MOST_CODES)]


def test_many_texts_of_a_campaign_leave_the_other_fields_coded() -> None:
    known = taught(page([item()]))
    many = page([item(campaignName=None, campaign=f"campaign {number}") for number in range(MOST_CODES)])
    assert known.decode(many) is None
    found = known.decode(page([item(campaignName=None, campaign="one"), item(operator="Nova")]))
    assert found is not None
    assert found[1].combinations().of_each("campaign") == ["one", "Black Friday"]
    assert found[1].combinations().of_each("operator") == ["Cosmote", "Nova"]


def test_codes_are_those_of_one_text_each_and_bounded() -> None:
    codes = TextCodes()
    found = [codes.code(text) for text in ("", "a", "b\0", "a", *map(str, range(1000)))]
    assert found[:4] == [0, 1, 2, 1]
    assert codes.is_full
    assert max(code for code in found if code is not None) == MOST_CODES - 1
    assert codes.texts(np.array([0, 1, 2, 3])) == ["unknown", "a", "b\ufffd", "0"]
    assert len(codes.listed()) == MOST_CODES


@given(st.lists(st.tuples(*[st.integers(0, 2**20)] * 4) | st.just((0, 0, 0, 0)), max_size=12))
def test_equal_rows_of_numbers_have_one_number(rows: list[tuple[int, ...]]) -> None:
    columns = [np.array([row[i] for row in rows], np.int64) for i in range(4)]
    of, first = combined(columns)
    different = list(dict.fromkeys(rows))
    assert of.tolist() == [different.index(row) for row in rows]
    assert [rows[position] for position in first.tolist()] == different


def test_pages_that_are_never_of_the_documented_form_are_given_up() -> None:
    odd_pages = [page([item(price="0.5", label=str(number))]) for number in range(60)]
    known = taught(*odd_pages)
    assert known.decode(page([item()])) is None


def test_old_tables_are_not_kept() -> None:
    known, before = taught(page([item()])), len(SmsPart.__subclasses__())
    for number in range(20):  # each page has so many texts to look up that the next one has a new table
        some = [item(operator=f"operator {number}")] * known_texts.LOOKED_UP
        assert value(known, "operator", page(some)) == [f"operator {number}"] * known_texts.LOOKED_UP
    gc.collect()
    assert len(SmsPart.__subclasses__()) <= before + 1
