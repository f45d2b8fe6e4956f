"""The chart of a group's recent evaluations: a line that does not go on over an outage."""

import pytest

from monitor.daemon.http.evaluation_chart import ALERT_FRAME, evaluation_chart
from monitor.daemon.read.evaluations import EvaluationPoint, GroupEvaluations
from monitor.notify.render.chart_geometry import Stroke, TextMark, layout
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND

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


@pytest.mark.parametrize(("first", "later", "is_above"), [(2.0, 1.9, True), (2.2, 2.05, False)])
def test_the_name_of_the_threshold_stands_where_the_line_does_not(first: float, later: float, is_above: bool) -> None:
    days = DAY / SECOND
    values = [first * days] + [later * days] * 20
    points = tuple(
        EvaluationPoint(HOUR * 100 + n * MINUTE, value, 2 * days, None, None, 10) for n, value in enumerate(values)
    )
    chart = evaluation_chart(GroupEvaluations("main", "LowBalance", {}, "seconds", "below", points), "UTC")
    assert chart is not None
    marks = list(layout(chart, ALERT_FRAME))
    [name] = [mark for mark in marks if isinstance(mark, TextMark) and mark.role == "threshold"]
    [threshold] = [mark for mark in marks if isinstance(mark, Stroke) and mark.role == "threshold"]
    assert (name.y < threshold.points[0][1]) == is_above
