"""The chart of a group's recent evaluations: a line that does not go on over an outage."""

import pytest

from monitor.daemon.http.evaluation_chart import ALERT_FRAME, evaluation_chart
from monitor.daemon.read.evaluations import EvaluationPoint, GroupEvaluations
from monitor.notify.render.chart_geometry import Stroke, layout
from monitor.runtime.clock import HOUR, MINUTE

SPACED = [4 * number for number in range(-10, 0)]


@pytest.mark.parametrize(
    ("minutes", "lines"),
    [
        (range(20), 1),
        ([*SPACED, *range(20)], 1),
        ([*range(20), *range(80, 100)], 2),
        ([*SPACED, *range(20), *range(200, 220), *range(300, 320)], 3),
        ([0, 1], 1),
    ],
)
def test_the_line_has_a_gap_where_evaluations_are_missing(minutes: list[int], lines: int) -> None:
    points = tuple(EvaluationPoint(HOUR * 100 + at * MINUTE, 0.1, 0.2, None, None, 10) for at in minutes)
    chart = evaluation_chart(GroupEvaluations("main", "R", {}, "share", "above", points), "UTC")
    assert chart is not None
    values = [mark for mark in layout(chart, ALERT_FRAME) if isinstance(mark, Stroke) and mark.role == "value"]
    assert len(values) == lines
