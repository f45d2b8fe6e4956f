"""One measured figure, and how it is displayed."""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measurement. ``at_most`` or ``at_least`` is its promised limit, if there is one."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def kept(self) -> str:
        """Returns the limit, and whether the figure keeps it."""
        if self.at_most is not None:
            return f"{'ok' if self.value <= self.at_most else 'MISSED'}: at most {number(self.at_most)}"
        if self.at_least is not None:
            return f"{'ok' if self.value >= self.at_least else 'MISSED'}: at least {number(self.at_least)}"
        return ""


def number(value: float) -> str:
    """Returns the number with three digits and separated thousands."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Iterable[tuple[str, Figure]]) -> str:
    """Returns figures by benchmark, as text in columns."""
    cells = [(name, one.what, number(one.value), one.unit, one.kept) for name, one in rows]
    widths = [max((len(row[i]) for row in cells), default=0) for i in range(5)]
    return "\n".join("  ".join(_cells(row, widths)).rstrip() for row in cells)


def _cells(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(width) if i == 2 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class Times:
    """The durations of several rounds, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def worst(self) -> float:
        return max(self.seconds)


def timed(call: Callable[[], object], rounds: int) -> Times:
    """Calls ``call`` ``rounds`` times. Measures processor time, so that other programs on the machine do not count."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return Times(tuple(seconds))
