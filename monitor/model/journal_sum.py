"""What tells whether the journal of an account's messages is whole."""

from typing import NamedTuple


class JournalSum(NamedTuple):
    """How many entries a journal has, the checksum of the newest one, and those of all combined (exclusive or).

    ``last`` is the largest number of an entry that was stored before the sum was made. As long as the journal is whole, it has an entry
    with that number or a larger one: numbers grow, and an entry is dropped only together with a new one.
    """

    entries: int = 0
    newest: int = 0
    all: int = 0
    last: int = 0
