"""A step beside its floor, as figures."""

from benchmarks.figure import Figure


def compared(what: str, floor: str, here: float, least: float, unit: str) -> list[Figure]:
    """Returns what a step takes, what its floor takes, and the ratio."""
    return [
        Figure(what, here, unit),
        Figure(f"{what}, the floor: {floor}", least, unit),
        Figure(f"{what}, against the floor", here / least, "times"),
    ]
