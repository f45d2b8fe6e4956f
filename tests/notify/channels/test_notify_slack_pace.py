"""One message a second into a channel, whoever writes it; and nobody writes while Slack has asked to wait."""

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from monitor.config.monitor import Slack
from monitor.notify.channels import ChannelContext, Notifier, make_notifier
from monitor.notify.channels.protocol import Retry, Sent
from monitor.notify.channels.slack.rate_limit import ChannelRateLimit, ChannelRateLimits, RateLimited
from monitor.notify.render.templates import Templates
from monitor.runtime.clock import SECOND, SystemClock
from tests.fakes.alerts import notification_of, rate
from tests.fakes.http import Answer
from tests.fakes.slack import TOKEN, FakeSlack, slack

SPACING = 0.15
LIMITED = Answer(429, b'{"ok": false, "error": "ratelimited"}', {"Retry-After": "60"})


def channel_context(spacing: float = SPACING) -> ChannelContext:
    return ChannelContext(SystemClock(), Templates(), None, ChannelRateLimits(spacing))  # type: ignore[arg-type]  # no console here


def entry(fake: FakeSlack, **more: Any) -> Slack:
    known = {"channel": "#sms-ops", "token": SecretStr(TOKEN), "api_url": fake.api_url}
    return Slack.model_construct(**(known | more))


async def tell_all(notifiers: list[Notifier]) -> None:
    async with trio.open_nursery() as nursery:
        for number, notifier in enumerate(notifiers):
            nursery.start_soon(notifier.send, notification_of(key=f"key-{number}", episode=f"episode-{number}"), None)


async def test_all_who_write_into_one_channel_share_its_pace() -> None:
    async with slack() as fake:
        shared = channel_context()
        began = trio.current_time()
        await tell_all([make_notifier("slack", entry(fake), shared) for _ in range(4)])
        assert len(fake.times) == 4
        assert all(when - began >= number * SPACING for number, when in enumerate(sorted(fake.times)))


async def test_other_channels_do_not_wait() -> None:
    async with slack() as fake:
        shared = channel_context(60.0)
        fake.channels["#other"] = "C0OTHER"
        await tell_all([make_notifier("slack", entry(fake, channel=name), shared) for name in ("#sms-ops", "#other")])
        assert len(fake.main) == 2


async def test_a_channel_by_its_id_is_the_channel_by_its_name() -> None:
    async with slack() as fake:
        shared = channel_context(60.0)
        by_name, by_id = (
            make_notifier("slack", entry(fake, channel=name), shared) for name in ("#sms-ops", "C0SMSOPS")
        )
        assert isinstance(await by_name.send(notification_of(), None), Sent)
        with trio.move_on_after(0.2) as waiting:
            await by_id.send(notification_of(key="key-2"), None)
        assert waiting.cancelled_caught
        assert len(fake.posts) == 1


async def test_a_hook_that_two_receivers_share_has_one_pace() -> None:
    async with slack() as fake:
        shared = channel_context(60.0)
        hook = Slack.model_construct(webhook_url=SecretStr(fake.hook_url))
        first, second = (make_notifier("slack", hook, shared) for _ in range(2))
        assert await first.send(notification_of(), None) == Sent()
        with trio.move_on_after(0.2):
            await second.send(notification_of(key="key-2"), None)
        assert len(fake.posts) == 1


async def test_retry_after_holds_the_whole_channel_for_everybody_and_edits_too() -> None:
    async with slack() as fake:
        shared = channel_context(0.0)
        one, other = (make_notifier("slack", entry(fake), shared) for _ in range(2))
        first = await one.send(notification_of(), None)
        assert isinstance(first, Sent)
        fake.script = [LIMITED]
        assert await one.send(notification_of(key="key-2", episode="e2"), None) == Retry(
            "Slack answered ratelimited", 60 * SECOND
        )
        before = len(fake.calls)
        for outcome in (
            await other.send(notification_of(key="key-3", episode="e3"), None),
            await other.send(
                notification_of(rate(was_severity="warning"), key="key-4", reason="escalated"), first.receipt
            ),
        ):
            assert isinstance(outcome, Retry)
            assert outcome.after is not None
            assert 55 * SECOND < outcome.after <= 60 * SECOND
            assert "asked to wait" in outcome.why
        assert len(fake.calls) == before


async def test_waiting_for_others_does_not_count_as_slacks_slowness() -> None:
    async with slack() as fake:
        shared = channel_context(0.3)
        quick = [make_notifier("slack", entry(fake, timeout=SECOND // 4), shared) for _ in range(3)]
        await tell_all(quick)
        assert len(fake.main) == 3


async def test_the_hold_ends(autojump_clock: trio.testing.MockClock) -> None:
    pace = ChannelRateLimit()
    pace.hold(30.0)
    pace.hold(5.0)
    with pytest.raises(RateLimited, match="30 s"):
        await pace.acquire()
    await trio.sleep(29.5)
    with pytest.raises(RateLimited):
        pace.must_not_be_held()
    await trio.sleep(0.6)
    await pace.acquire()


async def test_who_waits_when_the_hold_comes_does_not_write(autojump_clock: trio.testing.MockClock) -> None:
    pace = ChannelRateLimit()
    await pace.acquire()

    async def waiting() -> None:
        with pytest.raises(RateLimited):
            await pace.acquire()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting)
        await trio.testing.wait_all_tasks_blocked()
        pace.hold(10.0)


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from("ab")), min_size=1, max_size=12))
def test_whoever_comes_when_no_second_has_two_messages(arrivals: list[tuple[float, str]]) -> None:
    """Against the plain rule: turns are a second apart, in the order of arrival, and never later than that needs."""
    taken: list[float] = []

    async def main() -> None:
        paces = ChannelRateLimits()
        paces.same("api", "token", "#a", "C1")
        paces.same("api", "token", "#b", "C1")

        async def come(after: float, name: str) -> None:
            await trio.sleep(after)
            await paces.of("api", "token", name).acquire()
            taken.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            for after, name in arrivals:
                nursery.start_soon(come, after, name)

    began = 0.0
    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(main, clock=clock)
    expected: list[float] = []
    for after, _ in sorted(arrivals, key=lambda arrival: arrival[0]):
        expected.append(max(began + after, expected[-1] + 1 if expected else 0.0))
    assert sorted(taken) == pytest.approx(expected)
