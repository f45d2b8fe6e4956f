"""Decides what Slack's refusals mean. If a person can fix the cause outside of the message, it is tried again until then, so nothing is lost.

passing    a problem of Slack's own, or too many messages: tried again
to mend    the token, a scope, the channel, a setting of the workspace: tried again ever more slowly, and the log says what to do
message    Slack refuses the layout of the message: sent as plain text; a dead letter only if that is refused as well
gone       the message to edit, or its channel, is gone: posted anew to the configured channel
no thread  the channel has no threads, or this one is closed: the change is posted to the channel itself

An unknown error code could be any of these: plain text is tried once, then the message is tried again and never dropped.
"""

import re
from typing import Any, Final

from slack_sdk.errors import SlackApiError

from monitor.notify.channels.http import AGAIN
from monitor.notify.channels.protocol import Outcome, Rejected, Retry
from monitor.notify.render.sanitize import clean
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.retry_after import retry_after

GONE: Final = frozenset(
    {
        *(
            "message_not_found",
            "cant_update_message",
            "edit_window_closed",
            "thread_not_found",
            "message_not_owned_by_app",
        ),
        *("is_inactive", "is_archived", "channel_not_found", "not_in_channel"),
    }
)
"""Errors of an edit: the message no longer exists, is not ours to edit, or its channel is closed to us."""

NO_THREAD: Final = frozenset(
    {
        *("thread_not_found", "cannot_reply_to_message", "thread_locked"),
        *("restricted_action_non_threadable_channel", "restricted_action_thread_locked"),
    }
)
"""Errors of a line in a thread that has to be posted elsewhere."""

_PASSING: Final = frozenset(
    {
        *("ratelimited", "rate_limited", "fatal_error", "internal_error", "service_unavailable", "request_timeout"),
        *("message_limit_exceeded", "team_added_to_org", "org_login_required", "external_channel_migrating"),
        *("update_failed", "streaming_state_conflict"),
    }
)
_MESSAGE: Final = frozenset(
    {
        *("invalid_blocks", "invalid_blocks_format", "invalid_attachments", "msg_too_long", "msg_blocks_too_long"),
        *("no_text", "too_many_attachments", "attachment_payload_limit_exceeded", "too_many_contact_cards"),
        *("markdown_text_conflict", "invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_charset"),
        *("invalid_form_data", "invalid_post_type", "missing_post_type", "missing_file_data", "invalid_json"),
        *("invalid_metadata_format", "invalid_metadata_schema", "metadata_must_be_sent_from_app", "metadata_too_large"),
        *("as_user_not_supported", "no_dual_broadcast_content_update", "block_mismatch"),
        *("duplicate_channel_not_found", "duplicate_message_not_found"),
        *("draft_already_deleted", "draft_already_sent", "draft_has_conflict", "draft_not_found"),
        *("file_deleted", "file_is_deleted", "file_not_found", "file_share_limit_reached", "max_file_sharing_exceeded"),
        "unable_to_share_files",
    }
)

_RENEW: Final = "install the app again and put its bot token (xoxb-…) into token_file"
_BOT: Final = "put the bot token of an installed app (xoxb-…) into token_file, no other kind of token"
_INVITE: Final = "invite the app to the channel (/invite @your-app), or give it the scope chat:write.public"
_ADMIN: Final = "a setting of the workspace forbids it; ask its administrator to let the app write to this channel"
_MIGRATED: Final = "the workspace belongs to an organization: ask its administrator to let the app into this workspace"
_UPDATE: Final = "Slack has withdrawn this method; install a newer routee-monitor"
_CONNECT: Final = "the channel is shared with another organization, and its settings or its administrator forbid it; use another channel"

_ADVICE: Final = {
    "invalid_auth": f"{_BOT}; or allow this machine's address, if the app accepts only some addresses",
    "not_authed": _BOT,
    "not_allowed_token_type": _BOT,
    "token_revoked": _RENEW,
    "token_expired": _RENEW,
    "account_inactive": _RENEW,
    "two_factor_setup_required": "the person who installed the app has to set up two-factor authentication in Slack",
    "missing_scope": "add the scope under OAuth & Permissions, then install the app again",
    "no_permission": _INVITE,
    "access_denied": _INVITE,
    "channel_not_found": (
        "it was renamed or deleted, or is private: correct the channel in the configuration"
        " (its id, like C012AB3CD, stays the same when it is renamed); to a private channel invite the app"
    ),
    "not_in_channel": _INVITE,
    "is_archived": "unarchive the channel, or name another one in the configuration",
    "is_inactive": "the channel is frozen, archived or deleted: unarchive it, or name another one in the configuration",
    "team_not_found": "write the channel's id (like C012AB3CD) in place of its name: an organization's token needs it",
    "messages_tab_disabled": "switch the Messages tab on under App Home, or name a channel in the configuration",
    "restricted_action": _ADMIN,
    "restricted_action_read_only_channel": _ADMIN,
    "restricted_action_thread_only_channel": _ADMIN,
    "restricted_action_non_threadable_channel": _ADMIN,
    "restricted_action_thread_locked": _ADMIN,
    "cannot_reply_to_message": _ADMIN,
    "posting_to_channel_denied": _ADMIN,
    "send_on_behalf_not_allowed": _ADMIN,
    "ekm_access_denied": _ADMIN,
    "app_access_restricted": _ADMIN,
    "cant_update_message": _ADMIN,
    "edit_window_closed": _ADMIN,
    "accesslimited": "the workspace allows this method only from some networks: ask its administrator to add this machine's network",
    "team_access_not_granted": _MIGRATED,
    "enterprise_is_restricted": _MIGRATED,
    "deprecated_endpoint": _UPDATE,
    "method_deprecated": _UPDATE,
    "unknown_method": "correct api_url in the configuration, or install a newer routee-monitor",
    "slack_connect_canvas_sharing_blocked": _CONNECT,
    "slack_connect_file_link_sharing_blocked": _CONNECT,
    "slack_connect_file_upload_sharing_blocked": _CONNECT,
    "slack_connect_lists_sharing_blocked": _CONNECT,
    "slack_connect_clip_sharing_blocked": _CONNECT,
    "slack_connect_blocked_file_type": _CONNECT,
}
"""The advice for a person, by error code; the message is tried again meanwhile."""

_KNOWN: Final = frozenset(_ADVICE) | _PASSING | GONE | NO_THREAD
_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")


def code(error: SlackApiError) -> str:
    """Returns Slack's error code (``invalid_auth``); empty if the answer is not from Slack."""
    word = _data(error).get("error")
    return word if isinstance(word, str) and _CODE.fullmatch(word) and len(word) < 100 else ""


def _data(error: SlackApiError) -> dict[str, Any]:
    data = getattr(error.response, "data", error.response)
    return data if isinstance(data, dict) else {}


def badly_laid_out(error: SlackApiError) -> bool:
    """Returns whether Slack may accept a plainer message: it refused the layout, or gave an unknown error code."""
    word = code(error)
    return bool(word) and word not in _KNOWN and not _passes(error)


def _passes(error: SlackApiError) -> bool:
    status = _status(error)
    return status in AGAIN or status >= 500 or code(error) in _PASSING


def _status(error: SlackApiError) -> int:
    return int(getattr(error.response, "status_code", 200))


def verdict(error: SlackApiError, channel: str, now: Instant) -> Outcome:
    """Returns the outcome of an answer that is not ``ok``, for a message that cannot be any plainer."""
    word, status = code(error), _status(error)
    if _passes(error):
        return Retry(f"Slack answered {word or status}", asked_wait(error, now))
    if not word:
        said = "an answer that was not JSON" if status == 200 else str(status)
        return Retry(f"Slack answered {said}; check api_url in the configuration, and any proxy")
    said = f"Slack refuses it for {clean(channel)}: {reason(error)}"
    return Rejected(said) if word in _MESSAGE else Retry(said)


def reason(error: SlackApiError) -> str:
    """Returns Slack's error code, what is missing, and what a person has to do: ``missing_scope (needs files:write); add the scope …``."""
    word = code(error)
    if not word:
        return f"Slack answered {_status(error)}"
    needed = clean(str(_data(error).get("needed") or ""), 100)
    unknown = (
        "Slack refuses this message; please report it" if word in _MESSAGE else "look it up in Slack's documentation"
    )
    return f"{word}{f' (needs {needed})' if needed else ''}; {_ADVICE.get(word, unknown)}"


def socket_reason(error: SlackApiError) -> str:
    """Returns Slack's error for an app-level token, and what a person has to do."""
    word = code(error)
    if word in _PASSING or not word:
        return reason(error).partition(";")[0]
    if word == "missing_scope":
        return f"{word}; give the app-level token the scope connections:write (Basic Information, App-Level Tokens)"
    return f"{word}; put an app-level token (xapp-…) of the app into app_token_file, and switch Socket Mode on"


def asked_wait(error: SlackApiError, now: Instant) -> Duration | None:
    """Returns how long Slack asks to wait; None if it does not."""
    headers = getattr(error.response, "headers", None) or {}
    return retry_after(
        next((str(value) for name, value in headers.items() if name.lower() == "retry-after"), None), now
    )
