"""The thresholds that a person would write: ``20%``, ``250``, ``45s``, ``2.5x``. Between them a threshold only pretends to be exact."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from monitor.alerts.kinds.tuning import Form, WrittenThreshold
from monitor.config.rules import Comparison
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, format_duration
from monitor.runtime.dataclass import dataclass

_STEPS: Final = (1, 2, 2.5, 5)
_LARGEST: Final = 8
"""The power of ten of the largest number."""
_SPANS: Final = (
    *(count * SECOND for count in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(count * MINUTE for count in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(count * HOUR for count in (1, 2, 3, 4, 6, 8, 12)),
    *(count * DAY for count in (1, 2, 3, 5, 7)),
)
_RISES: Final = (1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_FALLS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 0.8)


@dataclass(frozen=True, slots=True, order=True)
class Rung:
    """A threshold: its size (see `WrittenThreshold`), and how it is written."""

    size: float
    text: str


def ladder(form: Form, comparison: Comparison) -> tuple[Rung, ...]:
    """All thresholds of a form, the smallest first."""
    return tuple(sorted(_rungs(form, comparison)))


def _rungs(form: Form, comparison: Comparison) -> Iterator[Rung]:
    match form:
        case "share":
            yield from (_share(half) for half in range(1, 200) if half % 2 == 0 or not 20 < half < 180)
        case "count":
            yield from (Rung(size, f"{size:.0f}") for size in _numbers(0) if size.is_integer())
        case "money":
            yield from (Rung(size, f"{size:.10g}") for size in _numbers(-2))
        case "seconds":
            yield from (Rung(span / SECOND, format_duration(span)) for span in _SPANS)
        case "factor":
            sizes = _FALLS if comparison == "below" else (*_RISES, *_numbers(1))
            yield from (Rung(size, f"{size:.10g}x") for size in sizes)
        case "relative":
            changes = range(-95, 0, 5) if comparison == "below" else (10, 20, 25, 50, *map(int, _numbers(2)))
            yield from (Rung(1 + change / 100, f"{change:+d}%") for change in changes)
        case "sigma":
            sizes = (*(half / 2 for half in range(4, 21)), *_numbers(1))
            yield from (Rung(size, f"{size:g} sigma") for size in dict.fromkeys(sizes))


def _share(half: int) -> Rung:
    return Rung(half / 200, f"{half / 2:g}%")


def _numbers(first: int) -> Iterator[float]:
    """1, 2, 2.5 and 5 times the powers of ten."""
    for power in range(first, _LARGEST):
        yield from (round(step * 10.0**power, 9) for step in _STEPS)


def moved(
    thresholds: Sequence[WrittenThreshold], rung: Rung, rungs: Sequence[Rung], comparison: Comparison
) -> list[Rung] | None:
    """All levels of a rule when the mildest is moved to ``rung``: they keep their distances, as ratios. None if there is no room for them."""
    found = [rung]
    for level in thresholds[1:]:
        further = _beyond(found[-1], rungs, comparison)
        if not further:
            return None
        wanted = _shifted(level.form, thresholds[0].size, rung.size, level.size)
        found.append(min(further, key=lambda one: abs(one.size - wanted)))
    return found


def _beyond(rung: Rung, rungs: Sequence[Rung], comparison: Comparison) -> Sequence[Rung]:
    if comparison == "below":
        return rungs[: bisect_left(rungs, rung)]
    return rungs[bisect_right(rungs, rung) :]


def _shifted(form: Form, before: float, after: float, level: float) -> float:
    """A level moved as the mildest one is. Shares are moved by their odds, so that none leaves 0% to 100%; rises by what they add."""
    if form == "share":
        odds = _odds(after) / _odds(before) * _odds(level)
        return odds / (1 + odds)
    if form == "relative" and before > 1:
        return 1 + (after - 1) / (before - 1) * (level - 1)
    return after / before * level if before else after + level


def _odds(share: float) -> float:
    return max(share, 1e-9) / max(1 - share, 1e-9)
