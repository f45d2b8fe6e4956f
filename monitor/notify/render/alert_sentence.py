"""One alert in one sentence, with the number in it. Slack's preview, the terminal and every fallback say the same."""

from collections.abc import Callable
from typing import Final

import msgspec

from monitor.model.finding import Unit
from monitor.model.format import NOTHING, amount, duration, number, percent
from monitor.model.message import UNKNOWN
from monitor.model.notification import AlertView, Cause
from monitor.notify.render.sanitize import clean
from monitor.runtime.clock import HOUR

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
_CAUSES: Final = {"from": "sender ", "detailedStatus": "", "status": "", "campaignTrackingId": "campaign "}
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
_BECAUSE: Final = {
    "no_data": "too few messages{} to judge any more",
    "removed": "its rule or its group is gone",
    "moved": "it goes on under another severity",
    "outranked": "it is still over its threshold, but its rule reports only the worst groups, and a worse one took its place",
}


_ZERO_AT_LEAST: Final = ("count", "cost", "distinct")
"""Kinds by which a group without messages counts as 0, until it is forgotten."""


def sentence(view: AlertView, *, short: bool = False) -> str:
    """``OperatorFailureRate: 34.2% of 1,204 messages to Cosmote (GR) failed in 15m, threshold 20%``.

    ``short``: it stands behind words that say already that the alert is resolved.
    """
    name = clean(view.name)
    if view.status == "firing" or view.is_report:
        return f"{name}: {statement(view)}"
    return f"{name} {'' if short else 'resolved '}after {duration(view.duration)}: {aftermath(view)}"


def statement(view: AlertView) -> str:
    """What is so now, against what threshold or what is usual; without the alert's name."""
    if view.value is None or view.kind not in _MEASURES:
        return clean(view.why, 300) or f"{amount(view.value, view.unit)}{place(view)}{_threshold(view)}"
    only = "Only " if view.comparison == "below" and view.value else ""
    return f"{only}{_MEASURES[view.kind](view)}{_against(view)}"


def aftermath(view: AlertView) -> str:
    """How it stood when it was over, and how bad it had been."""
    forgotten = view.kind == "absence" or (view.kind in _ZERO_AT_LEAST and view.comparison == "below")
    if forgotten and view.resolved_because == "no_data":
        return f"no messages{place(view)} for so long that they are not expected any more"
    if view.resolved_because in _BECAUSE:
        return _BECAUSE[view.resolved_because].format(place(view))
    known = view.value is not None and view.kind in _MEASURES
    if not known and (view.value is None or not view.why):
        return "back to normal"
    now = _MEASURES[view.kind](view) if known else clean(view.why, 300)
    return now if view.peak is None or view.kind in _ON_OFF else f"{now}, at worst {amount(view.peak, view.unit)}"


def place(view: AlertView) -> str:
    """Which messages, from the labels that are message fields: `` to Cosmote (GR)``, with a space before it where there is something to say."""
    labels = view.labels
    words = [_destination(labels.get("operator"), labels.get("country"))]
    fields = [pair for pair in _PLACES if pair[0] != "campaignTrackingId" or "campaign" not in labels]
    words += [form.format(_named(field, labels[field])) for field, form in fields if field in labels]
    return "".join(f" {word}" for word in words if word)


def _destination(operator: str | None, country: str | None) -> str:
    if operator is None:
        return "" if country is None else f"to {_named('country', country)}"
    where = "" if country is None else f" ({_named('country', country)})"
    return f"to {_named('operator', operator)}{where}"


def _named(field: str, value: str) -> str:
    names = {"from": "sender", "campaignTrackingId": "campaign"}
    return f"unknown {names.get(field, field)}" if value == UNKNOWN else clean(value, 60)


def cause(found: Cause) -> str:
    """``92% Carrier Violation``, ``88% sender Shop``."""
    what = _CAUSES.get(found.field, f"{clean(found.field, 40)} ")
    return f"{percent(found.share, 0)} {what}{clean(found.value, 60)}"


def _outcome(view: AlertView) -> str:
    """What the matching messages have in common; empty where they simply failed."""
    words = [view.labels[field] for field in ("status", "detailedStatus") if field in view.labels]
    return clean(view.matched or " ".join(dict.fromkeys(words)))


def _messages(count: float) -> str:
    return f"{number(count)} message" if count == 1 else f"{number(count)} messages"


def _in(view: AlertView) -> str:
    return "" if view.window is None else f" in {duration(view.window)}"


def _share(view: AlertView) -> str:
    outcome = _outcome(view)
    verb = "failed" if outcome.lower() in ("", "failed") else f"were {outcome}"
    return f"{percent(view.value)} of {_messages(view.messages)}{place(view)} {verb}{_in(view)}"


def _count(view: AlertView) -> str:
    if view.unit == "share":
        return _share(view)
    outcome = _outcome(view)
    noun = f"{number(view.value)} {outcome}" if outcome else _messages(view.value or 0)
    return f"{noun}{place(view)}{_in(view)}"


def _latency(view: AlertView) -> str:
    which = f"{clean(view.matched)} of " if view.matched else ""
    return f"{amount(view.value, view.unit)} to deliver {which}messages{place(view)}{_in(view)}"


def _stuck(view: AlertView) -> str:
    after = f" after {clean(view.matched)}" if view.matched else ""
    if view.unit == "share":
        sent = f"{percent(view.value)} of {_messages(view.messages)}{place(view)} sent{_in(view)}"
        return f"{sent} have no final status{after}"
    return f"{_messages(view.value or 0)}{place(view)} without a final status{after}"


def _absence(view: AlertView) -> str:
    if view.value:
        return f"{_messages(view.value)}{place(view)}{_in(view)}"
    silent = "" if view.window is None else f" for {duration(view.window + max(view.duration, 0))}"
    return f"No messages{place(view)}{silent}"


def _pace(view: AlertView) -> str:
    """``, usually 120 an hour``: how many messages come where none do now."""
    if not view.baseline or not view.window:
        return ""
    hourly = view.baseline * HOUR / view.window
    return f", usually {number(hourly)} an hour" if hourly >= 1 else f", usually {number(24 * hourly)} a day"


def _new_value(view: AlertView) -> str:
    if view.status == "resolved" or view.matched not in view.labels:
        return f"{_messages(view.value or 0)}{place(view)}{_in(view)}"
    others = {name: value for name, value in view.labels.items() if name != view.matched}
    new = f"New {_noun(view.matched)} {_named(view.matched, view.labels[view.matched])}"
    return f"{new}: {_messages(view.value or 0)}{place(msgspec.structs.replace(view, labels=others))}{_in(view)}"


def _noun(field: str, count: float = 1) -> str:
    one, many = _NOUNS.get(field, (f"value of {clean(field, 40)}", f"values of {clean(field, 40)}"))
    return one if count == 1 else many


def _distinct(view: AlertView) -> str:
    value = view.value or 0
    return f"{number(value)} different {_noun(view.matched, value)}{place(view)}{_in(view)}"


def _slo(view: AlertView) -> str:
    where = place(view)
    return f"The error budget{' of messages' if where else ''}{where} {clean(view.why, 300)}"


def _cost(view: AlertView) -> str:
    return f"{amount(view.value, view.unit)} spent{place(view)}{_in(view)}"


def _balance(view: AlertView) -> str:
    return clean(view.why, 300) or f"{amount(view.value, view.unit)} left{place(view)}"


def _campaign(view: AlertView) -> str:
    """The reason says it all: ``Black Friday fails: 411 of 1,204 messages failed (34.1%), limit 20%``."""
    name = view.labels.get("campaign", UNKNOWN)
    called = view.labels.get("campaignTrackingId", UNKNOWN) if name == UNKNOWN else name
    verb = view.status == "firing" or view.why.startswith(("has ", "is "))
    return f"{clean(called, 60)}{' ' if verb else ': '}{clean(view.why, 300)}"


_MEASURES: Final[dict[str, Callable[[AlertView], str]]] = {
    "rate": _share,
    "count": _count,
    "spike": _count,
    "latency": _latency,
    "stuck": _stuck,
    "absence": _absence,
    "new_value": _new_value,
    "distinct": _distinct,
    "slo": _slo,
    "cost": _cost,
    "balance": _balance,
    "campaign": _campaign,
}
"""What is measured, a kind a line. Of a kind that is not here the finding's own reason is said."""


_ON_OFF: Final = frozenset({"absence", "new_value", "slo", "campaign"})
"""Kinds whose value says whether rather than how much: what is beside it is said otherwise, or in the reason."""


def _against(view: AlertView) -> str:
    if view.kind in _ON_OFF:
        return _pace(view) if view.kind == "absence" else ""
    return usual(view) if view.kind == "spike" and view.baseline is not None else _threshold(view)


def usual(view: AlertView) -> str:
    """``, 4.1x the usual 15``: the value beside its baseline."""
    if not view.baseline:
        return ", usually none"
    factor = view.change if view.change is not None else (view.value or 0.0) / view.baseline
    return f", {number(factor)}x the usual {amount(view.baseline, view.unit)}"


def _threshold(view: AlertView) -> str:
    text = threshold(view.threshold, view.unit)
    return "" if text == NOTHING else f", threshold {text}"


def threshold(value: float | None, unit: Unit) -> str:
    """A threshold, in its unit; money without cents where it has none."""
    whole = unit == "money" and value is not None and value % 1 == 0
    return number(value) if whole else amount(value, unit)
