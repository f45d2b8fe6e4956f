"""What tells whether the journal of an account's messages is whole."""

from typing import NamedTuple


class JournalSum(NamedTuple):
    """How many entries a journal has, the checksum of the newest one, and those of all combined (exclusive or)."""

    entries: int = 0
    newest: int = 0
    all: int = 0
