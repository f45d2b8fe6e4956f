"""Columns that are held in fewer bytes than their values have, against plain lists."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.runtime.clock import MILLISECOND, SECOND, parse_iso
from monitor.window.compact_columns import MOST_VALUES, CodedColumn, CompactColumn, InstantColumn, LinkColumn
from monitor.window.table import ColumnTable

ROWS = 40
wholes = st.integers(-1, 3) | st.integers(-(1 << 50), 1 << 50)
whole_seconds = st.integers(946_684_800, 1_900_000_000).map(lambda seconds: seconds * SECOND)
milliseconds = st.integers(946_684_800_000, 1_900_000_000_000).map(lambda count: count * MILLISECOND)
edges = st.sampled_from([0, 1 << 32, 1 << 33]).flatmap(
    lambda edge: st.integers(edge - 1, edge).map(lambda s: s * SECOND)
)
instants = whole_seconds | milliseconds | edges | st.integers(-(1 << 60), 1 << 60)
links = st.integers(-1, ROWS - 1) | st.integers(0, (1 << 31) - 1)


def writes(values: st.SearchStrategy[int]) -> st.SearchStrategy[list[dict[int, int]]]:
    return st.lists(st.dictionaries(st.integers(0, ROWS - 1), values, min_size=1), max_size=6)


def check(make: Callable[[], CompactColumn], steps: list[dict[int, int]], at_first: int) -> CompactColumn:
    """Makes the writes in a table, one after the other, and compares every way of reading."""
    table, expected = ColumnTable({"value": make}), [at_first] * ROWS
    table.reserve(ROWS)
    for step in steps:
        rows = np.array(list(step), np.int64)
        table.write(rows, {"value": np.array(list(step.values()), np.int64)})
        for row, value in step.items():
            expected[row] = value
        column = table["value"]
        assert column[:ROWS].tolist() == expected
        assert column[rows].tolist() == list(step.values())
        assert column[rows.astype(np.int32)].tolist() == list(step.values())
        assert [int(column[row]) for row in step] == list(step.values())
        assert column[5:9].tolist() == expected[5:9]
    table.reserve(100_000)
    assert table["value"][:ROWS].tolist() == expected
    later = [
        value for step in steps[-1:] for value in step.values() if value < ROWS or value > 100_000
    ]  # no link to itself
    table.write(np.arange(99_900, 99_900 + len(later)), {"value": np.array(later, np.int64)})
    assert table["value"][99_895 : 99_900 + len(later)].tolist() == [at_first] * 5 + later
    column = table["value"]
    assert isinstance(column, CompactColumn)
    return column


@given(writes(wholes))
def test_coded_numbers_are_those_that_were_written(steps: list[dict[int, int]]) -> None:
    check(lambda: CodedColumn(np.int32), steps, 0)


@given(writes(instants))
def test_instants_are_those_that_were_written(steps: list[dict[int, int]]) -> None:
    check(InstantColumn, steps, 0)


@given(writes(links).map(lambda steps: [{row: to for row, to in step.items() if row != to} for step in steps]))
def test_links_are_those_that_were_written(steps: list[dict[int, int]]) -> None:
    check(LinkColumn, [step for step in steps if step], -1)


@settings(max_examples=5)
@given(st.integers(1, 1 << 40), st.integers(0, 2))
def test_too_many_different_numbers_are_held_as_they_are(factor: int, short: int) -> None:
    column, count = CodedColumn(np.int32), MOST_VALUES - short
    column.resize(count + 5)
    written = np.arange(count) * factor
    for part in np.array_split(np.arange(count), 3):
        column[part] = written[part]
    column[count : count + 3] = np.array([-1, factor, -1])
    assert column[:count].tolist() == written.tolist()
    assert column[count : count + 5].tolist() == [-1, factor, -1, 0, 0]


@settings(max_examples=20)
@given(st.integers(0, (1 << 32) - 1), st.integers(1, 1 << 34), st.lists(st.integers(1, 3000), min_size=1, max_size=5))
def test_many_different_numbers_are_found_again_wherever_they_come(seed: int, factor: int, sizes: list[int]) -> None:
    random, column, expected = np.random.default_rng(seed), CodedColumn(np.int32), np.zeros(3000, np.int64)
    column.resize(3000)
    for size in sizes:
        rows, values = random.permutation(3000)[:size], random.integers(-1, 2 * size, size) * factor
        column[rows] = values
        expected[rows] = values
        assert column[:3000].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("spelled", "size"),
    [("2026-11-21T17:07:04Z", 4), ("2026-11-21T17:07:04.5Z", 6), ("2026-11-21T17:07:04.000001Z", 8)],
)
def test_an_instant_takes_as_many_bytes_as_its_fraction_needs(spelled: str, size: int) -> None:
    column = InstantColumn()
    column.resize(1000)
    column[np.arange(1000)] = np.full(1000, parse_iso(spelled))
    assert column.nbytes == size * 1000


def test_few_different_numbers_take_a_byte_each_and_hundreds_two() -> None:
    column = CodedColumn(np.int32)
    column.resize(100_000)
    column[:100_000] = np.arange(100_000) % 30 * 1_000_000
    assert column.nbytes < 110_000
    column[:100_000] = np.arange(100_000) % 1000 * 1_000_000
    assert column.nbytes < 230_000


def test_links_to_near_rows_take_two_bytes_each() -> None:
    column = LinkColumn()
    column.resize(100_000)
    column[:99_999] = np.arange(1, 100_000)
    assert column.nbytes == 200_000


def test_a_value_that_no_column_can_hold_is_refused() -> None:
    table: Any = ColumnTable({"value": lambda: CodedColumn(np.int32)})
    table.reserve(1)
    with pytest.raises(ValueError, match="do not fit"):
        table.write(np.array([0]), {"value": np.array([1 << 63], np.uint64)})
