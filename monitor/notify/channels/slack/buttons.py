"""The buttons under an alert in Slack: what opens a page, and what is pressed where Socket Mode carries it back to us."""

from typing import Any, Final

from monitor.model.notification import AlertView
from monitor.notify.render.escape import slack as escaped
from monitor.notify.render.links import acknowledge_url, page_url, silence_url
from monitor.notify.render.sanitize import clean, clip

ACKNOWLEDGE: Final = "acknowledge"
SILENCE: Final = "silence"
"""The ids of the buttons that are pressed; their value is the alert's fingerprint."""

_NAME: Final = 75
_URL: Final = 3000
_FORM: Final = 1000
"""A longer address of a form would take the room of what explains the alert."""
_MOST_LINKS: Final = 5

Button = dict[str, Any]


def buttons(view: AlertView, external_url: str, *, pressable: bool, actionable: bool = True) -> list[Button]:
    """Acknowledge and silence, while there is something to (not of a report); the alert's page; the links and the runbook of its rule.

    ``pressable``: Slack tells us of presses. Without it, and without an ``external_url``, nothing acknowledges from Slack.
    ``actionable``: there is an alert to acknowledge and to silence, which there is not for a test.
    """
    found: list[Button] = []
    if actionable:
        found = _pressed(view) if pressable else _forms(view, external_url)
    return found + [
        _link(name, url)
        for name, url in _links(view, external_url if actionable else "")[:_MOST_LINKS]
        if _openable(url)
    ]


def _pressed(view: AlertView) -> list[Button]:
    if view.status == "resolved" or view.is_report or not view.fingerprint:
        return []
    found = [] if view.acknowledged_by else [_press("Acknowledge", ACKNOWLEDGE, view.fingerprint)]
    return found + ([] if view.suppressed else [_press("Silence 1 h", SILENCE, view.fingerprint)])


def _forms(view: AlertView, external_url: str) -> list[Button]:
    """The same as links to the page, for those who have one."""
    if view.status == "resolved" or view.is_report or not external_url:
        return []
    acknowledge = acknowledge_url(external_url, view.fingerprint)
    silence = silence_url(external_url, view.labels)
    found = [] if view.acknowledged_by else [("Acknowledge", acknowledge)]
    found += [] if view.suppressed else [("Silence", silence)]
    return [_link(name, url) for name, url in found if len(url) <= _FORM]


def _links(view: AlertView, external_url: str) -> list[tuple[str, str]]:
    own = [("Status page", page_url(external_url, view.fingerprint))] if external_url else []
    links = [(link.title, link.url) for link in view.links if link.title not in dict(own)]
    runbook = view.annotations.get("runbook_url", "")
    return own + links + ([("Runbook", runbook)] if runbook not in ("", *(url for _, url in links)) else [])


def _openable(url: str) -> bool:
    """Slack refuses the whole message for one URL that it cannot read."""
    return url.startswith(("http://", "https://")) and len(url) <= _URL and url.isprintable() and " " not in url


def _link(name: str, url: str) -> Button:
    return _button(name) | {"url": url}


def _press(name: str, action: str, fingerprint: str) -> Button:
    return _button(name) | {"action_id": action, "value": clip(fingerprint, 200)}


def _button(name: str) -> Button:
    text = clip(escaped(clean(name, _NAME) or "Open"), _NAME)
    return {"type": "button", "text": {"type": "plain_text", "text": text, "emoji": False}}
