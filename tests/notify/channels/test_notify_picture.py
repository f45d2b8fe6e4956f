"""The picture of the alert in the documentation shows what is really sent."""

import json
import runpy
from pathlib import Path

from tests.golden import FOLDER

IMAGES = Path(__file__).parents[3] / "docs" / "images"


def test_the_picture_is_drawn_from_the_golden_message() -> None:
    draw = runpy.run_path(str(IMAGES / "draw.py"))["draw"]
    drawn = draw(json.loads((FOLDER / "slack.json").read_text(encoding="utf-8")))
    assert drawn == (IMAGES / "slack-alert.svg").read_text(encoding="utf-8"), "run python docs/images/draw.py"
