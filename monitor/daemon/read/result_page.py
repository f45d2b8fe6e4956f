"""One page of a long list."""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from monitor.daemon.read.fields import read_model

MOST: Final = 200
"""The most rows of a page."""

T = TypeVar("T")


@read_model
class ResultPage(Generic[T]):
    """A part of a list."""

    items: tuple[T, ...]
    """The rows from `offset` on, at most `limit` of them."""
    total: int
    """The number of rows in all."""
    offset: int
    """The number of rows that were left out before the first of these."""
    limit: int
    """The most rows of this page."""

    @property
    def has_more(self) -> bool:
        """Returns whether rows follow."""
        return self.offset + len(self.items) < self.total


def listed(rows: Sequence[T], offset: int = 0, limit: int = MOST) -> ResultPage[T]:
    """Returns the page of ``rows`` that begins at ``offset``."""
    return ResultPage(tuple(rows[offset : offset + limit]), len(rows), offset, limit)
