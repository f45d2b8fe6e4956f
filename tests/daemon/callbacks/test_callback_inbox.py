"""Callbacks that wait for their commit: what they are told where it fails, is stopped, or is never made."""

import json
from collections.abc import Callable, Collection
from typing import ClassVar, TypeVar

import msgspec
import pytest
import trio
from trio.testing import MockClock

from monitor.daemon.callback_inbox import MOST_WAITING, CallbackInbox, InboxFull
from monitor.daemon.fleet.forwarded_reports import PushedReports, encode
from monitor.ingest.routee.callback import Callback, batch_of_callbacks, decode_callback
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import TrioClock
from monitor.runtime.errors import StoreError
from monitor.store.protocol import ForwardedCallback, Store
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.pushed import pushed
from tests.fakes.routee import START
from tests.fakes.written import CONFIG, settings

T = TypeVar("T")
PUSHED = CONFIG.replace("application_secret: secret", "application_secret: secret, callback_secret: shown").replace(
    "web: off\n", ""
)


class SlowFront(InlineStoreFront):
    """A store that takes ten seconds for each call."""

    async def run(self, call: Callable[[Store], T]) -> T:
        await trio.sleep(10)
        return call(self._store)


class ForwardedFront(InlineStoreFront):
    """A store with callbacks that others forwarded, which returns at most 100 at a time."""

    waiting: ClassVar[list[ForwardedCallback]]

    async def forwarded(
        self, accounts: Collection[str], limit: int, without: Collection[int] = ()
    ) -> list[ForwardedCallback]:
        return [one for one in self.waiting if one.account in accounts and one.id not in without][: min(limit, 100)]

    async def drop_forwarded(self, ids: Collection[int]) -> None:
        self.waiting[:] = [one for one in self.waiting if one.id not in ids]


def one(count: int = 1) -> Callback:
    return decode_callback(json.dumps([pushed() for _ in range(count)]).encode())


def harness(front: type[InlineStoreFront] = InlineStoreFront) -> tuple[PipelineHarness, CallbackInbox]:
    made = PipelineHarness(settings(config=PUSHED), TrioClock(START), fronted=front)
    return made, CallbackInbox(made.pipeline, made.front, RecipientMask)


def forwarded_body(callback: Callback) -> bytes:
    reports = PushedReports(batch_of_callbacks([callback], START), callback.campaigns, callback.rejected)
    return encode(reports, RecipientMask("mask", b"k" * 32))


async def test_many_callbacks_share_a_commit_that_is_on_the_disk_before_they_are_answered(
    autojump_clock: MockClock,
) -> None:
    made, inbox = harness()
    async with trio.open_nursery() as running:
        running.start_soon(inbox.run)
        async with trio.open_nursery() as asking:
            for _ in range(50):
                asking.start_soon(inbox.take, "main", one())
        [commit] = made.store.commits
        assert commit.durable
        running.cancel_scope.cancel()
    assert made.pipeline.accounts["main"].evaluator.window.messages == 50


@pytest.mark.parametrize(("stopped_after", "failures"), [(1, 0), (60, 1)])
async def test_a_commit_that_fails_or_is_stopped_is_no_success(
    stopped_after: float, failures: int, autojump_clock: MockClock
) -> None:
    made, inbox = harness(SlowFront)
    made.store.failures = failures
    errors: list[StoreError] = []

    async def ask() -> None:
        try:
            await inbox.take("main", one())
        except StoreError as error:
            errors.append(error)

    async with trio.open_nursery() as asking:
        asking.start_soon(ask)
        with trio.move_on_after(stopped_after):
            await inbox.run()
    assert len(errors) == 1


async def test_what_others_forwarded_shares_commits_and_what_is_newer_than_this_daemon_is_left(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    newer = msgspec.msgpack.encode({"form": 2, "other": "things"})
    bodies = [newer, *(forwarded_body(one()) for _ in range(50)), b"damaged", *[newer] * 200, forwarded_body(one())]
    ForwardedFront.waiting = [ForwardedCallback(number, "main", START, body) for number, body in enumerate(bodies)]
    made, inbox = harness(ForwardedFront)
    for _ in range(2):
        with trio.fail_after(10):
            await inbox.take_forwarded()
    assert made.pipeline.accounts["main"].evaluator.window.messages == 51
    assert len(made.store.commits) == 2
    assert [one.body for one in ForwardedFront.waiting] == [newer] * 201
    assert caplog.text.count("left in the store") == 1
    assert caplog.text.count("cannot be used") == 1


async def test_an_account_that_is_gone_is_no_success(autojump_clock: MockClock) -> None:
    _, inbox = harness()
    async with trio.open_nursery() as running:
        running.start_soon(inbox.run)
        with pytest.raises(StoreError):
            await inbox.take("gone", one())
        running.cancel_scope.cancel()


async def test_what_is_too_much_is_refused_at_once_and_there_is_room_again_afterwards(
    autojump_clock: MockClock,
) -> None:
    _, inbox = harness()
    async with trio.open_nursery() as running:
        many = one(1_000)
        for _ in range(MOST_WAITING // 1_000):
            running.start_soon(inbox.take, "main", many)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(InboxFull):
            await inbox.take("main", one())
        running.start_soon(inbox.run)
        await trio.sleep(1)
        await inbox.take("main", one())
        running.cancel_scope.cancel()


async def test_a_flood_is_committed_in_pieces_so_that_nothing_else_waits_long(autojump_clock: MockClock) -> None:
    made, inbox = harness()
    async with trio.open_nursery() as running:
        running.start_soon(inbox.run)
        async with trio.open_nursery() as asking:
            for _ in range(6):
                asking.start_soon(inbox.take, "main", one(500))
        assert len(made.store.commits) == 3
        running.cancel_scope.cancel()
    assert made.pipeline.accounts["main"].evaluator.window.messages == 3_000
