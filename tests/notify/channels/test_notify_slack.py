"""The Slack notifier against a Slack of our own: one message an episode, edits, threads, refusals, and nothing told twice."""

import pytest
import trio

from monitor.notify.channels.protocol import Retry, Sent
from monitor.notify.channels.slack.bot import SlackNotifier
from monitor.notify.channels.slack.incoming_webhook import SlackHookNotifier
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits
from monitor.notify.render.compiled_template import Template
from monitor.notify.render.templates import Templates
from monitor.runtime.clock import SECOND, SystemClock
from tests.fakes.alerts import notification_of, over, rate
from tests.fakes.http import Answer
from tests.fakes.slack import TOKEN, FakeSlack, slack


def notifier(
    fake: FakeSlack,
    channel: str = "#sms-ops",
    *,
    token: str = TOKEN,
    within: float = 5.0,
    spacing: float = 0.0,
    template: Template | None = None,
    broadcast_resolved: str = "critical",
) -> SlackNotifier:
    return SlackNotifier(
        token,
        channel,
        clock=SystemClock(),
        api_url=fake.api_url,
        timeout=within,
        broadcast_resolved=broadcast_resolved,
        paces=ChannelRateLimits(spacing),
        template=template,
    )


FIRST = notification_of(rate(severity="warning"))
WORSE = notification_of(rate(was_severity="warning"), key="key-2", reason="escalated")
OVER = notification_of(over(rate()), key="key-3", reason="all resolved", status="resolved")


async def test_an_episode_is_one_message_edited_with_its_changes_in_the_thread() -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        assert first.receipt == {"channel": "C0SMSOPS", "ts": fake.posts[0].ts}
        assert await channel.send(WORSE, first.receipt) == first
        assert await channel.send(OVER, first.receipt) == first
        (main,) = fake.main
        assert (main.edits, main.said["attachments"][0]["color"]) == (2, "#2eb67d")
        assert "CRITICAL resolved: OperatorFailureRate after 35m" in main.said["text"]
        assert [post.thread_ts for post in fake.replies] == [main.ts, main.ts]
        assert fake.replies[0].said["text"].startswith("*CRITICAL escalated from warning*")
        assert "*CRITICAL resolved*  *OperatorFailureRate* after *35m*" in fake.replies[1].said["text"]


async def test_what_should_not_be_overlooked_is_shown_in_the_channel_too() -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        await channel.send(WORSE, first.receipt)
        await channel.send(OVER, first.receipt)
        assert [post.said["reply_broadcast"] for post in fake.replies] == [True, True]


@pytest.mark.parametrize(
    ("configured", "severity", "shown"),
    [
        ("critical", "critical", True),
        ("critical", "warning", False),
        ("always", "warning", True),
        ("never", "critical", False),
    ],
)
async def test_whose_resolve_is_shown_in_the_channel_is_configured(configured: str, severity: str, shown: bool) -> None:
    async with slack() as fake:
        channel = notifier(fake, broadcast_resolved=configured)
        first = await channel.send(notification_of(rate(severity=severity)), None)
        assert isinstance(first, Sent)
        ended = notification_of(over(rate(severity=severity)), key="key-2", reason="all resolved", status="resolved")
        await channel.send(ended, first.receipt)
        assert [post.said["reply_broadcast"] for post in fake.replies] == [shown]


async def test_slack_is_told_to_look_for_no_names_and_links() -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        await channel.send(WORSE, first.receipt)
        assert [(said["parse"], said["link_names"]) for _, said in fake.calls] == [("none", False)] * 3


async def test_a_message_that_is_gone_is_posted_anew() -> None:
    async with slack() as fake:
        again = await notifier(fake).send(WORSE, {"channel": "C0SMSOPS", "ts": "1.000"})
        assert fake.methods() == ["chat.update", "chat.postMessage"]
        assert again == Sent({"channel": "C0SMSOPS", "ts": fake.posts[0].ts})
        assert fake.replies == []


async def test_a_thread_line_that_failed_is_written_once_at_the_next_attempt() -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        ok = Answer(200, b'{"ok": true, "channel": "C0SMSOPS", "ts": "1"}')
        fake.script = [ok, Answer(503)]
        assert isinstance(await channel.send(WORSE, first.receipt), Retry)
        assert await channel.send(WORSE, first.receipt) == first
        assert (
            await channel.send(WORSE, first.receipt) == first
        )  # as after a store that could not write the receipt down
        assert len(fake.replies) == 1


async def test_a_post_that_slack_took_but_answered_too_late_is_not_repeated() -> None:
    async with slack() as fake:
        fake.slow = 0.6
        channel = notifier(fake, within=0.4)
        assert isinstance(await channel.send(FIRST, None), Retry)
        assert await channel.send(FIRST, None) == Sent({"channel": "C0SMSOPS", "ts": fake.posts[0].ts})
        assert len(fake.posts) == 1


async def test_a_post_that_was_taken_without_a_receipt_is_not_repeated() -> None:
    async with slack(Answer(200, b'{"ok": true}')) as fake:
        assert await notifier(fake).send(FIRST, None) == Sent({})


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (Answer(429, b'{"ok": false, "error": "ratelimited"}', {"Retry-After": "30"}), 30 * SECOND),
        (Answer(429, b""), None),
        (Answer(200, b'{"ok": false, "error": "internal_error"}'), None),
        (Answer(500, b"<html>oops</html>"), None),
        (Answer(200, b"<html>a proxy</html>"), None),
        (Answer(200, b"\xff\xfe"), None),
        (Answer(200, b"[]"), None),
        (Answer(fault="reset"), None),
        (Answer(fault="hang"), None),
        (Answer(fault="drip"), None),
    ],
)
async def test_what_passes_is_tried_again(answer: Answer, after: int | None) -> None:
    async with slack(answer) as fake:
        outcome = await notifier(fake, within=1.0).send(FIRST, None)
        assert isinstance(outcome, Retry)
        assert outcome.after == after
        assert TOKEN not in outcome.why


@pytest.mark.parametrize(
    ("channel", "token", "said"),
    [
        ("#sms-ops", "xoxb-wrong", "invalid_auth; put the bot token"),
        ("#nowhere", TOKEN, "#nowhere: channel_not_found; it was renamed or deleted"),
        ("#old", TOKEN, "is_archived; unarchive"),
    ],
)
async def test_what_a_person_has_to_put_right_is_tried_again_and_said(channel: str, token: str, said: str) -> None:
    async with slack() as fake:
        outcome = await notifier(fake, channel, token=token).send(FIRST, None)
        assert isinstance(outcome, Retry)
        assert said in outcome.why
        assert token not in outcome.why


async def test_a_missing_scope_is_named() -> None:
    async with slack(Answer(200, b'{"ok": false, "error": "missing_scope", "needed": "chat:write"}')) as fake:
        outcome = await notifier(fake).send(FIRST, None)
        assert isinstance(outcome, Retry)
        assert "missing_scope (needs chat:write)" in outcome.why


async def test_an_unreachable_slack_is_tried_again() -> None:
    fake = FakeSlack(url="http://127.0.0.1:1")
    outcome = await notifier(fake).send(FIRST, None)
    assert isinstance(outcome, Retry)
    assert "Slack could not be reached" in outcome.why


async def test_posts_into_a_channel_keep_their_distance() -> None:
    async with slack() as fake:
        channel = notifier(fake, spacing=0.2)
        began = trio.current_time()
        for number in range(3):
            await channel.send(notification_of(key=f"key-{number}"), None)
        assert trio.current_time() - began >= 0.4


async def test_check_asks_without_telling() -> None:
    async with slack() as fake:
        assert await notifier(fake).check() == ""
        assert "invalid_auth" in await notifier(fake, token="xoxb-wrong").check()
        assert fake.posts == []
        assert set(fake.methods()) == {"auth.test"}
    assert "could not be reached" in await notifier(fake).check()


async def test_a_template_of_ones_own_and_one_that_fails() -> None:
    async with slack() as fake:
        await notifier(fake, template=Templates().compile("<!here> {{ labels.operator }}", form="slack")).send(
            FIRST, None
        )
        await notifier(fake, template=Templates().compile("{{ labels.nope }}", form="slack")).send(FIRST, None)
        assert fake.posts[0].said["text"] == "WARNING firing: <!here> Cosmote"
        assert fake.posts[1].said["text"].startswith("WARNING firing: OperatorFailureRate: 34.2%")
        assert (
            "there is no &#39;nope&#39;" in str(fake.posts[1].said)
            or "there is no 'nope'" in fake.posts[1].said["blocks"][1]["elements"][0]["text"]
        )


async def test_an_incoming_webhook_gets_a_new_message_each_time() -> None:
    async with slack() as fake:
        hook = SlackHookNotifier(fake.hook_url, clock=SystemClock(), paces=ChannelRateLimits(0))
        assert await hook.check() == ""
        assert [await hook.send(told, None) for told in (FIRST, OVER)] == [Sent(), Sent()]
        assert [post.said["attachments"][0]["color"] for post in fake.main] == ["#ecb22e", "#2eb67d"]


async def test_a_revoked_hook_is_tried_again_until_there_is_a_new_one_without_showing_it() -> None:
    async with slack() as fake:
        outcome = await SlackHookNotifier(fake.hook_url + "x", clock=SystemClock()).send(FIRST, None)
        assert isinstance(outcome, Retry)
        assert "no_service; unarchive its channel, or add a new incoming webhook" in outcome.why
        assert "hook-secret" not in outcome.why + repr(SlackHookNotifier(fake.hook_url, clock=SystemClock()))
