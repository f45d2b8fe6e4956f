"""Pages are read to their end, and never without one."""

import pytest

from monitor.cli.every_page import MOST, every_page
from monitor.model.batch import batch_of
from monitor.model.routee_query import Page
from monitor.runtime.errors import RouteeUnavailable

ROW = {"messageId": "m", "date": 1, "status": "Sent"}


async def read(last: int, empty: int) -> list[int]:
    async def ask(number: int) -> Page:
        return Page(batch_of([] if number == empty else [ROW]), number, 10**9, number == last)

    return [page.number async for page in every_page(ask)]


@pytest.mark.parametrize(("last", "empty"), [(2, -1), (-1, 2)])
async def test_the_last_page_is_the_one_that_says_so_or_has_nothing(last: int, empty: int) -> None:
    assert await read(last, empty) == [0, 1, 2]


async def test_pages_without_end_are_an_error() -> None:
    with pytest.raises(RouteeUnavailable, match=f"page {MOST}") as caught:
        await read(-1, -1)
    assert caught.value.outcome == "paging"
