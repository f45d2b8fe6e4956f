"""Delivery by country and operator as the rows of a heat map: the largest first, the rest summed up."""

from collections.abc import Iterable, Mapping
from typing import Final

from monitor.daemon.read.delivery import DeliveryMap
from monitor.runtime.dataclass import dataclass

MOST: Final = 12
"""The most countries, and the most operators of a country, that a heat map names."""
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class HeatCell:
    """Messages, and the part of them with a final status."""

    messages: int = 0
    final: int = 0
    delivered: int = 0

    @property
    def share(self) -> float | None:
        """The share of the final messages that was delivered; None without any."""
        return self.delivered / self.final if self.final else None

    @property
    def step(self) -> str:
        """The class of its colour: ``h5`` (95% and more delivered) to ``h0`` (under half); ``none`` if nothing is known."""
        share = self.share
        return "none" if share is None else f"h{sum(share >= least for least in _STEPS)}"

    def __add__(self, other: "HeatCell") -> "HeatCell":
        return HeatCell(self.messages + other.messages, self.final + other.final, self.delivered + other.delivered)


_STEPS: Final = (0.5, 0.65, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One country, in all and by operator."""

    country: str
    all: HeatCell
    operators: tuple[tuple[str, HeatCell], ...]


def heat_rows(found: DeliveryMap) -> list[HeatRow]:
    """Returns a row for each country, and one for all further countries together."""
    by_country: dict[str, dict[str, HeatCell]] = {}
    for cell in found.cells:
        by_country.setdefault(cell.country, {})[cell.operator] = HeatCell(cell.messages, cell.final, cell.delivered)
    totals = {country: _sum(cells.values()) for country, cells in by_country.items()}
    return [HeatRow(name, cell, _largest(by_country.get(name, {}))) for name, cell in _largest(totals)]


def _largest(cells: Mapping[str, HeatCell]) -> tuple[tuple[str, HeatCell], ...]:
    """Returns the cells with the most messages, the largest first, then the sum of the others as `OTHER`."""
    ordered = sorted(cells.items(), key=lambda one: (-one[1].messages, one[0]))
    rest = [cell for _, cell in ordered[MOST:]]
    return (*ordered[:MOST], *([(OTHER, _sum(rest))] if rest else []))


def _sum(cells: Iterable[HeatCell]) -> HeatCell:
    return sum(cells, start=HeatCell())
