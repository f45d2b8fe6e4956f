"""What each of Slack's documented refusals of chat.postMessage and chat.update comes to: nothing that somebody can mend is ever thrown away."""

import json
from typing import Literal

import pytest

from monitor.notify.channels.protocol import Rejected, Retry, Sent
from monitor.notify.channels.slack.bot import SlackNotifier
from monitor.notify.channels.slack.incoming_webhook import SlackHookNotifier
from monitor.notify.channels.slack.rate_limit import ChannelRateLimits
from monitor.runtime.clock import SECOND, SystemClock
from tests.fakes.alerts import notification_of, over, rate
from tests.fakes.http import Answer
from tests.fakes.slack import TOKEN, FakeSlack, slack


def words(text: str) -> list[str]:
    return text.split()


PASSING = words("""
ratelimited rate_limited fatal_error internal_error service_unavailable request_timeout message_limit_exceeded team_added_to_org
org_login_required external_channel_migrating update_failed streaming_state_conflict
""")
TO_MEND = words("""
access_denied accesslimited account_inactive channel_not_found deprecated_endpoint ekm_access_denied enterprise_is_restricted
invalid_auth is_archived messages_tab_disabled method_deprecated missing_scope no_permission not_allowed_token_type not_authed
not_in_channel restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel
slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked slack_connect_lists_sharing_blocked
slack_connect_blocked_file_type slack_connect_clip_sharing_blocked slack_connect_file_upload_sharing_blocked
posting_to_channel_denied team_access_not_granted team_not_found token_expired token_revoked two_factor_setup_required is_inactive
restricted_action_non_threadable_channel restricted_action_thread_locked cannot_reply_to_message cant_update_message edit_window_closed
""")
LAYOUT = words("""
as_user_not_supported attachment_payload_limit_exceeded draft_already_deleted draft_already_sent draft_has_conflict draft_not_found
duplicate_channel_not_found duplicate_message_not_found file_deleted file_is_deleted file_not_found file_share_limit_reached
invalid_arg_name invalid_arguments invalid_array_arg invalid_attachments invalid_blocks invalid_blocks_format invalid_charset
invalid_form_data invalid_metadata_format invalid_metadata_schema invalid_post_type markdown_text_conflict max_file_sharing_exceeded
metadata_must_be_sent_from_app metadata_too_large missing_file_data missing_post_type msg_blocks_too_long msg_too_long
no_dual_broadcast_content_update no_text too_many_attachments too_many_contact_cards unable_to_share_files
""")
GONE = words(
    "message_not_found cant_update_message edit_window_closed is_inactive is_archived channel_not_found not_in_channel"
)

FIRST = notification_of(rate(severity="warning"))
WORSE = notification_of(rate(was_severity="warning"), key="key-2", reason="escalated")
OVER = notification_of(over(rate()), key="key-3", reason="all resolved", status="resolved")


def notifier(fake: FakeSlack, channel: str = "#sms-ops", token: str = TOKEN) -> SlackNotifier:
    return SlackNotifier(token, channel, clock=SystemClock(), api_url=fake.api_url, paces=ChannelRateLimits(0.0))


def no(word: str) -> Answer:
    return Answer(200, json.dumps({"ok": False, "error": word}).encode())


async def fate(method: Literal["post", "edit"], word: str) -> tuple[object, FakeSlack]:
    """What becomes of a message where Slack says ``word`` to that method, each time."""
    async with slack() as fake:
        channel = notifier(fake)
        if method == "post":
            fake.refused = {"chat.postMessage": word}
            return await channel.send(FIRST, None), fake
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        fake.refused = {"chat.update": word}
        return await channel.send(WORSE, first.receipt), fake


@pytest.mark.parametrize("method", ["post", "edit"])
@pytest.mark.parametrize("word", PASSING)
async def test_what_passes_is_tried_again(method: Literal["post", "edit"], word: str) -> None:
    outcome, _ = await fate(method, word)
    assert outcome == Retry(f"Slack answered {word}")


@pytest.mark.parametrize("word", TO_MEND)
async def test_what_can_be_mended_is_tried_again_and_says_how(word: str) -> None:
    outcome, fake = await fate("post", word)
    assert isinstance(outcome, Retry)
    said, _, advice = outcome.why.partition("; ")
    assert said == f"Slack refuses it for #sms-ops: {word}"
    assert len(advice) > 20
    assert "documentation" not in advice
    assert fake.methods() == ["chat.postMessage"], "a plainer message would not help"


@pytest.mark.parametrize("word", sorted(set(TO_MEND) - set(GONE)))
async def test_the_same_holds_for_an_edit(word: str) -> None:
    outcome, fake = await fate("edit", word)
    assert isinstance(outcome, Retry)
    assert fake.methods() == ["chat.postMessage", "chat.update"]


@pytest.mark.parametrize("word", GONE)
async def test_a_message_that_cannot_be_edited_any_more_is_posted_anew(word: str) -> None:
    outcome, fake = await fate("edit", word)
    assert outcome == Sent({"channel": "C0SMSOPS", "ts": fake.main[1].ts})


@pytest.mark.parametrize("method", ["post", "edit"])
@pytest.mark.parametrize("word", LAYOUT)
async def test_only_a_message_that_is_refused_even_as_plain_text_is_a_dead_letter(
    method: Literal["post", "edit"], word: str
) -> None:
    outcome, fake = await fate(method, word)
    assert isinstance(outcome, Rejected)
    assert word in outcome.why
    refused = fake.calls[-1][1]
    assert not refused.get("blocks")
    assert "OperatorFailureRate" in refused["text"]


@pytest.mark.parametrize("word", ["invalid_blocks", "msg_too_long", "a_new_error_of_slacks"])
async def test_what_is_refused_as_it_is_laid_out_is_told_as_plain_text(word: str) -> None:
    async with slack(no(word)) as fake:
        channel = notifier(fake)
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        assert (fake.main[0].said["text"].partition("\n")[0], word in fake.main[0].said["text"]) == (
            "WARNING firing: OperatorFailureRate: 34.2% of 1,204 messages to Cosmote (GR) failed in 15m, threshold 20%",
            True,
        )
        fake.script = [no(word)]
        assert await channel.send(WORSE, first.receipt) == first
        assert fake.main[0].said["blocks"] == [], "else the old ones would stay"


async def test_a_word_that_nobody_knows_is_never_thrown_away() -> None:
    outcome, fake = await fate("post", "a_new_error_of_slacks")
    assert isinstance(outcome, Retry)
    assert "a_new_error_of_slacks" in outcome.why
    assert fake.methods() == ["chat.postMessage"] * 2


@pytest.mark.parametrize("word", ["thread_not_found", "cannot_reply_to_message", "restricted_action_thread_locked"])
async def test_where_there_can_be_no_thread_the_change_goes_into_the_channel(word: str) -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        fake.script = [Answer(200, b'{"ok": true}'), no(word)]
        assert await channel.send(OVER, first.receipt) == first
        assert "*OperatorFailureRate* after *35m*" in fake.main[1].said["text"]


async def test_a_renamed_channel_goes_on_with_its_episodes_and_asks_for_its_new_name() -> None:
    async with slack() as fake:
        channel = notifier(fake)
        first = await channel.send(FIRST, None)
        assert isinstance(first, Sent)
        fake.channels = {"#sms-alerts": "C0SMSOPS", "C0SMSOPS": "C0SMSOPS"}
        assert await channel.send(OVER, first.receipt) == first
        new = await channel.send(notification_of(rate(), key="key-4", episode="episode-2"), None)
        assert isinstance(new, Retry)
        assert "#sms-ops: channel_not_found; it was renamed" in new.why


async def test_an_archived_channel_loses_nothing_once_another_one_is_named() -> None:
    async with slack() as fake:
        first = await notifier(fake).send(FIRST, None)
        assert isinstance(first, Sent)
        fake.archived.add("C0SMSOPS")
        assert isinstance(await notifier(fake).send(OVER, first.receipt), Retry)
        fake.channels["#new"] = "C0NEW"
        assert await notifier(fake, "#new").send(OVER, first.receipt) == Sent(
            {"channel": "C0NEW", "ts": fake.main[1].ts}
        )


async def test_a_token_that_is_put_right_takes_what_waited() -> None:
    async with slack() as fake:
        assert isinstance(await notifier(fake, token="xoxb-revoked").send(FIRST, None), Retry)
        assert isinstance(await notifier(fake).send(FIRST, None), Sent)


@pytest.mark.parametrize(
    ("status", "body", "fate"),
    [
        (403, b"action_prohibited", Retry),
        (404, b"no_service", Retry),
        (404, b"channel_not_found", Retry),
        (410, b"channel_is_archived", Retry),
        (302, b"", Retry),
        (500, b"rollup_error", Retry),
        (400, b"invalid_payload", Rejected),
    ],
)
async def test_an_incoming_webhook_is_as_forgiving(status: int, body: bytes, fate: type) -> None:
    answer = Answer(status, body)
    async with slack(answer, answer) as fake:
        outcome = await SlackHookNotifier(fake.hook_url, clock=SystemClock(), paces=ChannelRateLimits(0.0)).send(
            FIRST, None
        )
        assert type(outcome) is fate
        assert len(fake.calls) == (2 if fate is Rejected else 1)
        assert "hook-secret" not in str(outcome)


async def test_an_incoming_webhook_that_refuses_the_layout_gets_plain_text() -> None:
    async with slack(Answer(400, b"invalid_blocks")) as fake:
        assert (
            await SlackHookNotifier(fake.hook_url, clock=SystemClock(), paces=ChannelRateLimits(0.0)).send(FIRST, None)
            == Sent()
        )
        assert set(fake.main[0].said) == {"text", "unfurl_links", "unfurl_media"}


async def test_check_names_missing_scopes() -> None:
    async with slack() as fake:
        fake.scopes = "chat:write"
        assert await notifier(fake).check() == ""
        fake.scopes = "channels:read"
        assert "lacks the scope chat:write:" in await notifier(fake).check()


def test_the_lists_above_do_not_overlap() -> None:
    words = PASSING + TO_MEND + LAYOUT
    assert len(words) == len(set(words))


async def test_a_wait_that_slack_asks_for_is_handed_on() -> None:
    async with slack(Answer(429, b'{"ok": false, "error": "ratelimited"}', {"Retry-After": "7"})) as fake:
        outcome = await notifier(fake).send(FIRST, None)
        assert outcome == Retry("Slack answered ratelimited", 7 * SECOND)
