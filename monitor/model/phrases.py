"""Parts of sentences about an alert, from its view alone: which messages, how many, in which time, against what."""

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
"""What values of a field are called: one, several."""


def place(view: AlertView) -> str:
    """Which messages, from the labels that are message fields: `` to Cosmote (GR)``, with a space before it where there is something to say."""
    labels = view.labels
    words = [_destination(labels.get("operator"), labels.get("country"))]
    fields = [pair for pair in _PLACES if pair[0] != "campaignTrackingId" or "campaign" not in labels]
    words += [form.format(named(field, labels[field])) for field, form in fields if field in labels]
    return "".join(f" {word}" for word in words if word)


def _destination(operator: str | None, country: str | None) -> str:
    if operator is None:
        return "" if country is None else f"to {named('country', country)}"
    where = "" if country is None else f" ({named('country', country)})"
    return f"to {named('operator', operator)}{where}"


def named(field: str, value: str) -> str:
    """A value of a field; that it is not known is said with what the field is."""
    names = {"from": "sender", "campaignTrackingId": "campaign"}
    return f"unknown {names.get(field, field)}" if value == UNKNOWN else clean(value, 60)


def outcome(view: AlertView) -> str:
    """What the matching messages have in common; empty where they simply failed."""
    words = [view.labels[field] for field in ("status", "detailedStatus") if field in view.labels]
    return clean(view.matched or " ".join(dict.fromkeys(words)))


def messages(count: float) -> str:
    """``1 message``, ``1,204 messages``."""
    return f"{number(count)} message" if count == 1 else f"{number(count)} messages"


def in_window(view: AlertView) -> str:
    """`` in 15m``: the window, where there is one."""
    return "" if view.window is None else f" in {duration(view.window)}"


def noun(field: str, count: float = 1) -> str:
    """What so many values of a field are called."""
    one, many = _NOUNS.get(field, (f"value of {clean(field, 40)}", f"values of {clean(field, 40)}"))
    return one if count == 1 else many


def against_usual(view: AlertView) -> str:
    """``, 4.1x the usual 15``: the value beside its baseline."""
    if not view.baseline:
        return ", usually none"
    factor = view.change if view.change is not None else (view.value or 0.0) / view.baseline
    return f", {number(factor)}x the usual {amount(view.baseline, view.unit)}"


def against_threshold(view: AlertView) -> str:
    """``, threshold 20%``; empty where there is none."""
    text = threshold(view.threshold, view.unit)
    return "" if text == NOTHING else f", threshold {text}"


def threshold(value: float | None, unit: Unit) -> str:
    """A threshold, in its unit; money without cents where it has none."""
    whole = unit == "money" and value is not None and value % 1 == 0
    return number(value) if whole else amount(value, unit)
