"""Describes one alert in one sentence with its number. Slack's preview, the terminal and every fallback use the same sentence."""

from typing import Final

from monitor.alerts.kinds.registry import wording_of
from monitor.model.format import amount, datetime, duration, percent
from monitor.model.notification import AlertView, Cause
from monitor.model.phrases import against_threshold, measured_value, place, threshold
from monitor.runtime.printable import clean

__all__ = ["aftermath", "cause", "fires_on", "place", "sentence", "statement", "threshold"]

_CAUSES: Final = {"from": "sender ", "detailedStatus": "", "status": "", "campaignTrackingId": "campaign "}
_FIRES_ON: Final = "; no longer crossed, keeps firing"
_BECAUSE: Final = {
    "no_data": "too few messages{} to judge any more",
    "removed": "its rule or its group is gone{}",
    "unwatched": "its account is no longer watched{}",
    "moved": "it goes on under another severity{}",
    "outranked": "it is still over its threshold{}, but its rule reports only the worst groups, and a worse one took its place",
}


def sentence(view: AlertView, *, short: bool = False) -> str:
    """Returns ``OperatorFailureRate: 34.2% of 1,204 messages to Cosmote (GR) failed in 15m, threshold 20%``.

    It ends with ``; no longer crossed, keeps firing`` if only ``keep_firing_for`` makes it fire.
    ``short`` leaves out that the alert is resolved, because the words before the sentence say so.
    """
    name = clean(view.name)
    if view.status == "firing" or view.is_report:
        return f"{name}: {statement(view)}{_FIRES_ON if fires_on(view) else ''}"
    return f"{name} {'' if short else 'resolved '}after {duration(view.duration)}: {aftermath(view)}"


def fires_on(view: AlertView) -> str:
    """Returns until when the alert fires on although its threshold is no longer crossed; empty if it is crossed, or the alert is over."""
    if view.fires_on_until is None or view.status != "firing":
        return ""
    return f"keeps firing until {datetime(view.fires_on_until)}, although its threshold is no longer crossed (keep_firing_for)"


def statement(view: AlertView) -> str:
    """Returns the present value and the threshold or the usual value; without the alert's name."""
    wording = wording_of(view.kind)
    if view.value is None or wording is None:
        return clean(view.why, 300) or f"{measured_value(view)}{place(view)}{against_threshold(view)}"
    only = "Only " if view.comparison == "below" and view.value else ""
    return f"{only}{wording.measure(view)}{wording.against(view)}"


def aftermath(view: AlertView) -> str:
    """Returns the value when the alert ended, and the worst value."""
    wording = wording_of(view.kind)
    if view.resolved_because == "no_data" and wording is not None and wording.counts_silence(view):
        return f"no messages{place(view)} for so long that they are no longer expected"
    if view.resolved_because in _BECAUSE:
        where = place(view) if view.resolved_because == "no_data" else _concerned(view)
        return _BECAUSE[view.resolved_because].format(where)
    if view.value is None or (wording is None and not view.why):
        return "back to normal"
    now = clean(view.why, 300) if wording is None else wording.measure(view)
    worst = view.peak is not None and (wording is None or wording.is_amount)
    return f"{now}, at worst {amount(view.peak, view.unit, view.threshold)}" if worst else now


def _concerned(view: AlertView) -> str:
    """Returns which group an alert was about, with a space before it: `` for messages to Cosmote (GR)``; empty for all messages."""
    where = place(view)
    if view.kind == "builtin":
        search = view.labels.get("search")
        return f" for search {clean(search, 60)}{where}" if search else where
    return f" for messages{where}" if where and view.kind != "balance" else where


def cause(found: Cause) -> str:
    """Returns ``92% Carrier Violation``, ``88% sender Shop``."""
    what = _CAUSES.get(found.field, f"{clean(found.field, 40)} ")
    return f"{percent(found.share, 0)} {what}{clean(found.value, 60)}"
