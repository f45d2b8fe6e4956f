"""One measured figure, and how it is displayed."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measurement. ``at_most`` or ``at_least`` is its promised limit, if there is one.

    ``least`` and ``most`` are of the rounds of which ``value`` is the median, where there were several.
    """

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    least: float | None = None
    most: float | None = None

    @property
    def kept(self) -> str:
        """Returns the limit, and whether the figure keeps it."""
        if self.at_most is not None:
            return f"{'ok' if self.value <= self.at_most else 'MISSED'}: at most {number(self.at_most)}"
        if self.at_least is not None:
            return f"{'ok' if self.value >= self.at_least else 'MISSED'}: at least {number(self.at_least)}"
        return ""

    @property
    def spread(self) -> str:
        """Returns the least and the most of several rounds; empty if there was one."""
        return "" if self.least is None or self.most is None else f"({number(self.least)} to {number(self.most)})"


def median_of(
    what: str, rounds: Sequence[float], unit: str, *, at_most: float | None = None, at_least: float | None = None
) -> Figure:
    """Returns the median of several rounds, with their spread. ``rounds`` must not be empty."""
    return Figure(what, statistics.median(rounds), unit, at_most, at_least, min(rounds), max(rounds))


def number(value: float) -> str:
    """Returns the number with three digits and separated thousands."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: Iterable[tuple[str, Figure]]) -> str:
    """Returns figures by benchmark, as text in columns."""
    cells = [(name, one.what, number(one.value), one.spread, one.unit, one.kept) for name, one in rows]
    widths = [max((len(row[i]) for row in cells), default=0) for i in range(6)]
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
    def milliseconds(self) -> tuple[float, ...]:
        return tuple(1e3 * one for one in self.seconds)


def timed(call: Callable[[], object], rounds: int) -> Times:
    """Calls ``call`` ``rounds`` times. Measures processor time, so that other programs on the machine do not count."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return Times(tuple(seconds))
