"""Money, latency, different values and first-seen times against naive oracles."""

from collections.abc import Iterable
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.batch import batch_of
from monitor.model.message import FINAL
from monitor.window import Query, Window, WindowReader
from monitor.window.aggregates import distinct, percentiles, sums
from tests.fakes.rounds import rounds

OPERATORS = ("Cosmote", "Vodafone", "Wind")

messages = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.integers(1, 9),
            "status": st.sampled_from(["Sent", "Delivered", "Failed"]),
            "operator": st.sampled_from(OPERATORS),
            "from": st.sampled_from(["Shop", "Bank", None]),
            "to": st.sampled_from(["+306912345678", "+306912345679", None]),
            "latency": st.sampled_from([None, 0.0, 3.0, 3.217, 90.5, 2e6]),
            "price": st.none() | st.sampled_from([0.045, 0.1, 0.2, 1_000_000.25]),
        }
    ),
    max_size=40,
)


def window_of(rows: Iterable[dict[str, Any]], later: Iterable[dict[str, Any]] = ()) -> Window:
    window = Window("main")
    for reports in (rows, later):
        window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(reports)]), "all")
    return window


def of_group(rows: list[dict[str, Any]], operator: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["operator"] == operator and 2 < row["date"] <= 8]


QUESTION = Query(2, 8, ("operator",))


@given(messages, st.sampled_from([1, 50, 90, 95, 99.9, 100]))
@settings(max_examples=rounds(100, else_=40), deadline=None)
def test_a_percentile_is_the_nearest_rank(rows: list[dict[str, Any]], percent: float) -> None:
    reading = WindowReader(window_of(rows))
    found = percentiles(reading, QUESTION, percent)
    expected = {}
    for operator in OPERATORS:
        known = sorted(row["latency"] for row in of_group(rows, operator) if row["latency"] is not None)
        if known:
            expected[operator] = (known[max(ceil(round(len(known) * percent, 6) / 100), 1) - 1], len(known))
    names = [reading.labels(("operator",), int(code))[0] for code in found.codes]
    assert dict(zip(names, zip(found.values, found.counts, strict=True), strict=True)) == expected


@given(messages)
@settings(max_examples=rounds(60, else_=24), deadline=None)
def test_money_is_summed_exactly_in_any_order(rows: list[dict[str, Any]]) -> None:
    found, reading = sums(WindowReader(window_of(rows)), QUESTION), WindowReader(window_of(rows))
    for code, value, count in zip(found.codes, found.values, found.counts, strict=True):
        (operator,) = reading.labels(("operator",), int(code))
        prices = [round(row["price"] * 10**9) for row in of_group(rows, operator) if row["price"] is not None]
        assert (value, count) == (sum(prices) / 10**9, len(prices))
    assert len(found.codes) == len({row["operator"] for row in rows if 2 < row["date"] <= 8})


@pytest.mark.parametrize("field", ["from", "to", "status"])
@given(rows=messages)
@settings(max_examples=rounds(40, else_=16), deadline=None)
def test_different_values_are_counted_once_and_unknown_is_none(field: str, rows: list[dict[str, Any]]) -> None:
    reading = WindowReader(window_of(rows))
    found = distinct(reading, QUESTION, field)
    names = [reading.labels(("operator",), int(code))[0] for code in found.codes]
    expected = {
        operator: len({row[field] for row in of_group(rows, operator)} - {None})
        for operator in OPERATORS
        if of_group(rows, operator)
    }
    assert dict(zip(names, found.counts, strict=True)) == expected


@given(messages, st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["Sent", "Delivered"])), max_size=40))
@settings(max_examples=rounds(80, else_=32), deadline=None)
def test_first_seen_and_pending_then(rows: list[dict[str, Any]], changes: list[tuple[int, str]]) -> None:
    later = [row | {"date": date, "status": status} for row, (date, status) in zip(rows, changes, strict=False)]
    reading = WindowReader(window_of(rows, later))
    for pending_at in (None, 5, 12):
        question = Query(2, 8, seen=True, pending_at=pending_at)
        expected = 0
        for number, row in enumerate(rows):
            reports = [row, *later[number : number + 1]]
            last = max(reports, key=lambda r: (r["date"], ["Sent", "Delivered", "Failed"].index(r["status"])))
            pending = pending_at is None or last["status"] not in FINAL or last["date"] > pending_at
            expected += 2 < min(r["date"] for r in reports) <= 8 and pending
        assert reading.tally(question).at(reading.tally(question).codes).sum() == expected
        assert len(reading.rows(question)) == expected


def test_the_slower_ones_are_those_whose_latency_is_given() -> None:
    rows = [{"date": 5, "operator": "Wind", "latency": latency} for latency in (None, 1.0, 30.0, 30.5)]
    reading = WindowReader(window_of(rows))
    assert reading.tally(Query(0, 9, slower=30.0)).counts.tolist() == [1]
    assert reading.tally(Query(0, 9)).counts.tolist() == [4]


def test_nothing_has_no_measures() -> None:
    reading = WindowReader(Window("main"))
    assert not len(sums(reading, QUESTION).codes)
    assert not len(percentiles(reading, QUESTION, 95).codes)
    assert not len(distinct(reading, QUESTION, "to").codes)
