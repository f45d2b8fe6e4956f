"""The buttons under an alert in Slack: links to pages, and buttons whose presses Socket Mode reports."""

from typing import Any, Final

from monitor.model.notification import AlertView
from monitor.notify.render.escape import slack as escaped
from monitor.notify.render.links import acknowledge_url, page_url, silence_url
from monitor.notify.render.sanitize import clean, clip

ACKNOWLEDGE: Final = "acknowledge"
SILENCE: Final = "silence"
"""The ids of the buttons that Socket Mode reports; their value is the alert's fingerprint."""

_NAME: Final = 75
_URL: Final = 3000
_FORM: Final = 1000
"""The longest address of a form, in characters; a longer one would take the space of what explains the alert."""
_MOST_LINKS: Final = 5

Button = dict[str, Any]


def buttons(view: AlertView, external_url: str, *, pressable: bool, actionable: bool = True) -> list[Button]:
    """Returns the buttons of an alert: acknowledge and silence while it is not over (and no report), its page, and the links and runbook of its
    rule.

    ``pressable`` says that Slack reports presses. Without it, and without an ``external_url``, no button acknowledges. ``actionable`` says that
    an alert to acknowledge and silence exists, which is not so for a test.
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
    """Returns links to the forms on the status page, if it has an address."""
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
    """Returns whether Slack can read a URL; it refuses the whole message for one that it cannot."""
    return url.startswith(("http://", "https://")) and len(url) <= _URL and url.isprintable() and " " not in url


def _link(name: str, url: str) -> Button:
    return _button(name) | {"url": url}


def _press(name: str, action: str, fingerprint: str) -> Button:
    return _button(name) | {"action_id": action, "value": clip(fingerprint, 200)}


def _button(name: str) -> Button:
    text = clip(escaped(clean(name, _NAME) or "Open"), _NAME)
    return {"type": "button", "text": {"type": "plain_text", "text": text, "emoji": False}}
