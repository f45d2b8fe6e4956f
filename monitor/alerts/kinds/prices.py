"""Decides whether enough prices are known to say what was spent: a price that Routee leaves out is not zero."""

import numpy as np
from numpy.typing import NDArray

from monitor.model.plurals import number, percent, plural
from monitor.window import Codes


def are_few(priced: Codes, missing: Codes, least: float) -> NDArray[np.bool_]:
    """Returns where less than the share ``least`` of the messages that should have a price has one."""
    return np.asarray(priced < least * (priced + missing) - 1e-9)


def too_few(priced: int, missing: int, least: float) -> str:
    """Returns that there are too few prices, in words."""
    if not priced + missing:
        return "not enough data: no messages"
    return f"not enough data: {number(priced)} of {plural(priced + missing, 'message')} have a price, min_priced is {percent(least)}"
