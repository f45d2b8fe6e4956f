"""Where the names of levels stand on a chart."""

import pytest

from monitor.model.finding import Unit
from monitor.model.format import amount
from monitor.notify.render.chart_geometry import FixedLine, Frame, Line, Stroke, TextMark, TimeChart, layout
from monitor.runtime.clock import HOUR

FRAME = Frame(340, 170)


def drawn(usual: float) -> tuple[TextMark, float]:
    """The name of what is usual, and the height of the threshold's line, on a scale up to 400."""
    chart = TimeChart(
        title="a chart",
        unit="count",
        since=0,
        until=HOUR,
        lines=(Line("value", [(0, 3.0), (HOUR, 332.0)]),),
        levels=(FixedLine("threshold", 20, "threshold 20"), FixedLine("baseline", usual, f"usual {usual:g}")),
    )
    marks = list(layout(chart, FRAME))
    (name,) = [mark for mark in marks if isinstance(mark, TextMark) and mark.role == "baseline"]
    (line,) = [mark for mark in marks if isinstance(mark, Stroke) and mark.role == "threshold"]
    return name, line.points[0][1]


@pytest.mark.parametrize("usual", [0.0, 4.8, 19.0, 60.0, 200.0])
def test_no_line_runs_through_the_name_of_a_level_that_is_close_to_another(usual: float) -> None:
    name, threshold = drawn(usual)
    top, base = (name.y, name.y + name.size) if name.up == "top" else (name.y - 0.8 * name.size, name.y)
    assert not top <= threshold <= base
    assert name.x + len(name.text) * name.size * 0.6 < FRAME.width - FRAME.right


def test_names_of_close_levels_at_the_bottom_stand_side_by_side() -> None:
    name, _ = drawn(4.8)
    assert name.x > FRAME.left + 6 + len("threshold 20") * name.size * 0.5


@pytest.mark.parametrize(("highest", "unit"), [(1_000_000.0, "count"), (2_000_000_000.0, "count"), (1e6, "money")])
@pytest.mark.parametrize("frame", [FRAME, Frame(760, 220, left=56, right=66, text=12)])
def test_labels_of_large_values_are_whole(highest: float, unit: Unit, frame: Frame) -> None:
    lines = (Line("value", [(0, 3.0), (HOUR, highest)]),)
    marks = list(layout(TimeChart("a chart", unit, 0, HOUR, lines, last="value"), frame))
    texts = [mark for mark in marks if isinstance(mark, TextMark)]
    labels = [mark for mark in texts if mark.across == "end"]
    assert amount(highest, unit) in [mark.text for mark in labels]
    assert all(mark.x - len(mark.text) * mark.size * 0.6 >= 0 for mark in labels)
    [last] = [mark for mark in texts if mark.role == "value"]
    assert last.x + len(last.text) * last.size * 0.7 <= frame.width


def test_labels_that_fit_leave_the_plot_where_it_is() -> None:
    marks = list(layout(TimeChart("a chart", "count", 0, HOUR, (Line("value", [(0, 3.0), (HOUR, 99.0)]),)), FRAME))
    (axis, *_) = [mark for mark in marks if isinstance(mark, Stroke) and mark.role == "axis"]
    assert [x for x, _ in axis.points] == [FRAME.left, FRAME.width - FRAME.right]
