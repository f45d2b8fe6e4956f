"""Draws slack-chart.png, the picture that goes into the thread of an alert: as monitor.notify.render.chart draws it for a sample.

python docs/images/draw_chart.py [folder]
"""

import sys
from pathlib import Path

from monitor.model.notification import AlertView
from monitor.notify.render import sample_view
from monitor.notify.render.chart import png

HERE = Path(__file__).parent
PICTURE = "slack-chart.png"


def sample() -> AlertView:
    """The alert of the README's picture."""
    return sample_view("OperatorFailureRate", "rate", ["operator", "country"])


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / PICTURE).write_bytes(png(sample()))
