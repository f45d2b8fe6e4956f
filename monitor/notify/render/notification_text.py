"""Decides what one notification says, independent of channels: which alerts, the worst first, and what has changed."""

import re
from typing import Final, Literal

from monitor.alerts.kinds.registry import wording_of
from monitor.model.finding import Unit, excess
from monitor.model.format import amount, duration, number
from monitor.model.notification import AlertView, Notification
from monitor.model.phrases import measured_value, noun, scope
from monitor.model.plurals import plural
from monitor.notify.render.alert_sentence import fires_on, sentence, threshold
from monitor.notify.render.sanitize import URGENCY, Tone, clean, clean_lines, tone

_MOST_NAMES: Final = 5
_STATES: Final = ("escalated", "repeat", "reopened")
"""Reasons that have a state of their own: ``escalated from warning``, ``still firing after 4h``, ``firing again``."""
_SCOPES: Final = ("operator", "country", "", "campaign", "from")
"""The order in which an incident's scopes are named, by the field that says most of them; an empty one is all messages."""
_OWN_PART: Final = 2
"""A summary repeats the sentence if at most one in this many of its words is new; those are then *of*, *is* and *now*."""
_FEW: Final = 10
"""As many alerts as every channel shows."""
_WORD: Final = re.compile(r"[^\W_][\w.,%-]*")


def shown_views(notification: Notification) -> list[AlertView]:
    """Returns the alerts to show: the one that names an incident, then the worst first, then those that are over. Of an alert that escalated,
    only the new severity. Where there are so many that the last ones are left out, some that are over come before most that go on: they are
    the news."""
    firing = {view.fingerprint for view in notification.firing}
    shown = [view for view in notification.alerts if view.status == "firing" or view.fingerprint not in firing]
    in_order = sorted(
        shown, key=lambda view: (view.status == "resolved", view.fingerprint != notification.head, _rank(view))
    )
    over = [view for view in in_order if view.status == "resolved"]
    if len(in_order) <= _FEW or not over:
        return in_order
    going_on, first = in_order[: -len(over)], max(_FEW // 2, _FEW - len(over))
    return [*going_on[:first], *over[: _FEW - first], *going_on[first:], *over[_FEW - first :]]


def worst_view(views: list[AlertView]) -> AlertView:
    """Returns the worst alert, which in an incident need not be the first."""
    return min(views, key=_rank)


def _rank(view: AlertView) -> tuple[int, float, int, str]:
    beyond = excess(view.value, view.threshold, below=view.comparison == "below")
    return URGENCY[tone(view.severity, view.status)], -beyond, view.starts_at, view.fingerprint


def tone_of(notification: Notification) -> Tone:
    """Returns the colour of the notification: that of its worst alert."""
    views = shown_views(notification)
    if notification.status == "resolved" or not views:
        return "resolved"
    return tone(worst_view(views).severity, worst_view(views).status)


def urgency(notification: Notification) -> Literal["critical", "error", "warning", "info"]:
    """Returns the urgency of the worst alert, in the four levels that on-call services share."""
    views = shown_views(notification)
    severity = worst_view(views).severity if views else ""
    if severity.lower() in ("error", "high"):
        return "error"
    worst = tone(severity, "firing")
    return "info" if worst == "resolved" else worst


def badge(notification: Notification) -> str:
    """Returns the first word: ``CRITICAL``, ``RESOLVED``, ``TEST``."""
    if notification.reason == "test":
        return "TEST" if notification.status == "firing" else "TEST RESOLVED"
    if notification.is_report:
        return f"{_severity(shown_views(notification))} REPORT"
    if notification.status == "resolved":
        return "RESOLVED"
    return _severity(shown_views(notification))


def heading(notification: Notification) -> str:
    """Returns severity and state, with which every push begins: ``CRITICAL firing``, ``WARNING resolved``, ``INFO report``."""
    views = shown_views(notification)
    if notification.is_report:
        return f"{'TEST' if notification.reason == 'test' else _severity(views)} report"
    if notification.reason == "test":
        return f"TEST {notification.status}"
    if notification.reason == "acknowledged":
        return f"{_severity(views)} {_acknowledged(views).partition(' by ')[0]}"
    if notification.status == "resolved":
        return f"{_severity(views)} resolved"
    return f"{_severity(views)} {change(notification) if notification.reason in _STATES else 'firing'}"


def news(notification: Notification) -> str:
    """Returns what has changed, unless the heading says it."""
    known = notification.status == "resolved" or notification.reason in (*_STATES, "acknowledged")
    return "" if known else change(notification)


def _severity(views: list[AlertView]) -> str:
    severity = worst_view(views).severity if views else ""
    return clean(severity, 30).upper() if severity else "ALERT"


def headline(notification: Notification) -> str:
    """Returns the `title` that follows the `heading`, without a second ``resolved``."""
    return title(notification, short=True)


def push(notification: Notification) -> str:
    """Returns the text of a push: severity and state, the sentence of the worst alert, and how many others there are."""
    return f"{heading(notification)}: {headline(notification)}"


def change(notification: Notification) -> str:
    """Returns what is new since the last notification, in a few words; empty for a first notification."""
    views = shown_views(notification)
    firing = sum(view.status == "firing" for view in views)
    match notification.reason:
        case "escalated":
            was = worst_view(views).was_severity if views else ""
            return "escalated" + (f" from {clean(was, 30)}" if was else "")
        case "repeat":
            return f"still firing after {duration(views[0].duration)}" if views else "still firing"
        case "reopened":
            return "firing again"
        case "new alerts":
            return f"now {number(firing)} firing"
        case "some resolved":
            return f"{number(len(views) - firing)} resolved, {number(firing)} still firing"
        case "all resolved":
            return f"after {duration(_longest(views))}" if views else "over"
        case "acknowledged":
            return _acknowledged(views)
        case _:
            return ""


def _acknowledged(views: list[AlertView]) -> str:
    names = dict.fromkeys(_acknowledger(view) for view in views if view.acknowledged_by)
    return f"acknowledged by {', '.join(names)}" if names else "no longer acknowledged"


def _acknowledger(view: AlertView) -> str:
    """Returns ``Ann: reroutes it``."""
    comment = clean(view.acknowledged_comment, 200)
    return clean(view.acknowledged_by, 60) + (f": {comment}" if comment else "")


def _longest(views: list[AlertView]) -> int:
    return max(view.duration for view in views)


def title(notification: Notification, *, short: bool = False) -> str:
    """Returns the sentence of the worst alert and how many others there are, for previews. ``short`` as in `sentence`."""
    views = shown_views(notification)
    if not views:
        return f"{clean(notification.group_labels.get('alertname', 'Alert'))}: no alert is firing"
    if notification.tally and notification.status == "firing":
        return storm(notification)
    said, others = sentence(views[0], short=short), len(views) - 1 + notification.truncated
    if notification.incident:
        said = f"{where}: {said}" if (where := place_of(notification)) else said
        return f"{said}, {rest}" if (rest := others_of(notification)) else said
    return said + (f" (+{number(others)} more)" if others else "")


def incident(notification: Notification) -> str:
    """Returns where an incident is and what else is of it: ``Country GR, and 3 more alerts of 1 rule: 3 operators``; empty if that is nothing."""
    said = ", ".join(filter(None, (place_of(notification), others_of(notification))))
    return said[:1].upper() + said[1:]


def place_of(notification: Notification) -> str:
    """Returns where the incident is, if the alert that names it does not say so: ``Country GR``."""
    views = shown_views(notification)
    if not views or notification.place.items() <= views[0].labels.items():
        return ""
    said = scope(notification.place)[1]
    return said[:1].upper() + said[1:]


def others_of(notification: Notification) -> str:
    """Returns what else is of the incident: ``and 6 more alerts of 4 rules: country GR, 3 operators, all messages``; empty if nothing is."""
    views = shown_views(notification)
    count = len(views) - 1 + notification.truncated
    if not notification.incident or count < 1:
        return ""
    rules = len({view.rule for view in views[1:]})
    of_rules = f" of {plural(rules, 'rule')}" if rules and count > 1 else ""
    scopes = f": {', '.join(_scopes(views[1:]))}" if rules else ""
    return f"and {plural(count, 'more alert')}{of_rules}{scopes}"


def _scopes(views: list[AlertView]) -> list[str]:
    """Returns which messages the alerts are about, each kind of group once: ``country GR``, ``3 operators``, ``all messages``."""
    kinds: dict[str, dict[str, str]] = {kind: {} for kind in _SCOPES}
    for view in views:
        kind, name = scope(view.labels)
        kinds.setdefault(kind, {})[name] = name
    said = [
        next(iter(names)) if len(names) == 1 else f"{number(len(names))} {noun(kind, len(names))}"
        for kind, names in kinds.items()
        if names
    ]
    return [*said[:_MOST_NAMES], *(["others"] if len(said) > _MOST_NAMES else [])]


def storm(notification: Notification) -> str:
    """Returns ``Storm: 9,981 more alerts at once: 9,000 OperatorFailureRate, 981 CountryOutage``; for reports ``30 more reports, in one message:
    …``.
    """
    counts = [f"{number(count)} {clean(name or 'unnamed', 60)}" for name, count in notification.tally.items()]
    rest = [f"{number(len(counts) - _MOST_NAMES)} other names"] if len(counts) > _MOST_NAMES else []
    total = sum(notification.tally.values())
    what = f"{number(total)} more reports" if notification.is_report else f"Storm: {number(total)} more alerts"
    return f"{what}, in one message: " + ", ".join(counts[:_MOST_NAMES] + rest)


def measured(view: AlertView) -> str:
    """Returns ``34.2% (threshold 20%)``, ``62 (usual 15)``."""
    unit: Unit = view.unit
    if view.value is None:
        return "–"
    wording = wording_of(view.kind)
    if view.baseline is not None and wording is not None and wording.shows_usual:
        return f"{amount(view.value, unit)} (usual {amount(view.baseline, unit)})"
    limit = "" if view.threshold is None else f" (threshold {threshold(view.threshold, unit, view.value)})"
    return f"{measured_value(view)}{limit}"


def counted(view: AlertView) -> str:
    """Returns ``411 of 1,204``, or the number of messages."""
    return f"{number(view.matching)} of {number(view.messages)}" if view.matching else number(view.messages)


def notes(view: AlertView, longest: int = 2000) -> list[str]:
    """Returns the rule's summary and description. They are left out for a built-in alert that is over, because they describe its problem."""
    if view.kind == "builtin" and view.status == "resolved":
        return []
    texts = [clean_lines(view.annotations.get(key, ""), longest) for key in ("summary", "description")]
    return [text for text in texts if text]


def advice(view: AlertView, longest: int = 2000) -> list[str]:
    """Returns the `notes` without a summary that only repeats the alert's sentence in other words."""
    texts = notes(view, longest)
    summary = clean_lines(view.annotations.get("summary", ""), longest)
    return texts[1:] if texts and texts[0] == summary and _repeats(summary, view) else texts


def _repeats(summary: str, view: AlertView) -> bool:
    """Returns whether the summary says nothing new: one of its numbers and nearly all of its words are in the alert's sentence or labels."""
    said = _words(" ".join([sentence(view), view.why, *view.labels.values()]))
    words = _words(summary)
    numbers = {word for word in words if word[0].isdigit()}
    return bool(numbers & said or (view.why and view.why in summary)) and _OWN_PART * len(words - said) <= len(words)


def _words(text: str) -> set[str]:
    return {word.rstrip(".,").removesuffix("%") for word in _WORD.findall(text.lower())}


def marks(view: AlertView) -> list[str]:
    """Returns whether the alert is acknowledged, silenced or flapping, or only keeps firing, in words."""
    said = [f"acknowledged by {_acknowledger(view)}"] if view.acknowledged_by and not view.ends_at else []
    said += [clean(view.suppressed, 120)] if view.suppressed else []
    said += [text] if (text := fires_on(view)) else []
    if view.flapping:
        times = "once" if view.flapping == 1 else f"{number(view.flapping)} times"
        said.append(f"flapping: {times} in the last hour")
    return said


def held_back(view: AlertView) -> str:
    """Returns how many groups the rule's ``limit`` left out."""
    if not view.more:
        return ""
    return f"{number(view.more)} more {'group is' if view.more == 1 else 'groups are'} over the threshold too"
