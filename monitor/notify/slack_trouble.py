"""What Slack's refusals mean: to be tried again, gone, or for a person to put right."""

import re
from typing import Any, Final

from slack_sdk.errors import SlackApiError

from monitor.clock import Instant
from monitor.notify.http import AGAIN, wait
from monitor.notify.outcome import Outcome, Rejected, Retry
from monitor.render.words import clean

GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
"""The message to edit is not there any more, or not ours to edit."""

_PASSING: Final = frozenset(
    {
        *("ratelimited", "rate_limited", "fatal_error", "internal_error", "service_unavailable", "request_timeout"),
        *("team_added_to_org", "message_limit_exceeded", "accesslimited"),
    }
)
_RENEW: Final = "put the bot token of an installed app (xoxb-…) into token_file"
_ADVICE: Final = {
    "invalid_auth": _RENEW,
    "not_authed": _RENEW,
    "token_revoked": _RENEW,
    "token_expired": _RENEW,
    "account_inactive": _RENEW,
    "channel_not_found": "correct the channel in the configuration; to a private channel invite the app",
    "not_in_channel": "invite the app to the channel, or give it the scope chat:write.public",
    "is_archived": "unarchive the channel or name another one in the configuration",
    "missing_scope": "give the app the scope it needs and install it again",
    "restricted_action": "a setting of the workspace forbids it; ask its administrator",
}
_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")


def code(error: SlackApiError) -> str:
    """Slack's word for what is wrong (``invalid_auth``); empty where the answer was none of Slack's."""
    data = _data(error)
    word = data.get("error")
    return word if isinstance(word, str) and _CODE.fullmatch(word) else ""


def _data(error: SlackApiError) -> dict[str, Any]:
    data = getattr(error.response, "data", error.response)
    return data if isinstance(data, dict) else {}


def verdict(error: SlackApiError, channel: str, now: Instant) -> Outcome:
    """What to do about an answer that is not ``ok``. An error that nobody knows is for a person: trying again could repeat it for ever."""
    status = int(getattr(error.response, "status_code", 200))
    word = code(error)
    if status in AGAIN or status >= 500 or word in _PASSING:
        return Retry(f"Slack answered {word or status}", wait(_retry_after(error), now))
    if not word:
        if status == 200:
            return Retry("Slack's answer was not JSON")
        return Rejected(f"Slack answered {status}; check api_url in the configuration")
    needed = clean(str(_data(error).get("needed") or ""), 100)
    advice = _ADVICE.get(word, "see this error in Slack's documentation of chat.postMessage")
    scope = f" (needs {needed})" if needed else ""
    return Rejected(f"Slack refuses it for {clean(channel)}: {word}{scope}; {advice}")


def _retry_after(error: SlackApiError) -> str | None:
    headers = getattr(error.response, "headers", None) or {}
    return next((str(value) for name, value in headers.items() if name.lower() == "retry-after"), None)
