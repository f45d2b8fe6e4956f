"""Work in pieces: the same result as at once, others run in between, and what is cancelled is left."""

from collections.abc import Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from monitor.runtime.checkpoints import Pieces
from monitor.runtime.pieces import Work, at_once, listed, ordered


class Stopwatch:
    """Seconds that pass only where the test says so."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def steps(count: int, each: Callable[[int], object]) -> Work[int]:
    for number in range(count):
        each(number)
        yield
    return count


def test_at_once_does_all_of_it() -> None:
    done: list[int] = []
    assert at_once(steps(3, done.append)) == 3
    assert done == [0, 1, 2]


@pytest.mark.parametrize(("count", "pauses"), [(0, 0), (2, 1), (4, 2), (5, 2)])
def test_a_list_is_made_with_a_pause_after_so_many_items(count: int, pauses: int) -> None:
    work = listed(range(count), 2)
    assert len(list(work)) == pauses
    assert at_once(listed(range(count), 2)) == list(range(count))


@given(items=st.lists(st.tuples(st.integers(0, 3), st.integers())), most=st.integers(1, 9), reverse=st.booleans())
def test_what_is_put_in_order_in_pieces_is_as_sorted_puts_it(
    items: list[tuple[int, int]], most: int, *, reverse: bool
) -> None:
    def first(item: tuple[int, int]) -> int:
        return item[0]

    assert at_once(ordered(items, first, most, reverse=reverse)) == sorted(items, key=first, reverse=reverse)
    assert len(list(ordered(items, first, most))) == 2 * (len(items) // most)


async def test_others_run_once_a_piece_has_taken_long_enough() -> None:
    watch, order = Stopwatch(), list[object]()

    def each(number: int) -> None:
        order.append(number)
        watch.at += 0.003

    async def other() -> None:
        order.append("other")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        assert await Pieces(0.005, watch).do(steps(6, each)) == 6
    assert [number for number in order if number != "other"] == [0, 1, 2, 3, 4, 5]
    assert order.index("other") in (2, 4), "trio runs tasks that are ready in any order, so it may be the second pause"


async def test_short_work_is_done_without_a_pause() -> None:
    ran: list[str] = []

    async def other() -> None:
        ran.append("other")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await Pieces(0.005, Stopwatch()).do(steps(1_000, lambda number: None))
        assert ran == []


async def test_what_is_cancelled_is_closed_and_goes_no_further() -> None:
    done, closed = list[int](), list[bool]()

    def work() -> Work[None]:
        try:
            yield from steps(10, done.append)
        finally:
            closed.append(True)

    with trio.CancelScope() as scope:
        scope.cancel()
        await Pieces(0.0).do(work())
    assert scope.cancelled_caught
    assert (done, closed) == ([0], [True])


async def test_an_error_in_the_work_comes_out() -> None:
    def work() -> Work[None]:
        yield
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await Pieces(0.0).do(work())
