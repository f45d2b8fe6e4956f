"""What a complete poll or sweep of a search proves about messages that it did not return."""

from dataclasses import dataclass
from typing import Final

from monitor.runtime.clock import Instant

POLL: Final = "poll"
"""The name of the reads that are polls."""


@dataclass(frozen=True, slots=True)
class ReadOrigin:
    """The span that a page is of: it begins at ``since``. What the search returns for the first time was sent after ``fresh_since``."""

    since: Instant
    fresh_since: Instant


SOMEWHERE: Final = ReadOrigin(0, 0)


@dataclass(frozen=True, slots=True)
class CompleteRead:
    """A poll or sweep of one search that is complete. ``name`` tells those apart that are under way at the same time.

    ``spans`` (from, to) were read without a gap, all pages of them. ``read_at`` is when the last page had come, ``seen_to`` how far
    polls were complete by then: a status that changed after ``seen_to`` may hide a message from this read. ``certain``: the filter
    names one status, so that a message that it fits cannot have changed.
    """

    search: str
    name: str
    spans: tuple[tuple[Instant, Instant], ...]
    read_at: Instant
    seen_to: Instant
    certain: bool = False

    @property
    def is_poll(self) -> bool:
        """Whether it reaches up to the present."""
        return self.name == POLL
