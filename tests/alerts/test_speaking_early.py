"""What messages that are still to be read can do to a value that is over its threshold; docs/decisions/0059-what-a-first-start-reads.md."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant
from monitor.window import Window, WindowReader

NOW: Instant = 20_000 * DAY
KINDS: dict[str, dict[str, Any]] = {
    "count": {"kind": "count", "above": 0},
    "count of failed": {"kind": "count", "above": 0, "match": {"status": "Failed"}},
    "stuck": {"kind": "stuck", "older_than": "1m", "above": 0},
    "cost": {"kind": "cost", "above": 0.001, "min_priced": "0%"},
    "distinct": {"kind": "distinct", "field": "from", "above": 0},
}
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.integers(0, 12 * 60).map(lambda minutes: NOW - minutes * MINUTE),
            "status": st.sampled_from(["Delivered", "Failed", "Queued", "Sent"]),
            "price": st.sampled_from([0.1, 0.2]),
            "from": st.sampled_from("abc"),
        }
    ),
    max_size=8,
)


def value(kind: str, rows: list[dict[str, Any]]) -> float:
    window = Window("main")
    window.upsert(batch_of(rows), "all")
    rule = rule_of({"name": "Early", "window": "10h"} | KINDS[kind])
    found = evaluate(rule, EvaluationInput(WindowReader(window), NOW, NOW - 10 * HOUR))
    return float(found.value[0]) if len(found) else 0.0


@pytest.mark.parametrize("kind", KINDS)
@given(MESSAGES, st.integers(1, 12 * 60))
def test_messages_of_one_part_that_are_still_to_be_read_only_add(
    kind: str, messages: list[dict[str, Any]], read: int
) -> None:
    rows = [{"messageId": f"m{n}"} | one for n, one in enumerate(messages)]
    seen = [row for row in rows if row["date"] >= NOW - read * MINUTE]
    assert not seen or value(kind, seen) <= value(kind, rows) + 1e-9


@pytest.mark.parametrize("kind", ["stuck", "cost", "distinct"])
def test_a_part_that_is_still_to_be_read_may_take_a_message_away_so_these_kinds_wait(kind: str) -> None:
    usual = {"messageId": "m", "parts": 2, "price": 0.1, "from": "a"}
    seen = usual | {"smsId": "s1", "part": 1, "date": NOW - HOUR, "status": "Queued"}
    unread = usual | {"smsId": "s2", "part": 2, "date": NOW - 11 * HOUR, "status": "Failed"}
    assert value(kind, [seen]) > value(kind, [seen, unread]) == 0
    assert not rule_of({"name": "Early", "window": "10h"} | KINDS[kind]).speaks_early
