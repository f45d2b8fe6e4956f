"""Waits, for a limited time, for something on a real machine, whose clock a test cannot move."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, within: float = 40.0) -> T:
    """Calls ``look`` again and again, for at most ``within`` seconds; returns its first result that is true."""
    end = time.monotonic() + within  # noqa: TID251 - guards against hanging
    while not (seen := look()):
        assert time.monotonic() < end, f"waited {within:.0f} s in vain for {what}"  # noqa: TID251 - the same
        time.sleep(0.02)
    return seen
