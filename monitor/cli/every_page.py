"""Reads Routee's pages one after the other, but never without end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final

from monitor.runtime.errors import RouteeUnavailable

if TYPE_CHECKING:
    from monitor.model.routee_query import Page

MOST: Final = 10_000
"""The most pages of one answer: 20,000,000 messages."""


async def every_page(ask: Callable[[int], Awaitable["Page"]]) -> AsyncIterator["Page"]:
    """Yields what ``ask`` returns for page 0, 1 and so on, until a page says that it is the last, or has nothing. Raises RouteeUnavailable
    where that never happens, and what ``ask`` raises."""
    for number in range(MOST):
        page = await ask(number)
        yield page
        if page.last or not (len(page.batch) or page.rejected):
            return
    raise RouteeUnavailable(f"Routee's pages have no end: page {MOST} does not say that it is the last", "paging")
