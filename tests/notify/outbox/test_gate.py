"""Sends of a daemon that shares its accounts: none begins or goes on after its lease, over a real SQLite file and under virtual time."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
import trio.testing

from monitor.notify.channels.protocol import Notifier, Outcome, Retry, Sent
from monitor.notify.outbox import Outbox, deliver
from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.clock import MILLISECOND, TrioClock
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Commit, OutboxRow, Pending
from monitor.store.sqlite import SqliteStore, open_sqlite
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.scripted_notifier import ScriptedNotifier
from tests.store.store_samples import NOW, notification

SLACK = ("ops", "slack/0")
A, B = "athens", "berlin"


class BusyFront(InlineStoreFront):
    """A store that does not get to writing down results while it ``is_busy``."""

    is_busy = False

    async def sent(self, outbox_row: int, receipt: dict[str, str], at: int) -> None:
        self._refuse_while_busy()
        await super().sent(outbox_row, receipt, at)

    async def postponed(self, outbox_row: int, error: str, next_at: int) -> None:
        self._refuse_while_busy()
        await super().postponed(outbox_row, error, next_at)

    def _refuse_while_busy(self) -> None:
        if self.is_busy:
            raise StoreError("the server does not answer")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_sqlite(tmp_path / "monitor.db", busy_timeout=MILLISECOND)) as opened:
        yield opened


@asynccontextmanager
async def delivering(
    store: SqliteStore, notifier: Notifier, front: InlineStoreFront | None = None
) -> AsyncIterator[Outbox]:
    notifiers: Mapping[tuple[str, str], Notifier] = {SLACK: notifier}
    async with trio.open_nursery() as nursery:

        async def start(task_status: trio.TaskStatus[Outbox]) -> None:
            await deliver(front or InlineStoreFront(store), notifiers, TrioClock(NOW), task_status=task_status)

        outbox = await nursery.start(start)
        outbox.gate.hold([])
        yield outbox
        outbox.stop()


def put(store: SqliteStore, outbox: Outbox, *keys: str, account: str = A) -> None:
    store.commit(Commit(outbox=[Pending("slack/0", notification(key, key), account=account) for key in keys]))
    outbox.wake()


def states(store: SqliteStore) -> dict[str, str]:
    return {row.notification.key: row.state for row in store.outbox_rows()}


async def test_only_held_accounts_are_told_of_and_others_as_soon_as_they_are_held(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier()
    async with delivering(store, slack) as outbox:
        put(store, outbox, "a")
        put(store, outbox, "b", account=B)
        outbox.gate.hold([A])
        await trio.sleep(10)
        assert slack.keys == ["a"]
        outbox.gate.hold([A, B])
        await trio.sleep(1)
        assert slack.keys == ["a", "b"]


async def test_nothing_begins_after_the_deadline_and_what_is_under_way_is_cut_off_then(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=3)
    async with delivering(store, slack) as outbox:
        outbox.gate.hold([A])
        outbox.gate.extend(4.5)
        put(store, outbox, "a1", "a2")
        await trio.sleep(60)
        assert slack.keys == ["a1", "a2"]
        assert slack.ended == ["a1"], "the second was cut off after a second and a half"
        assert states(store) == {"a1": "sent", "a2": "waiting"}
        assert not outbox.failing, "that is no failure of the channel"
        outbox.gate.extend(trio.current_time() + 4.5)
        await trio.sleep(4)
    assert slack.ended == ["a1", "a2"]
    assert states(store) == {"a1": "sent", "a2": "sent"}


async def test_a_send_outlasts_many_deadlines_as_long_as_they_are_moved(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=20)
    async with delivering(store, slack) as outbox:
        outbox.gate.hold([A])
        outbox.gate.extend(4.5)
        put(store, outbox, "a1")
        for _ in range(25):
            await trio.sleep(1)
            outbox.gate.extend(trio.current_time() + 4.5)
    assert slack.ended == ["a1"]


async def test_a_suspension_cuts_off_at_once_and_an_account_that_is_gone_alone(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=5)
    async with delivering(store, slack) as outbox:
        outbox.gate.hold([A, B])
        put(store, outbox, "a1")
        await trio.sleep(1)
        put(store, outbox, "b1", account=B)
        outbox.gate.hold([B])
        await trio.sleep(10)
        assert (slack.keys, slack.ended) == (["a1", "b1"], ["b1"])
        put(store, outbox, "b2", account=B)
        await trio.sleep(1)
        outbox.gate.suspend()
        await trio.sleep(10)
        assert (slack.keys, slack.ended) == (["a1", "b1", "b2"], ["b1"])


async def test_an_account_that_is_given_away_ends_its_sends_in_good_order(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=2)
    async with delivering(store, slack) as outbox:
        outbox.gate.hold([A])
        put(store, outbox, "a1", "a2")
        await trio.sleep(1)
        outbox.gate.close(A)
        await outbox.gate.drained(A)
        assert trio.current_time() == 2
        assert states(store) == {"a1": "sent", "a2": "waiting"}
        await trio.sleep(10)
        assert slack.keys == ["a1"]


async def test_an_account_that_is_lost_while_it_is_given_away_is_not_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    gate = AccountGate()
    gate.hold([A])
    gate.close(A)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gate.drained, A)
        with gate.handling(A):
            await trio.sleep(1)
            gate.hold([])
            await trio.testing.wait_all_tasks_blocked()
            assert not nursery.child_tasks


async def test_an_account_that_was_lost_or_is_given_away_is_not_open_after_it_was_read_anew() -> None:
    gate = AccountGate()
    gate.hold([A, B])
    with gate.read_anew(A):
        assert (gate.is_open(A), gate.since(A), gate.is_open(B)) == (False, None, True)
    assert gate.is_open(A)
    assert gate.since(A) == gate.holding == 2
    gate.close(B)
    with gate.read_anew(A), gate.read_anew(B):
        gate.hold([B])
    assert (gate.is_open(A), gate.is_open(B)) == (False, False)


async def test_an_account_that_is_given_away_while_it_is_read_anew_stays_closed() -> None:
    gate = AccountGate()
    gate.hold([A])
    with gate.read_anew(A):
        gate.close(A)
    assert (gate.is_open(A), gate.since(A)) == (False, None)


@pytest.mark.parametrize(
    ("outcome", "state", "attempts"), [(Sent({"ts": "1"}), "sent", 0), (Retry("it is not there"), "waiting", 0)]
)
async def test_what_was_sent_is_noted_however_late_and_what_failed_is_left_to_the_next_holder(
    outcome: Outcome, state: str, attempts: int, store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack, front = ScriptedNotifier(script=[outcome]), BusyFront(store)
    async with delivering(store, slack, front) as outbox:
        outbox.gate.hold([A, B])
        front.is_busy = True
        put(store, outbox, "a")
        await trio.sleep(20)
        assert slack.keys == ["a"], "while that may still be noted, it is not sent again"
        outbox.gate.hold([B])
        await trio.sleep(60)
        front.is_busy = False
        await trio.sleep(60)
        [row] = store.outbox_rows()
        assert (row.state, row.attempts) == (state, attempts)
        put(store, outbox, "b", account=B)
        await trio.sleep(60)
        assert slack.keys == ["a", "b"], "and the channel goes on"


async def test_what_the_next_holder_has_noted_stays(store: SqliteStore, autojump_clock: trio.testing.MockClock) -> None:
    slack, front = ScriptedNotifier(), BusyFront(store)
    async with delivering(store, slack, front) as outbox:
        outbox.gate.hold([A])
        front.is_busy = True
        put(store, outbox, "a")
        await trio.sleep(1)
        outbox.gate.hold([])
        store.sent(store.outbox_rows()[0].id, {"by": "the next holder"}, NOW)
        front.is_busy = False
        await trio.sleep(60)
    assert await front.receipt(*SLACK, "a") == {"by": "the next holder"}


class HeldFront(InlineStoreFront):
    """A store that returns only notifications of accounts that are held, as PostgreSQL's does."""

    held = frozenset({A, B})

    async def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        every = await super().heads(receiver, channel, 1_000_000)
        return [one for one in every if one.account in self.held][:limit]


@pytest.mark.parametrize(("count", "told_meanwhile"), [(100, ["b"]), (1_500, [])])
async def test_what_waits_for_an_account_that_is_given_away_holds_up_no_other(
    count: int, told_meanwhile: list[str], store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack, front = ScriptedNotifier(), HeldFront(store)
    async with delivering(store, slack, front) as outbox:
        outbox.gate.hold([A, B])
        outbox.gate.close(A)
        put(store, outbox, *(f"a{number}" for number in range(count)))
        put(store, outbox, "b", account=B)
        await trio.sleep(5)
        assert slack.keys == told_meanwhile
        outbox.gate.hold([B])
        front.held = frozenset({B})
        await trio.sleep(1)
    assert slack.keys == ["b"]


async def test_what_was_read_before_an_account_went_and_came_back_is_read_again(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    """Meanwhile the other daemon has sent it."""

    def answer(_: object) -> Outcome:
        outbox.gate.hold([])
        for row in store.outbox_rows("waiting"):
            _send_elsewhere(store, row)
        outbox.gate.hold([A])
        return Sent({})

    slack = ScriptedNotifier(answer=answer)
    async with delivering(store, slack) as outbox:
        put(store, outbox, "a1", "a2")
        outbox.gate.hold([A])
        await trio.sleep(10)
    assert slack.keys == ["a1"]


async def test_what_was_looked_up_before_an_account_went_and_came_back_is_read_again(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    """Meanwhile the other daemon has sent the first of them."""

    class Away(InlineStoreFront):
        async def receipt(self, receiver: str, channel: str, episode: str) -> dict[str, str] | None:
            found = await super().receipt(receiver, channel, episode)
            if episode == "a1":
                outbox.gate.hold([])
                _send_elsewhere(store, store.outbox_rows("waiting")[-1])
                outbox.gate.hold([A])
            return found

    slack = ScriptedNotifier()
    async with delivering(store, slack, Away(store)) as outbox:
        put(store, outbox, "a1")
        put(store, outbox, "a2")
        outbox.gate.hold([A])
        await trio.sleep(10)
    assert slack.keys == ["a2"]
    assert states(store) == {"a1": "sent", "a2": "sent"}


def _send_elsewhere(store: SqliteStore, row: OutboxRow) -> None:
    store.sent(row.id, {"by": "another daemon"}, NOW)
