"""A storm is worked out in pieces: none of them is longer because more alerts begin or end at once. Work is counted, not timed."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.alerts.kinds.result import FEW as FEW_GROUPS
from monitor.config.rules import rule_of
from monitor.model.batch import batch_of
from monitor.runtime.clock import MINUTE, SECOND, Instant
from monitor.store.protocol import Cursor
from monitor.window import Window, WindowReader
from tests.fakes.counted_work import work_in_pieces

NOW: Instant = 1_795_280_824 * SECOND
EVERY = 30 * SECOND
FEW, MANY = 600, 1_200
COUNT: dict[str, Any] = {"name": "Bad", "kind": "count", "by": ["label"], "window": "1h", "above": 0}


class Storm:
    """An account with so many groups, a message each, of a rule over failed messages."""

    def __init__(self, groups: int, **rule: Any) -> None:
        self.groups = groups
        self.rule = rule_of(COUNT | {"match": {"status": ["Failed"]}} | rule)
        self.evaluator = RuleEvaluator(Window("main"), [self.rule], ["all"])
        self.evaluator.coverage.every = {"all": EVERY}
        self.report("Failed", NOW - MINUTE)

    def report(self, status: str, at: Instant) -> None:
        rows = [{"messageId": f"m{i}", "label": f"L{i}", "date": at, "status": status} for i in range(self.groups)]
        self.evaluator.window.upsert(batch_of(rows), "all")

    def poll(self, at: Instant) -> list[int]:
        """Evaluates and applies; returns how much work each piece of the evaluation was."""
        cursor = Cursor("main", "all", at, 0)
        result, pieces = work_in_pieces(self.evaluator.evaluating(cursor))
        assert not result.errors
        self.evaluator.apply(result, cursor)
        return pieces

    def states(self) -> set[str]:
        return {alert.state for alert in self.evaluator.alerts.get("Bad", {}).values()}


def begin(storm: Storm) -> list[int]:
    return storm.poll(NOW)


def end(storm: Storm) -> list[int]:
    storm.poll(NOW)
    assert storm.states() == {"firing"}
    storm.report("Delivered", NOW)
    pieces = storm.poll(NOW + EVERY)
    assert storm.states() == {"resolved"}
    return pieces


def end_after_downtime(storm: Storm) -> list[int]:
    storm.poll(NOW)
    storm.report("Delivered", NOW)
    pieces = storm.poll(NOW + 2 * MINUTE)
    assert storm.states() == {"firing"}, "it fires on"
    return pieces


@pytest.mark.parametrize(
    ("what", "rule"),
    [
        (begin, {}),
        (end, {}),
        (begin, {"limit": 300}),
        (end_after_downtime, {"keep_firing_for": "1h"}),
    ],
)
def test_no_piece_of_an_evaluation_grows_with_the_storm(
    what: Callable[[Storm], list[int]], rule: dict[str, Any]
) -> None:
    few, many = what(Storm(FEW, **rule)), what(Storm(MANY, **rule))
    assert sum(many) > 1.8 * sum(few)
    assert max(many) < 1.5 * max(few)


class ComparedCodes(NDArray[np.int64] if TYPE_CHECKING else np.ndarray):  # type: ignore[misc]  # only at run time it is a class
    """Codes that count how many of them are compared."""

    compared = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        ComparedCodes.compared += self.size
        plain = [one.view(np.ndarray) if isinstance(one, ComparedCodes) else one for one in inputs]
        return getattr(ufunc, method)(*plain, **options)


def test_to_look_for_each_group_of_a_result_does_not_compare_each_with_each() -> None:
    storm = Storm(MANY)
    found = evaluate(storm.rule, EvaluationInput(WindowReader(storm.evaluator.window), NOW, 0))
    names = [finding.group for finding in found.breaching()]
    counted = replace(found, codes=found.codes.view(ComparedCodes))
    ComparedCodes.compared = 0
    assert [counted.of(name).group for name in names] == names
    assert MANY <= ComparedCodes.compared <= (FEW_GROUPS + 1) * MANY
