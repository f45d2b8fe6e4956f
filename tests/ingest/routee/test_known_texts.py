"""Pages that are decoded with the texts of pages before, against the same pages decoded without."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routee_pages import NOW, body_of, item, status

from monitor.ingest.routee import known_texts
from monitor.ingest.routee.envelope import Envelope
from monitor.ingest.routee.known_texts import MOST_TEXTS, KnownTexts
from monitor.ingest.routee.part_columns import PartColumns
from monitor.ingest.routee.tolerant import SmsPart
from monitor.ingest.routee.wire import decode_page

PADDING = "x" * known_texts.LEAST
"""A page with it is large enough to be worth known texts."""
_PLAIN = msgspec.json.Decoder(Envelope[SmsPart], strict=False)

texts = st.sampled_from(["", "GR", "DE", "null", "Null", "true", "1", "ά", "a\x00b", "\\", '"', "unknown"])
odd: st.SearchStrategy[Any] = texts | st.sampled_from([None, 7, 0.5, True, [], {}, ["GR"], "x" * 300, "\ud800"])
FIELDS = ("operator", "country", "campaignName", "campaign", "campaignTrackingId", "label", "from", "direction")


def records(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    changes = dict.fromkeys((*FIELDS, "applicationName", "originatingService"), values) | {
        "status": st.builds(status, st.sampled_from(["Sent", "Failed", "Parked"]), reason=values) | values,
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


def columns_of(parts: Any) -> list[Any]:
    columns = PartColumns(parts)
    named = [columns.ids, columns.statuses, columns.dates(), columns.numbers(), columns.counts(), columns.recipients()]
    return [*map(list, (*named, columns.latencies(), columns.prices(), *columns.coded_texts(), columns.groups()))]


@settings(max_examples=200)
@given(st.lists(pages, max_size=3), pages)
def test_a_page_of_known_texts_is_the_page(before: list[list[Any]], some: list[Any]) -> None:
    known = taught(*map(page, before))
    found = known.decode(page(some))
    if found is not None:
        plain = _PLAIN.decode(page(some))
        assert columns_of(found.content) == columns_of(plain.content)
        assert (found.number, found.totalElements, found.last) == (plain.number, plain.totalElements, plain.last)


@settings(max_examples=100)
@given(st.lists(pages, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_what_a_page_says_does_not_depend_on_the_pages_before(some: list[list[Any]], chance: Any) -> None:
    alone = {i: rows_of(body_of(*records)) for i, records in enumerate(some)}  # too small for known texts
    for i in chance.choices(range(len(some)), k=2 * len(some)):
        np.testing.assert_equal(rows_of(page(some[i])), alone[i])


def rows_of(body: bytes) -> Any:
    found = decode_page(body, NOW)
    return [*found.batch.rows()], [(each.why, each.record) for each in found.rejected], found.batch.unread


def test_a_page_like_the_one_before_is_decoded_with_its_texts() -> None:
    first = page([item(), item(operator=None, groups=[])])
    known = taught(first)
    found = known.decode(first)
    assert found is not None
    one, other = found.content
    assert one.operator == "Cosmote"
    assert other.operator is None
    assert known.decode(page([item(messageId="other", to="+306900000000", campaign="any")])) is not None
    assert known.decode(page([item(operator="Nova")])) is None
    assert taught(first, page([item(operator="Nova")])).decode(page([item(operator="Nova", country="GR")])) is not None


def test_small_pages_are_not_worth_it() -> None:
    body = body_of(item())
    assert taught(body, body).decode(body) is None


@pytest.mark.parametrize("pages_before", [0, 4])
def test_a_field_with_many_texts_may_have_any(pages_before: int) -> None:
    alike = [page([item()])] * (pages_before + 1)
    many = page([item(label=f"order {number}") for number in range(MOST_TEXTS + 1)])
    known = taught(*alike, many, page([item()]))
    found = known.decode(page([item(label="order 4711")]))
    assert found is not None
    assert found.content[0].label == "order 4711"


def test_a_field_that_brings_new_texts_again_and_again_may_have_any() -> None:
    known = taught(*(page([item(campaignName=f"campaign {number}")]) for number in range(20)))
    assert known.decode(page([item(campaignName="yet another")])) is not None
    assert known.decode(page([item(operator="Nova")])) is None


def test_pages_that_are_never_of_the_documented_form_are_given_up() -> None:
    odd_pages = [page([item(price="0.5", label=str(number))]) for number in range(60)]
    known = taught(*odd_pages)
    assert known.decode(page([item()])) is None
