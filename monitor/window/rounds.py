"""Takes values that repeat in rounds, in each of which none does."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.window.index import Keys, Rows


def rounds_of(keys: Keys) -> list[Rows | None]:
    """Returns the positions of the reports in rounds without a repeated part; [None] if all parts are different, as they mostly are."""
    hashed = keys.hashed()
    order = np.sort(hashed)
    return list(in_rounds(hashed)) if (order[1:] == order[:-1]).any() else [None]


def in_rounds(values: NDArray[Any]) -> Iterator[Rows]:
    """Yields the positions of ``values`` in rounds without a repeated value. Equal values keep their order."""
    order = np.argsort(values, kind="stable")
    first = np.concatenate([np.ones(min(len(order), 1), np.bool_), np.diff(values[order]) != 0])
    nth = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    for number in range(int(nth.max(initial=-1)) + 1):
        yield order[nth == number]
