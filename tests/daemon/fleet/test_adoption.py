"""Which accounts are adopted together, and that a large one or one that cannot be read hinders no other."""

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from monitor.daemon.fleet.adoption import SMALL, TOGETHER, Adoptions
from monitor.runtime.errors import StoreError


class Worker:
    """Adopts accounts, given how large they are; those in ``broken`` cannot be read. ``adopted`` are the accounts of each adoption."""

    def __init__(self, sizes: dict[str, int], broken: Sequence[str] = ()) -> None:
        self.sizes, self.broken = sizes, broken
        self.adopted: list[list[str]] = []
        self.begun: list[str] = []
        """Those that are adopted alone, in the order in which that began."""
        self.measured = 0
        self.adoptions = Adoptions(self._measure, self._together, self._alone)

    async def _measure(self, accounts: Sequence[str]) -> dict[str, int]:
        self.measured += 1
        await trio.sleep(1)
        return {one: self.sizes[one] for one in accounts}

    async def _together(self, accounts: Sequence[str], size: int) -> None:
        await trio.sleep(1)
        self._read(accounts)
        assert size == sum(self.sizes[one] for one in accounts)
        self.adopted.append(sorted(accounts))

    async def _alone(self, account: str, size: int | None) -> None:
        assert size in (None, self.sizes[account])
        self.begun.append(account)
        await trio.sleep(1 + self.sizes[account] / SMALL)
        self._read([account])
        self.adopted.append([account])

    def _read(self, accounts: Sequence[str]) -> None:
        if found := [one for one in accounts if one in self.broken]:
            raise StoreError(f"{found[0]} cannot be read")

    async def adopt_all(self) -> dict[str, StoreError]:
        """Adopts all at the same time; returns the errors."""
        failed: dict[str, StoreError] = {}

        async def adopt(account: str) -> None:
            try:
                await self.adoptions.adopt(account)
            except StoreError as error:
                failed[account] = error

        async with trio.open_nursery() as nursery:
            for account in self.sizes:
                nursery.start_soon(adopt, account)
        return failed


async def test_what_is_taken_at_the_same_time_is_adopted_at_once(autojump_clock: trio.testing.MockClock) -> None:
    accounts = [f"account{number:02}" for number in range(50)]
    worker = Worker(dict.fromkeys(accounts, 100))
    assert await worker.adopt_all() == {}
    assert worker.adopted == [accounts]
    assert worker.measured <= 2
    assert trio.current_time() <= 3


async def test_a_large_account_is_adopted_alone_and_nobody_waits_for_it(autojump_clock: trio.testing.MockClock) -> None:
    worker = Worker({"large": 100 * SMALL, "a": 1, "b": 2})
    await worker.adopt_all()
    assert worker.adopted == [["a", "b"], ["large"]]


@pytest.mark.parametrize("earliest", ["large", "huge", "small"])
async def test_of_those_that_are_adopted_alone_the_smallest_comes_first_whichever_was_taken_first(
    autojump_clock: trio.testing.MockClock, earliest: str
) -> None:
    worker = Worker({"huge": 30 * SMALL, "large": 20 * SMALL, "middle": 2 * SMALL, "small": 1})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.adoptions.adopt, earliest)
        await trio.sleep(0.5)  # it is being measured
        for account in worker.sizes.keys() - {earliest}:
            nursery.start_soon(worker.adoptions.adopt, account)
    assert worker.begun == ["small", "middle", "large", "huge"]
    assert worker.measured == 2


async def test_no_more_are_adopted_at_once_than_takes_a_moment(autojump_clock: trio.testing.MockClock) -> None:
    accounts = [f"account{number:02}" for number in range(20)]
    worker = Worker(dict.fromkeys(accounts, SMALL))
    await worker.adopt_all()
    assert sorted(one for some in worker.adopted for one in some) == accounts
    assert max(map(len, worker.adopted)) == TOGETHER // SMALL


async def test_one_that_cannot_be_read_hinders_no_other(autojump_clock: trio.testing.MockClock) -> None:
    worker = Worker({"a": 1, "b": 1, "c": 1}, broken=["b"])
    failed = await worker.adopt_all()
    assert {account: str(error) for account, error in failed.items()} == {"b": "b cannot be read"}
    assert sorted(worker.adopted) == [["a"], ["c"]]


async def test_one_whose_adoption_is_cancelled_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    worker = Worker({"a": 1, "b": 1, "c": 1})
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0.5):
            await worker.adoptions.adopt("a")
        nursery.start_soon(worker.adoptions.adopt, "b")
        nursery.start_soon(worker.adoptions.adopt, "c")
    assert worker.adopted == [["b", "c"]]


async def test_who_is_cancelled_while_several_are_adopted_leaves_the_others_to_go_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    worker = Worker({"a": 1, "b": 1, "c": 1})
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1.5):
            nursery.start_soon(worker.adoptions.adopt, "b")
            nursery.start_soon(worker.adoptions.adopt, "c")
            await worker.adoptions.adopt("a")
    assert sorted(one for some in worker.adopted for one in some if one != "a") == ["b", "c"]


@pytest.mark.parametrize("broken", [[], ["d"]])
@pytest.mark.parametrize("cancelled", ["a", "b", "c", "d"])
async def test_of_several_that_are_adopted_the_one_that_is_cancelled_strands_no_other(
    autojump_clock: trio.testing.MockClock, cancelled: str, broken: list[str]
) -> None:
    worker = Worker(dict.fromkeys("abcd", 1), broken)
    finished = []

    async def adopt(account: str) -> None:
        with trio.move_on_after(1.5 if account == cancelled else 60) as limit:
            try:
                await worker.adoptions.adopt(account)
            except StoreError:
                assert account in broken
        finished.append((account, limit.cancelled_caught))

    async with trio.open_nursery() as nursery:
        for account in "abcd":
            nursery.start_soon(adopt, account)
    assert sorted(finished) == [(account, account == cancelled) for account in "abcd"]


async def test_hundreds_of_large_accounts_line_up_at_once(autojump_clock: trio.testing.MockClock) -> None:
    worker = Worker({f"account{number}": SMALL + 500 - number for number in range(500)})
    await worker.adopt_all()
    assert worker.begun == [f"account{number}" for number in reversed(range(500))]
    assert worker.measured <= 2


@pytest.mark.parametrize("accounts", [["a"], ["a", "b"]])
async def test_a_store_that_cannot_be_asked_how_large_they_are_is_no_reason_not_to_try(
    autojump_clock: trio.testing.MockClock, accounts: list[str]
) -> None:
    worker = Worker(dict.fromkeys(accounts, 1))

    async def fail(accounts: Sequence[str]) -> dict[str, int]:
        raise StoreError("away")

    worker.adoptions = Adoptions(fail, worker._together, worker._alone)
    assert await worker.adopt_all() == {}
    assert sorted(worker.adopted) == [[one] for one in accounts]
