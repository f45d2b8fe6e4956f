"""How often Python looks for cyclic garbage: rarely while a command starts, because nearly all that it makes then stays, and not at its end."""

import gc
from typing import Final

_USUAL: Final = gc.get_threshold()
_AT_START: Final = 200_000
"""More objects than the start of a command makes; looking through them again and again took a tenth of its time."""


def collect_rarely() -> None:
    """Looks for garbage after many new objects only. Commands that end soon never come to it."""
    gc.set_threshold(_AT_START, *_USUAL[1:])


def collect_as_usual() -> None:
    """Looks as often as Python does by itself, but not among what there is already, all of which stays: for what runs until it is stopped."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


def collect_no_more() -> None:
    """Leaves what there is to the end of the process, where Python would look through all of it several times more: a fifth of a command's time."""
    gc.freeze()
