"""The picture of an alert: what must be on it is, whatever the numbers are; without Pillow it says how to get it."""

import builtins
import io
import runpy
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from monitor.model.finding import Unit
from monitor.notify.render import sample_view
from monitor.notify.render.alert_chart import worth_drawing
from monitor.notify.render.chart import HEIGHT, WIDTH, NoPictures, png, problem
from monitor.notify.render.chart_scale import Scale, ticks, times
from monitor.runtime.clock import DAY, SECOND
from tests.fakes.alerts import over, rate, spike

change = msgspec.structs.replace
THRESHOLD, LINE, PAPER, USUAL = (0xC0, 0x39, 0x2B), (0x12, 0x64, 0xA3), (255, 255, 255), (0x7A, 0x7F, 0x85)
CRITICAL, RESOLVED, FIRED = (0xE0, 0x1E, 0x5A), (0x2A, 0x9D, 0x6A), (0xFD, 0xEE, 0xF2)


def colours(picture: bytes) -> dict[tuple[int, int, int], int]:
    """How many pixels have which colour."""
    image = Image.open(io.BytesIO(picture))
    assert image.format == "PNG"
    assert image.size == (2 * WIDTH, 2 * HEIGHT)
    found = image.getcolors(image.width * image.height)
    assert found
    return {colour: number for number, colour in found if isinstance(colour, tuple) and len(colour) == 3}


def test_the_course_the_threshold_and_the_last_value_are_drawn_on_white() -> None:
    seen = colours(png(rate()))
    assert max(seen, key=lambda colour: seen[colour]) == PAPER
    for colour in (LINE, THRESHOLD, CRITICAL, FIRED):
        assert seen.get(colour, 0) > 100, colour
    assert USUAL not in seen


def test_what_is_usual_is_drawn_where_it_is_known_and_what_is_over_is_green() -> None:
    assert colours(png(spike())).get(USUAL, 0) > 100
    seen = colours(png(over(rate())))
    assert seen.get(RESOLVED, 0) > 100
    assert CRITICAL not in seen


def test_a_threshold_that_nobody_knows_is_not_drawn() -> None:
    assert THRESHOLD not in colours(png(change(rate(), threshold=None)))
    assert THRESHOLD not in colours(png(change(rate(), threshold=float("nan"))))


def test_without_a_course_there_is_nothing_to_draw() -> None:
    assert worth_drawing(rate())
    for history in ((), (0.1,), (None, 0.1, None, 0.2), (None,) * 24, (float("nan"), 1e308, 0.1)):
        assert not worth_drawing(change(rate(), history=history))


def test_without_pillow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problem() == ""
    really = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.startswith("PIL"):
            raise ImportError(name)
        return really(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "routee-monitor[charts]" in problem()
    with pytest.raises(NoPictures, match=r"routee-monitor\[charts\]"):
        png(rate())


def test_without_a_font_of_the_system_there_are_letters_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.notify.render.chart._FONTS", ())
    assert colours(png(rate(labels={"operator": "Ελλάδα"})))


def test_the_command_in_the_documentation_draws_the_picture_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Path(__file__).parents[3] / "docs" / "images" / "draw_chart.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    drawn, kept = (colours((folder / "slack-chart.png").read_bytes()) for folder in (tmp_path, script.parent))
    # Fonts differ between machines: what is drawn with lines is the same.
    for colour in (FIRED, LINE):
        assert drawn[colour] == kept[colour]


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -1.0, 1e-12, 1e12, 0.2])
units: list[Unit] = ["share", "count", "seconds", "money"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.none() | numbers, min_size=0, max_size=30).map(tuple),
    st.none() | numbers,
    st.none() | numbers,
    st.sampled_from(units),
    st.text(max_size=300),
    st.none() | st.integers(30 * SECOND, 7 * DAY),
)
def test_whatever_the_numbers_are_there_is_a_picture(
    history: tuple[float | None, ...],
    threshold: float | None,
    baseline: float | None,
    unit: Unit,
    name: str,
    window: int | None,
) -> None:
    view = change(sample_view("A", "spike"), history=history, threshold=threshold, baseline=baseline)
    view = change(view, unit=unit, name=name, window=window)
    if worth_drawing(view):
        assert png(view, 120, 60).startswith(b"\x89PNG")


@given(st.floats(-1e12, 0), st.floats(0, 1e12), st.sampled_from(units))
def test_ticks_are_few_even_and_hold_every_value(low: float, high: float, unit: Unit) -> None:
    found = ticks(low, high, unit)
    assert 2 <= len(found) <= 7
    near = 1e-6 * (high - low) + 1e-9
    assert found[0] <= low + near
    assert found[-1] >= high - near
    steps = [after - before for before, after in pairwise(found)]
    assert max(steps) == pytest.approx(min(steps), rel=1e-3)
    if unit == "count" and abs(low) < 1e6:
        assert all(value == pytest.approx(round(value * 2) / 2) for value in found)


@pytest.mark.parametrize(
    ("low", "high", "unit", "expected"),
    [
        (0.0, 0.342, "share", [0, 0.1, 0.2, 0.3, 0.4]),
        (0.0, 62.0, "count", [0, 20, 40, 60, 80]),
        (0.0, 3.0, "count", [0, 1, 2, 3]),
        (0.0, 42.0, "seconds", [0, 15, 30, 45]),
        (0.0, 5000.0, "seconds", [0, 1800, 3600, 5400]),
        (0.0, 0.0, "share", [0, 0.0025, 0.005, 0.0075, 0.01]),
        (-3.0, 8.0, "money", [-5, 0, 5, 10]),
    ],
)
def test_ticks_are_numbers_that_people_count_in(low: float, high: float, unit: Unit, expected: list[float]) -> None:
    assert ticks(low, high, unit) == pytest.approx(expected)


@given(st.integers(0, 2**51), st.integers(0, 400 * DAY))
def test_times_are_few_and_within_the_span(first: int, span: int) -> None:
    found = times(first, first + span)
    assert len(found) <= 7
    assert all(first <= at <= first + span for at, _ in found)


def test_a_scale_maps_its_ends() -> None:
    scale = Scale(10, 20, 0.0, 100.0)
    assert [scale.at(value) for value in (10, 15, 20)] == [0, 50, 100]
    assert Scale(5, 5, 0.0, 100.0).at(5) == 0
