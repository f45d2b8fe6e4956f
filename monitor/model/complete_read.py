"""What a complete poll or sweep of a search proves about messages that it did not return."""

from typing import Final

from monitor.runtime.clock import Instant
from monitor.runtime.dataclass import dataclass

POLL: Final = "poll"
"""The name of the reads that are polls."""


@dataclass(frozen=True, slots=True)
class ReadOrigin:
    """What is known of a page: its span begins at ``since``, and messages that are new to the window were sent after ``fresh_since``."""

    since: Instant
    fresh_since: Instant


SOMEWHERE: Final = ReadOrigin(0, 0)
"""Nothing is known of when the messages were sent."""


@dataclass(frozen=True, slots=True)
class CompleteRead:
    """A complete poll or sweep of one search. ``name`` distinguishes reads that run at the same time.

    ``spans`` are (start, end) pairs of which all pages were read. ``read_at`` is when the last page arrived. ``seen_to`` is up to where
    polls were complete then: a status that changed after it may hide a message from this read. ``certain``: the search's filter
    names one status, so that a change of status cannot have hidden a message that still belongs to the search.
    """

    search: str
    name: str
    spans: tuple[tuple[Instant, Instant], ...]
    read_at: Instant
    seen_to: Instant
    certain: bool = False

    @property
    def is_poll(self) -> bool:
        """Whether it is a poll, which reaches up to the present."""
        return self.name == POLL
