"""The picture of how the cost of a poll grows shows what was measured."""

import runpy
from pathlib import Path

import msgspec
import pytest

from benchmarks.growth.growth import Growth

IMAGES = Path(__file__).parents[3] / "docs" / "images"


def test_the_picture_shows_the_figures() -> None:
    lines = msgspec.json.decode((IMAGES / "growth.json").read_bytes(), type=list[Growth])
    drawn = runpy.run_path(str(IMAGES / "draw_growth.py"))["picture"](lines)
    assert drawn == (IMAGES / "growth.svg").read_text("utf-8"), "run python docs/images/draw_growth.py"


def test_a_slope_of_one_is_proportional_growth() -> None:
    assert Growth("rules", "nothing new", [1, 10, 100], [5.0, 2.0, 20.0]).exponent == pytest.approx(1)
    assert Growth("rules", "nothing new", [10, 100], [3.0, 3.0]).exponent == pytest.approx(0)
