"""Builds parts of sentences about an alert: which messages, how many, in which time, compared with what."""

from collections.abc import Mapping
from typing import Final

from monitor.model.finding import Unit
from monitor.model.format import NOTHING, amount, duration, number
from monitor.model.message import UNKNOWN
from monitor.model.notification import AlertView
from monitor.runtime.printable import clean

_PLACES: Final[tuple[tuple[str, str], ...]] = (
    ("to", "to {}"),
    ("groups", "to group {}"),
    ("from", "from {}"),
    ("campaign", "in campaign {}"),
    ("campaignTrackingId", "in campaign {}"),
    ("label", "labelled {}"),
    ("applicationName", "by application {}"),
    ("originatingService", "through {}"),
    ("direction", "({})"),
    ("account", "on account {}"),
)
POOLED: Final = "(small)"
"""The value of a field in the group of those that are too small to be judged alone."""
_SCOPES: Final = (
    *("to", "campaign", "campaignTrackingId", "from", "operator", "detailedStatus", "label", "applicationName"),
    *("originatingService", "groups", "country", "status", "direction"),
)
"""Fields by which an alert is named, the most telling first."""
_NOUNS: Final = {
    "to": ("recipient", "recipients"),
    "from": ("sender", "senders"),
    "operator": ("operator", "operators"),
    "country": ("country", "countries"),
    "campaign": ("campaign", "campaigns"),
    "campaignTrackingId": ("campaign", "campaigns"),
    "label": ("label", "labels"),
    "status": ("status", "statuses"),
    "detailedStatus": ("detailed status", "detailed statuses"),
    "applicationName": ("application", "applications"),
    "originatingService": ("service", "services"),
    "groups": ("set of groups", "sets of groups"),
    "direction": ("direction", "directions"),
}
"""The singular and the plural for the values of each field."""


def place(view: AlertView) -> str:
    """Returns which messages the alert is about, from its labels: `` to Cosmote (GR)`` with a space before it; empty without such labels."""
    labels = view.labels
    words = [_destination(labels.get("operator"), labels.get("country"))]
    fields = [pair for pair in _PLACES if pair[0] != "campaignTrackingId" or "campaign" not in labels]
    words += [form.format(named(field, labels[field])) for field, form in fields if field in labels]
    return "".join(f" {word}" for word in words if word)


def scope(labels: Mapping[str, str]) -> tuple[str, str]:
    """The field that says most of which messages an alert is about, and its value in words: ``operator Cosmote (GR)``, ``all messages``."""
    field = next((name for name in _SCOPES if name in labels), "")
    if not field:
        return "", "all messages"
    where = f" ({named('country', labels['country'])})" if field == "operator" and "country" in labels else ""
    return field, _scope(field, labels[field]) + where


def _scope(field: str, value: str) -> str:
    if value == POOLED:
        return f"small {noun(field, 2)}"
    said = named(field, value)
    return said if value == UNKNOWN else f"{noun(field)} {said}"


def _destination(operator: str | None, country: str | None) -> str:
    if operator is None:
        return "" if country is None else f"to {named('country', country)}"
    where = "" if country is None else f" ({named('country', country)})"
    return f"to {named('operator', operator)}{where}"


def named(field: str, value: str) -> str:
    """Returns a field's value for people, at most 60 characters; a missing one is ``unknown operator``."""
    names = {"from": "sender", "campaignTrackingId": "campaign"}
    return f"unknown {names.get(field, field)}" if value == UNKNOWN else clean(value, 60)


def outcome(view: AlertView) -> str:
    """Returns what the matching messages have in common, such as their status; empty if the rule counts all failures."""
    words = [view.labels[field] for field in ("status", "detailedStatus") if field in view.labels]
    return clean(view.matched or " ".join(dict.fromkeys(words)))


def messages(count: float) -> str:
    """Returns ``1 message`` or ``1,204 messages``."""
    return f"{number(count)} message" if count == 1 else f"{number(count)} messages"


def in_window(view: AlertView) -> str:
    """Returns the window, `` in 15m``; empty without one."""
    return "" if view.window is None else f" in {duration(view.window)}"


def noun(field: str, count: float = 1) -> str:
    """Returns the word for ``count`` values of a field: ``country``, ``countries``."""
    one, many = _NOUNS.get(field, (f"value of {clean(field, 40)}", f"values of {clean(field, 40)}"))
    return one if count == 1 else many


def against_usual(view: AlertView) -> str:
    """Returns how the value compares with its baseline: ``, 4.1x the usual 15``."""
    if not view.baseline:
        return ", usually none"
    factor = view.change if view.change is not None else (view.value or 0.0) / view.baseline
    return f", {number(factor)}x the usual {amount(view.baseline, view.unit)}"


def against_threshold(view: AlertView) -> str:
    """Returns ``, threshold 20%``; empty without a threshold."""
    text = threshold(view.threshold, view.unit, view.value)
    return "" if text == NOTHING else f", threshold {text}"


def threshold(value: float | None, unit: Unit, beside: float | None = None) -> str:
    """Returns a threshold in its unit, so that it can be told from the value ``beside`` it. A whole amount of money has no decimals."""
    whole = unit == "money" and value is not None and value % 1 == 0
    return number(value) if whole else amount(value, unit, beside)


def measured_value(view: AlertView) -> str:
    """Returns an alert's value in its unit, so that it can be told from its threshold."""
    return amount(view.value, view.unit, view.threshold)
