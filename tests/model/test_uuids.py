"""Message ids as numbers."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.uuids import Uuids, halves_of, octets_of_one

ID = "c3d0fcd2-4d55-4b43-9c5a-0a3a56e4b3a1"


@given(st.lists(st.uuids(version=4), min_size=1, max_size=9))
def test_the_numbers_of_uuids_are_their_128_bits(ids: list[uuid.UUID]) -> None:
    found = Uuids.of([str(one) for one in ids])
    assert found is not None
    assert list(found) == [str(one) for one in ids]
    high, low = (half.tolist() for half in found.halves)
    assert [first << 64 | second for first, second in zip(high, low, strict=True)] == [one.int for one in ids]


@pytest.mark.parametrize(
    "other",
    [
        None,
        "",
        "x",
        ID.upper(),
        ID[:-1],
        ID + "1",
        ID.replace("-", ""),
        ID[:-1] + "g",
        ID[:-1] + "é",
        ID[:14] + "0000" + ID[18:],
    ],
)
def test_a_page_with_any_other_id_has_no_uuids(other: str | None) -> None:
    assert Uuids.of([ID]) is not None
    assert Uuids.of([ID, other]) is None
    assert Uuids.of([other]) is None
    assert other is None or octets_of_one(other) is None


def test_dashes_that_another_id_has_instead_do_not_make_two_of_them_usual() -> None:
    moved = ID.replace("-", "", 1) + "-"
    assert len(moved) == len(ID)
    assert Uuids.of([moved]) is None
    assert Uuids.of([ID[:-1], "0" + ID]) is None


def test_each_other_id_has_the_bytes_that_are_given_for_it() -> None:
    high, low = halves_of([ID, "other"], lambda text: text.encode().rjust(16, b"\0"))
    assert int(high[0]) << 64 | int(low[0]) == uuid.UUID(ID).int
    assert (int(high[1]), int(low[1])) == (0, int.from_bytes(b"other"))
