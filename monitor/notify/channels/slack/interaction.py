"""Parses presses of our buttons from Slack's envelopes. Returns None for foreign or malformed payloads."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from monitor.notify.channels.slack.buttons import ACKNOWLEDGE, SILENCE
from monitor.notify.render.sanitize import clean
from monitor.runtime.dataclass import dataclass

SILENCED: Final = 3600
"""Seconds for which the button silences."""

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pressed:
    """Who pressed what. ``seconds`` is how long to silence; 0 for an acknowledgement, which lasts until the alert is over."""

    action: Literal["acknowledge", "silence"]
    fingerprint: str
    user: str
    seconds: int


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """The pressed button, the address for the answer, and an identity that tells two presses apart (Slack may send a press twice)."""

    pressed: Pressed
    response_url: str
    identity: tuple[str, str, str]


def envelope_of(message: str | bytes) -> dict[str, Any]:
    """Returns a message of Socket Mode as a dictionary; empty if it cannot be parsed."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def press_of(envelope: Mapping[str, Any]) -> ButtonPress | None:
    """Returns the press of one of our buttons, or None if the envelope contains none."""
    payload = _mapping(envelope.get("payload"))
    if envelope.get("type") != "interactive" or payload.get("type") != "block_actions":
        return None
    actions = payload.get("actions")
    action = _mapping(actions[0]) if isinstance(actions, list) and actions else {}
    fingerprint = _text(action.get("value"))
    user = _mapping(payload.get("user"))
    name = clean(_text(user.get("name")) or _text(user.get("username")) or _text(user.get("id")), 80)
    pressed = _pressed(_text(action.get("action_id")), fingerprint, name or "somebody in Slack")
    if pressed is None:
        return None
    identity = pressed.action + pressed.fingerprint, _text(user.get("id")), _text(action.get("action_ts"))
    return ButtonPress(pressed, _text(payload.get("response_url")), identity)


def _pressed(action: str, fingerprint: str, user: str) -> Pressed | None:
    if not _FINGERPRINT.fullmatch(fingerprint):
        return None
    if action == ACKNOWLEDGE:
        return Pressed("acknowledge", fingerprint, user, 0)
    return Pressed("silence", fingerprint, user, SILENCED) if action == SILENCE else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
