"""Draws growth.svg, the picture in docs/performance.md: how the cost of a poll grows. It shows the figures in growth.json.

python docs/images/draw_growth.py            draws
python docs/images/draw_growth.py --measure  measures first (some minutes on a quiet machine), and writes growth.json
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from math import floor, log10
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.growth.growth import Growth, grown  # noqa: E402 - the folder has to be on the path first

FIGURES = Path(__file__).with_name("growth.json")
PICTURE = Path(__file__).with_name("growth.svg")

WIDTH, HEIGHT, PANEL, GAP = 980, 340, 270, 40
LEFT, TOP, BOTTOM = 56, 44, 262
SANS = "-apple-system, 'Segoe UI', Lato, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
INK, FAINT, EDGE = "#1d1c1d", "#616061", "#dddddd"
COLOURS = ("#1264a3", "#e01e5a")
TITLES = {
    "messages": "messages, 20 rules",
    "rules": "rules, a million messages",
    "groups": "groups, 20 rules, half a million messages",
}


def picture(lines: list[Growth]) -> str:
    """The whole: a panel for each thing that grows, with the same scale of time."""
    times = [cost for one in lines for cost in one.milliseconds]
    low, high = floor(log10(min(times))), floor(log10(max(times))) + 1
    panels = [list(some) for _, some in groupby(lines, lambda one: one.panel)]
    drawn = "".join(line for i, some in enumerate(panels) for line in panel(LEFT + i * (PANEL + GAP), some, low, high))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{SANS}" role="img" '
        'aria-label="The processor time of a poll by messages, rules and groups, on logarithmic scales">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{"".join(legend(panels[0]))}{drawn}</svg>\n'
    )


def legend(lines: list[Growth]) -> Iterator[str]:
    """What the colours are, and the unit."""
    yield text(LEFT - 44, 22, "ms of the processor a poll", FAINT)
    for i, (one, colour) in enumerate(zip(lines, COLOURS, strict=True)):
        x = 320 + i * 260
        yield f'<rect x="{x}" y="16" width="22" height="4" fill="{colour}"/>'
        yield text(x + 30, 22, f"a poll with {one.line}", INK)


def panel(x: float, lines: list[Growth], low: int, high: int) -> Iterator[str]:
    """One panel with its axes."""
    sizes = lines[0].sizes

    def across(size: float) -> float:
        return x + PANEL * log10(size / sizes[0]) / log10(sizes[-1] / sizes[0])

    def down(cost: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (log10(cost) - low) / (high - low)

    for power in range(low, high + 1):
        y = down(10**power)
        yield f'<line x1="{x}" y1="{y:.1f}" x2="{x + PANEL}" y2="{y:.1f}" stroke="{EDGE}"/>'
        yield text(x - 6, y + 4, f"{10**power:g}", FAINT, "end")
    for size in sizes:
        yield text(across(size), BOTTOM + 20, short(size), FAINT, "middle")
    yield text(x + PANEL / 2, BOTTOM + 46, TITLES[lines[0].panel], INK, "middle")
    for one, colour, aside in zip(lines, COLOURS, (-8, 18), strict=True):
        points = [(across(size), down(cost)) for size, cost in zip(one.sizes, one.milliseconds, strict=True)]
        way = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
        yield f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for (left, top), cost in zip(points, one.milliseconds, strict=True):
            yield f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{colour}"><title>{cost:.3g} ms</title></circle>'
        yield text(points[-1][0], points[-1][1] + aside, f"{one.milliseconds[-1]:.3g}", colour, "end")


def text(x: float, y: float, inner: str, fill: str, anchor: str = "start") -> str:
    """A line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" fill="{fill}" text-anchor="{anchor}">{inner}</text>'


def short(size: int) -> str:
    """A number on the axis."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return str(size)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(grown(quick=False))) + b"\n")
    PICTURE.write_text(picture(msgspec.json.decode(FIGURES.read_bytes(), type=list[Growth])), "utf-8")
