"""The outbox loop, over a real SQLite file and under virtual time."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import trio
import trio.testing

from monitor.model.notification import Notification, Reason
from monitor.notify.channels.protocol import Notifier, Outcome, Rejected, Retry, Sent
from monitor.notify.outbox import GRACE, Outbox, deliver
from monitor.runtime.clock import HOUR, MILLISECOND, MINUTE, SECOND, TrioClock
from monitor.store.protocol import SUPERSEDED, Commit, OutboxRow, Pending
from monitor.store.sqlite import SqliteStore, open_sqlite
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.scripted_notifier import ScriptedNotifier
from tests.store.store_samples import NOW
from tests.store.store_samples import notification as sample

DOWN = Retry("503 Service Unavailable")
SLACK, HOOK = ("ops", "slack/0"), ("ops", "webhook/0")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(open_sqlite(tmp_path / "monitor.db", busy_timeout=MILLISECOND)) as opened:
        yield opened


@dataclass
class Running:
    """A delivery under way."""

    store: SqliteStore
    outbox: Outbox
    clock: TrioClock

    def put(self, *notifications: Notification, channel: str = "slack/0") -> None:
        self.store.commit(Commit(outbox=[Pending(channel, one) for one in notifications]))
        self.outbox.wake()

    def states(self) -> dict[str, str]:
        return {outbox_row.notification.key: outbox_row.state for outbox_row in self.store.outbox_rows()}


@asynccontextmanager
async def delivering(
    store: SqliteStore,
    notifiers: Mapping[tuple[str, str], Notifier],
    counted: "Counted | None" = None,
    front: InlineStoreFront | None = None,
) -> AsyncIterator[Running]:
    clock = TrioClock(NOW)
    async with trio.open_nursery() as nursery:

        async def start(task_status: trio.TaskStatus[Outbox]) -> None:
            await deliver(front or InlineStoreFront(store), notifiers, clock, observer=counted, task_status=task_status)

        outbox = await nursery.start(start)
        yield Running(store, outbox, clock)
        outbox.stop()


class Counted:
    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str, str]] = []

    def notification(
        self, receiver: str, channel: str, outcome: Literal["sent", "retry", "rejected"], seconds: float
    ) -> None:
        self.outcomes.append((receiver, channel, outcome))


def notification(
    key: str, episode: str = "e1", reason: Reason = "first", group: str = "", alert: str = ""
) -> Notification:
    """``alert``: which one it names; left out, each group has an alert of its own."""
    return sample(key, episode, reason, group=group, fingerprint=alert or group or episode)


def story(episode: str, *reasons: Reason) -> list[Notification]:
    return [notification(f"{episode}{i}", episode, reason) for i, reason in enumerate(reasons, 1)]


async def test_what_waited_before_the_start_is_sent_in_order(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    store.commit(Commit(outbox=[Pending("slack/0", one) for one in story("a", "first", "escalated", "all resolved")]))
    slack = ScriptedNotifier(takes=1)
    async with delivering(store, {SLACK: slack}) as running:
        await trio.sleep(10)
        assert slack.keys == ["a1", "a2", "a3"]
        assert set(running.states().values()) == {"sent"}


async def test_each_notification_is_given_the_receipt_of_the_one_before_it_in_its_episode(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier()
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first", "escalated", "all resolved"), *story("b", "first"))
        await trio.sleep(1)
    assert [(one.key, one.previous) for one in sorted(slack.sendings, key=lambda one: one.key)] == [
        ("a1", None),
        ("a2", {"ts": "a1"}),
        ("a3", {"ts": "a2"}),
        ("b1", None),
    ]


async def test_a_wake_sends_without_any_waiting(store: SqliteStore, autojump_clock: trio.testing.MockClock) -> None:
    slack = ScriptedNotifier()
    async with delivering(store, {SLACK: slack}) as running:
        await trio.sleep(100)
        running.put(*story("a", "first"))
        await trio.sleep(1)
    assert slack.times == [100]


async def test_a_receiver_that_is_down_or_hangs_delays_no_other(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    down, hanging, well = ScriptedNotifier(answer=lambda _: DOWN), ScriptedNotifier(takes=1e6), ScriptedNotifier()
    channels = {SLACK: down, HOOK: hanging, ("ops", "webhook/1"): well}
    async with delivering(store, channels) as running:
        for number in range(50):
            for _, channel in channels:
                running.put(notification(f"{channel}k{number}", f"e{number}"), channel=channel)
            await trio.sleep(1)
        assert well.times == [float(number) for number in range(50)]
        assert {outcome.split()[0] for outcome in running.states().values()} == {"waiting", "sent"}


async def test_waits_grow_up_to_five_minutes_and_nothing_is_given_up(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(answer=lambda _: DOWN)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(48 * 3600)
        gaps = [after - before for before, after in zip(slack.times, slack.times[1:], strict=False)]
        assert all(gap <= min(300, 2**number) + 0.001 for number, gap in enumerate(gaps))
        assert 100 < sum(gaps[9:]) / len(gaps[9:]) < 200
        [outbox_row] = store.waiting("ops", "slack/0", 1)
        assert (outbox_row.attempts, outbox_row.error) == (len(slack.sendings), DOWN.why)
        assert running.outbox.failing[SLACK].since == NOW
        slack.answer = lambda _: Sent()
        await trio.sleep(301)
        assert running.states() == {"a1": "sent"}
        assert running.outbox.failing == {}


@pytest.mark.parametrize(("asked", "waited"), [(30 * SECOND, 30.0), (3 * HOUR, 3600.0)])
async def test_retry_after_holds_for_the_whole_channel_and_for_an_hour_at_most(
    store: SqliteStore, autojump_clock: trio.testing.MockClock, asked: int, waited: float
) -> None:
    slack = ScriptedNotifier([Retry("429", asked)])
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(1)
        running.put(*story("b", "first"))
        await trio.sleep(waited + 1)
    assert slack.times == [0, waited, waited]


async def test_a_retry_after_of_nothing_does_not_hammer(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(answer=lambda _: Retry("429", 0))
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(3600)
    assert len(slack.sendings) < 200


async def test_one_notification_that_never_gets_through_holds_up_only_its_own_group(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(answer=lambda one: DOWN if one.key == "bad1" else Sent())
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("bad", "first", "all resolved"))
        put_at = {}
        for number in range(200):
            await trio.sleep(10)
            put_at[f"e{number}1"] = trio.current_time()
            running.put(*story(f"e{number}", "first"))
        await trio.sleep(10)
        sent_at = {one.key: one.at for one in slack.sendings if one.key != "bad1"}
        assert sent_at.keys() == put_at.keys()
        assert all(sent_at[key] - put_at[key] <= 1.001 for key in put_at)
        assert [one.notification.key for one in store.waiting("ops", "slack/0", 9)] == ["bad1", "bad2"]


async def test_an_end_that_waits_in_another_group_is_sent_before_the_next_beginning_of_its_alert(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel(answer=lambda _: DOWN)
    async with delivering(store, {SLACK: hook}) as running:
        running.put(notification("over", "a", "all resolved", alert="x"))
        await trio.sleep(200)
        tried = len(hook.sendings)
        running.put(notification("again", "b", alert="x"), notification("other", "c", alert="y"))
        hook.answer = lambda one: Sent({"ts": one.key})
        await trio.sleep(1)
        assert [key for key in hook.keys[tried:] if key != "other"] == ["over", "again"]
        assert set(running.states().values()) == {"sent"}


async def test_one_that_fails_alone_holds_up_no_other_about_its_alert(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel(answer=lambda one: DOWN if one.key == "over" else Sent({"ts": one.key}))
    async with delivering(store, {SLACK: hook}) as running:
        running.put(notification("over", "a", "all resolved", alert="x"), notification("again", "b", alert="x"))
        await trio.sleep(10)
        assert running.states() == {"over": "waiting", "again": "sent"}


async def test_groups_that_wait_for_each_other_are_sent_all_the_same(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel(takes=0.5)
    async with delivering(store, {SLACK: hook}) as running:
        running.put(notification("first", "z"))
        await trio.sleep(2)
        running.put(
            *(notification(f"k{i}", f"{i % 3}", group=f"{i % 3}", alert=f"x{i % 2}") for i in range(30)),
        )
        await trio.sleep(60)
        assert set(running.states().values()) == {"sent"}
    assert len(hook.keys) == len(set(hook.keys)) == 31
    for alert in range(2):
        own = [int(key[1:]) for key in hook.ended if key != "first" and int(key[1:]) % 2 == alert]
        assert own == sorted(own)


async def test_an_incidents_late_end_is_never_told_after_the_next_ones_beginning(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    told = [notification(key, key[:2], group="g") for key in ("e1-1", "e1-2", "e2-1", "e2-2")]
    slack = ScriptedNotifier([Sent(), DOWN, DOWN])
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*told)
        await trio.sleep(60)
        assert slack.keys == ["e1-1", "e1-2", "e1-2", "e1-2", "e2-1", "e2-2"]


async def test_an_episode_stays_in_order_whatever_fails(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    outcomes: Iterator[Outcome] = iter(
        [DOWN, Sent(), DOWN, DOWN, Rejected("message too long"), DOWN, Sent(), Sent(), Sent(), Sent()]
    )
    took: list[str] = []

    def answer(one: Notification) -> Outcome:
        outcome = next(outcomes)
        if not isinstance(outcome, Retry):
            took.append(one.key)
        return outcome

    slack = ScriptedNotifier(answer=answer)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first", "new alerts", "all resolved"), *story("b", "first", "all resolved"))
        await trio.sleep(3600)
    assert [key for key in took if key.startswith("a")] == ["a1", "a2", "a3"]
    assert [key for key in took if key.startswith("b")] == ["b1", "b2"]


async def test_a_long_outage_costs_few_requests_and_ends_at_once_for_all(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(answer=lambda _: DOWN)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*(notification(f"k{number}", f"e{number}") for number in range(300)))
        await trio.sleep(6 * 3600)
        assert len(slack.sendings) < 400
        slack.answer = lambda _: Sent()
        await trio.sleep(301)
        assert set(running.states().values()) == {"sent"}
        took = [one.at for one in slack.sendings if one.at > 6 * 3600]
        assert took[-1] - took[0] < 1


async def test_a_dead_letter_is_kept_and_the_next_goes_on(
    store: SqliteStore, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    counted, slack = Counted(), ScriptedNotifier([Rejected("invalid_auth: make a new token"), DOWN])
    async with delivering(store, {SLACK: slack}, counted) as running:
        running.put(*story("a", "first"))
        await trio.sleep(1)
        assert running.outbox.failing[SLACK].why == "invalid_auth: make a new token"
        running.put(*story("a", "first", "all resolved"))
        await trio.sleep(2)
        assert running.states() == {"a1": "dead", "a2": "sent"}
        assert running.outbox.failing == {}
    assert [outcome for *_, outcome in counted.outcomes] == ["rejected", "retry", "sent"]
    assert "a1 to ops slack/0 can never be sent: invalid_auth" in caplog.text


class Broken:
    """Raises what nobody foresaw, with a secret in it."""

    def __init__(self) -> None:
        self.tries = 0

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        self.tries += 1
        if self.tries == 1:
            raise KeyError("https://hooks.example.org/s3cret")
        return Sent()

    async def check(self) -> str:
        return ""


async def test_an_unforeseen_error_is_contained_and_its_text_kept_out_of_sight(
    store: SqliteStore, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with delivering(store, {SLACK: Broken()}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(5)
        assert running.states() == {"a1": "sent"}
    assert "KeyError at test_outbox.py" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_send_that_hangs_is_cut_off_and_tried_again(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=1e6)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(30)
        slack.takes = 0
        await trio.sleep(32)
        assert running.states() == {"a1": "sent"}
    assert slack.times[0] == 0
    assert 60 <= slack.times[1] <= 61


async def test_a_send_that_may_take_long_is_given_the_time(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=170, timeout=180)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(100)
        assert running.outbox.sending == {("ops", "slack/0", 1): running.outbox.busy[SLACK] + 210}
        await trio.sleep(100)
        assert running.states() == {"a1": "sent"}
    assert slack.keys == ["a1"]


async def test_what_was_taken_is_not_sent_again_while_its_receipt_cannot_be_written_and_all_go_on_at_once_afterwards(
    store: SqliteStore, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    slack = ScriptedNotifier(takes=5)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"), *story("b", "first"))
        await trio.sleep(1)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await trio.sleep(600)
            assert slack.keys == ["a1"]
            other.execute("ROLLBACK")
        await trio.sleep(7)
        assert running.states() == {"a1": "sent", "b1": "sent"}, "within two seconds, whatever the trouble took"
    assert slack.keys == ["a1", "b1"]
    lines = [record.getMessage() for record in caplog.records if "cannot be stored" in record.getMessage()]
    assert len(lines) == 1, "tried often, said once"


async def test_what_was_taken_in_the_moment_of_cancellation_is_written_down(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier()
    with trio.CancelScope() as scope:
        async with delivering(store, {SLACK: slack}) as running:

            def answer(one: Notification) -> Outcome:
                scope.cancel()
                return Sent()

            slack.answer = answer
            running.put(*story("a", "first"))
            await trio.sleep_forever()
    assert [outbox_row.state for outbox_row in store.outbox_rows()] == ["sent"]


async def test_stopping_lets_the_send_under_way_end_and_begins_no_other(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=GRACE - 1)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"), *story("b", "first"))
        await trio.sleep(0.5)
    assert trio.current_time() == GRACE - 1
    assert running.states() == {"a1": "sent", "b1": "waiting"}


async def test_stopping_cuts_off_what_outlasts_the_grace_period(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack = ScriptedNotifier(takes=50)
    async with delivering(store, {SLACK: slack}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(1)
    assert trio.current_time() == 1 + GRACE
    assert running.states() == {"a1": "waiting"}


async def test_stopping_ends_pauses_and_rests_at_once(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    slack, hook = ScriptedNotifier([Retry("429", HOUR)]), ScriptedNotifier()
    async with delivering(store, {SLACK: slack, HOOK: hook}) as running:
        running.put(*story("a", "first"))
        await trio.sleep(1)
    assert trio.current_time() == 1


async def test_a_channel_that_is_gone_keeps_its_notifications_and_says_so(
    store: SqliteStore, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    store.commit(Commit(outbox=[Pending("webhook/0", one) for one in story("a", "first", "all resolved")]))
    async with delivering(store, {SLACK: ScriptedNotifier()}) as running:
        await trio.sleep(100)
        assert running.states() == {"a1": "waiting", "a2": "waiting"}
    assert "2 notifications wait for ops webhook/0" in caplog.text


async def test_a_repeat_is_skipped_only_where_a_newer_one_waits(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    store.commit(
        Commit(
            outbox=[
                Pending("slack/0", one)
                for one in story("a", "first", "repeat", "repeat", "escalated", "all resolved") + story("b", "repeat")
            ]
        )
    )
    counted, slack = Counted(), ScriptedNotifier()
    async with delivering(store, {SLACK: slack}, counted):
        await trio.sleep(1)
    assert sorted(slack.keys) == ["a1", "a4", "a5", "b1"]
    assert len(counted.outcomes) == 4
    receipts = {outbox_row.notification.key: outbox_row.receipt for outbox_row in store.outbox_rows("sent")}
    assert receipts["a2"] == {SUPERSEDED: "a3"}
    assert receipts["a3"] == {SUPERSEDED: "a4"}


async def test_a_wait_outlives_a_restart(store: SqliteStore, autojump_clock: trio.testing.MockClock) -> None:
    store.commit(Commit(outbox=[Pending("slack/0", one) for one in story("a", "first")]))
    store.postponed(store.waiting("ops", "slack/0", 1)[0].id, "429", NOW + 5 * MINUTE)
    slack = ScriptedNotifier()
    async with delivering(store, {SLACK: slack}):
        await trio.sleep(600)
    assert slack.times == [300]


async def test_a_clock_that_was_set_back_stalls_nothing(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    store.commit(Commit(outbox=[Pending("slack/0", one) for one in story("a", "first")]))
    store.postponed(store.waiting("ops", "slack/0", 1)[0].id, "503", NOW + 30 * 24 * HOUR)
    slack = ScriptedNotifier()
    async with delivering(store, {SLACK: slack}):
        await trio.sleep(1)
    assert slack.times == [0]


async def test_a_store_in_trouble_is_waited_for(
    store: SqliteStore, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    slack = ScriptedNotifier()
    async with delivering(store, {SLACK: slack}) as running:
        store._connection.execute("ALTER TABLE parcel RENAME TO gone")
        running.outbox.wake()
        await trio.sleep(100)
        store._connection.execute("ALTER TABLE gone RENAME TO parcel")
        running.put(*story("a", "first"))
        await trio.sleep(2)
        assert running.states() == {"a1": "sent"}
    assert caplog.text.count("Notifications to ops slack/0 are delayed: the store") == 1


# Several at once


@dataclass
class Parallel(ScriptedNotifier):
    """Takes several at once, and remembers how many there were."""

    at_once: int = 8
    inside: int = 0
    most: int = 0

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            return await ScriptedNotifier.send(self, notification, previous)
        finally:
            self.inside -= 1


async def test_a_channel_that_works_is_sent_several_groups_at_once_each_in_order(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel(takes=1.0)
    async with delivering(store, {SLACK: hook}) as running:
        running.put(
            *(notification(f"{group}{i}", f"{group}", group=group) for i in range(3) for group in "abcdefghijkl")
        )
        await trio.sleep(20)
    assert hook.most == 8
    assert len(hook.ended) == 36
    for group in "abcdefghijkl":
        assert [key for key in hook.ended if key.startswith(group)] == [f"{group}{i}" for i in range(3)]


async def test_a_channel_is_sent_one_at_a_time_until_it_has_taken_something_and_while_it_fails(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel(takes=1.0, answer=lambda _: DOWN)
    async with delivering(store, {SLACK: hook}) as running:
        running.put(*(notification(f"k{i}", f"e{i}") for i in range(30)))
        await trio.sleep(120)
    assert hook.most == 1
    assert len(hook.sendings) < 30


async def test_one_that_hangs_holds_up_none_of_other_groups_that_come_later(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel()
    async with delivering(store, {SLACK: hook}) as running:
        running.put(notification("first", "first", group="z"))
        await trio.sleep(1)
        hook.takes = 50.0
        running.put(notification("slow1", "slow", group="slow"), notification("slow2", "slow", group="slow"))
        await trio.sleep(4)
        hook.takes = 0.0
        for number in range(20):
            running.put(notification(f"quick{number}", "quick", group=f"{number % 2}"))
            await trio.sleep(1)
        assert [key for key in hook.ended if key.startswith("quick")] == [f"quick{number}" for number in range(20)]
        assert "slow1" not in hook.ended
        await trio.sleep(40)
        assert hook.ended[-2:] == ["slow1", "slow2"]
        hook.takes = 50.0
        running.put(notification("slow3", "slow", group="slow"))
        await trio.sleep(1)
        running.outbox.stop()
        began = trio.current_time()
    assert trio.current_time() - began <= GRACE, "who looks for more meanwhile is stopped too"


class SlowlyRead(InlineStoreFront):
    """What it reads of the outbox is half a second old."""

    async def heads(self, receiver: str, channel: str, limit: int) -> list[OutboxRow]:
        found = await super().heads(receiver, channel, limit)
        await trio.sleep(0.5)
        return found


async def test_what_was_sent_while_more_was_looked_for_is_not_sent_again(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel(takes=0.7)
    async with delivering(store, {SLACK: hook}, front=SlowlyRead(store)) as running:
        running.put(notification("first", "first"))
        await trio.sleep(2)
        for number in range(40):
            running.put(notification(f"k{number}", "e", group=f"{number % 5}"))
            await trio.sleep(0.3)
        await trio.sleep(20)
    assert len(hook.keys) == len(set(hook.keys)) == 41


async def test_as_many_are_sent_at_once_as_the_channel_says(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel()
    hook.at_once = 32
    async with delivering(store, {SLACK: hook}) as running:
        running.put(notification("first", "first"))
        await trio.sleep(1)
        hook.takes = 4.0
        running.put(*(notification(f"k{i}", f"e{i}", group=f"{i}") for i in range(64)))
        await trio.sleep(9)
        assert len(hook.ended) == 65
    assert hook.most == 32


async def test_an_outage_that_hits_several_at_once_holds_the_channel_up_as_one_failure(
    store: SqliteStore, autojump_clock: trio.testing.MockClock
) -> None:
    hook = Parallel(takes=1.0)
    async with delivering(store, {SLACK: hook}) as running:
        running.put(notification("first", "first"))
        await trio.sleep(2)
        hook.answer = lambda _: DOWN
        running.put(*(notification(f"k{i}", f"e{i}") for i in range(20)))
        await trio.sleep(1.5)
        assert hook.most == 8
        hook.answer = lambda one: Sent({"ts": one.key})
        await trio.sleep(30)
    assert set(running.states().values()) == {"sent"}


async def test_the_store_failing_while_several_are_sent_is_outlived(
    store: SqliteStore, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    hook = Parallel()
    async with delivering(store, {SLACK: hook}) as running:
        running.put(notification("first", "first"))
        await trio.sleep(1)
        running.put(*(notification(f"k{i}", f"e{i}") for i in range(20)))
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await trio.sleep(1)
            other.execute("ROLLBACK")
        await trio.sleep(60)
    assert set(running.states().values()) == {"sent"}
    assert len(set(hook.keys)) == len(hook.keys) == 21
