"""Draws fleet.svg, the picture in docs/scale.md: what a worker has to do, by the number of workers. It shows the figures in fleet.json.

python docs/images/draw_fleet.py             draws
python docs/images/draw_fleet.py --simulate  simulates first, with the costs in fleet.json (some minutes), and writes it
python docs/images/draw_fleet.py --measure   measures the costs before that (half an hour on a quiet machine)
"""

import sys
from collections.abc import Callable, Iterator
from math import ceil, floor, log10
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from draw_growth import BOTTOM, EDGE, FAINT, GAP, HEIGHT, INK, LEFT, PANEL, SANS, TOP, WIDTH, short, text  # noqa: E402 - as below

from benchmarks.fleet.fleet import KEPT, Outcome, Row, outcome  # noqa: E402 - the folders have to be on the path first
from benchmarks.fleet.measure import measured  # noqa: E402 - the same

FIGURES = Path(__file__).with_name("fleet.json")
PICTURE = Path(__file__).with_name("fleet.svg")
COLOURS = dict(zip(KEPT, ("#1264a3", "#e01e5a"), strict=True))
PANELS: tuple[tuple[str, Callable[[Row], float | None]], ...] = (
    ("work of a worker, % of a core, on average", lambda row: row.cpu_mean * 100),
    ("memory of a worker, GB", lambda row: row.memory / 1e9),
    (
        "seconds until all are polled again after one died",
        lambda row: row.judged_again[0] if row.is_enough else None,
    ),
)


def picture(rows: list[Row]) -> str:
    """The whole: a panel for each thing, workers from left to right."""
    drawn = "".join(line for i, one in enumerate(PANELS) for line in panel(LEFT + i * (PANEL + GAP), rows, *one))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{SANS}" role="img" '
        'aria-label="Work, memory and recovery of a worker by the number of workers, on logarithmic scales">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{"".join(legend())}{drawn}</svg>\n'
    )


def legend() -> Iterator[str]:
    """What the colours are."""
    for i, (kept, colour) in enumerate(COLOURS.items()):
        yield f'<rect x="{LEFT + i * 260}" y="16" width="22" height="4" fill="{colour}"/>'
        yield text(LEFT + 30 + i * 260, 22, f"messages of {kept} days in the windows", INK)


def panel(x: float, rows: list[Row], title: str, of: Callable[[Row], float | None]) -> Iterator[str]:
    """One panel with its axes."""
    points = [(row.kept, row.workers, value) for row in rows if (value := of(row)) is not None]
    low, high = floor(log10(min(value for *_, value in points))), ceil(log10(max(value for *_, value in points)))

    def across(workers: int) -> float:
        return x + PANEL * (workers - 1) / 19

    def down(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (log10(value) - low) / (high - low)

    for power in range(low, high + 1):
        y = down(10**power)
        yield f'<line x1="{x}" y1="{y:.1f}" x2="{x + PANEL}" y2="{y:.1f}" stroke="{EDGE}"/>'
        yield text(x - 6, y + 4, short(10**power), FAINT, "end")
    for workers in (1, 5, 10, 15, 20):
        yield text(across(workers), BOTTOM + 20, str(workers), FAINT, "middle")
    yield text(x + PANEL / 2, BOTTOM + 46, title, INK, "middle")
    for kept, colour in COLOURS.items():
        line = [(across(workers), down(value)) for one, workers, value in points if one == kept]
        way = " ".join(f"{left:.1f},{top:.1f}" for left, top in line)
        yield f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>'
        last = [value for one, _, value in points if one == kept][-1]
        yield text(line[-1][0], line[-1][1] - 8, f"{last:,.0f}", colour, "end")


if __name__ == "__main__":
    if "--measure" in sys.argv or "--simulate" in sys.argv:
        costs = (
            measured(quick=False)
            if "--measure" in sys.argv
            else msgspec.json.decode(FIGURES.read_bytes(), type=Outcome).costs
        )
        FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(outcome(costs))) + b"\n")
    PICTURE.write_text(picture(msgspec.json.decode(FIGURES.read_bytes(), type=Outcome).rows), "utf-8")
