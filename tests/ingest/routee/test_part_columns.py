"""Columns of many parts against the same parts looked at one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.routee.batch import batch_of_parts
from monitor.ingest.routee.dates import instants
from monitor.ingest.routee.part_columns import PartColumns
from monitor.ingest.routee.tolerant import SmsPart, Status, StatusReason, problem_text
from monitor.model.batch import Batch, Combinations
from monitor.model.message import CODED_FIELDS

odd_texts = st.none() | st.sampled_from(
    ["", "GR", "Cosmote", "unknown", "a\x00b", "\ud800", "x" * 300, "ά" * 257, "\x1f"]
)
statuses = st.builds(
    Status,
    status=odd_texts,
    name=odd_texts,
    date=st.none() | st.sampled_from(["", "2026-11-21T17:07:04.123Z", "2026-11-21T17:07:04+02:00", "yesterday"]),
    updatedDate=st.none() | st.just("2026-11-20T00:00:00Z"),
    reason=st.none() | st.builds(StatusReason, odd_texts),
)
counts = st.none() | st.sampled_from([-1, 0, 1, 2, 65_535, 65_536, 2**31 - 1])
amounts = st.none() | st.sampled_from([0.0, 0.04, -1.0, 1e9, 2e9, float("nan"), float("inf")])
texts = {
    name: odd_texts
    for name in SmsPart.__struct_fields__
    if name not in ("status", "groups", "latency", "price", "part", "parts")
}
parts = st.builds(
    SmsPart,
    status=statuses,
    groups=st.none() | st.lists(odd_texts.filter(lambda text: text is not None), max_size=6),
    latency=amounts,
    price=amounts,
    part=counts,
    parts=counts,
    **texts,
)


def batch_of(some: list[SmsPart]) -> Batch:
    columns = PartColumns(some)
    return batch_of_parts(columns, instants(columns.dates()))


@given(st.lists(parts, max_size=8))
def test_parts_read_together_are_the_same_as_parts_read_alone(some: list[SmsPart]) -> None:
    together, alone = batch_of(some), [batch_of([part]) for part in some]
    np.testing.assert_equal(list(together.rows()), [row for one in alone for row in one.rows()])
    assert sum(one.count for one in together.unread) == sum(one.count for batch in alone for one in batch.unread)


@given(st.lists(parts, max_size=8))
def test_columns_have_a_problem_if_a_part_has_one(some: list[SmsPart]) -> None:
    assert PartColumns(some).have_problems() == any(map(problem_text, some))


@given(st.lists(parts, max_size=8))
def test_columns_have_the_dates_of_the_parts(some: list[SmsPart]) -> None:
    assert list(PartColumns(some).dates()) == [part.date for part in some]


values = st.sampled_from(["unknown", "Cosmote", "Vodafone", ""])


@given(st.lists(st.tuples(*[values] * len(CODED_FIELDS)), max_size=12))
def test_combinations_give_back_the_values_of_each_part(rows: list[tuple[str, ...]]) -> None:
    fields = {name: [row[i] for row in rows] for i, name in enumerate(CODED_FIELDS)}
    found = Combinations.of_parts(fields)
    assert {name: found.of_each(name) for name in CODED_FIELDS} == fields
    assert len(found.values["status"]) == len(set(rows))
