"""Computes which alerts a silence silences: those that fire now, and those that lack its labels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from monitor.routing.matchers import Matcher
    from monitor.runtime.clock import Instant

_MOST_NAMED: Final = 5
_MINUTES_AHEAD: Final = 8 * 24 * 60
"""How many minutes ahead the next time of a recurring silence is searched for: more than a week."""
ALWAYS_THERE: Final = frozenset({"alertname", "severity"})
"""The labels that every alert has."""

Alert = dict[str, Any]
"""An alert in the form of Alertmanager's API."""


def met_by(wanted: "Sequence[Matcher]", alerts: Sequence[Alert]) -> list[Alert]:
    """Returns the firing alerts that meet all matchers."""
    from monitor.routing.matchers import matches

    return [one for one in alerts if one["status"]["state"] != "unprocessed" and matches(wanted, one["labels"])]


def is_broad(wanted: "Sequence[Matcher]") -> bool:
    """Returns whether alerts that have none of the labels meet all matchers."""
    # Without a negation, the daemon refuses matchers that all accept a missing label.
    negates = any(one.op in ("!=", "!~") for one in wanted)
    return negates and not any(one.needs_label or one.name in ALWAYS_THERE for one in wanted)


def broad(wanted: "Sequence[Matcher]", met: Sequence[Alert]) -> str:
    """Returns why such a silence needs to be confirmed."""
    from monitor.routing.matchers import show

    labels = " or ".join(dict.fromkeys(one.name for one in wanted))
    return (
        f"nothing is silenced yet: alerts without the label {labels} meet {show(wanted)} too. "
        f"{_fire(met, 'It would silence')}. It also silences every such alert that begins later. Add --yes if you want that."
    )


def effect(made: dict[str, Any], wanted: "Sequence[Matcher]", alerts: Sequence[Alert], at: "Instant") -> list[str]:
    """Returns the lines about what the silence ``made`` does. ``alerts`` are all alerts at the time ``at``."""
    met, now = met_by(wanted, alerts), made.get("silencesNow", True)
    span = _recurring_span(made, at) if made.get("during") else _span(made)
    if not met:
        undo = f"routee-monitor silence expire {made['id'][:8]}"
        return [span, f"warning: no firing alert matches{suggestion(wanted, alerts)} (to take it back: {undo})"]
    return [span, _fire(met, "it silences" if now else "it would silence")]


def _span(made: dict[str, Any]) -> str:
    starts, ends = _bounds(made)
    return (
        f"silenced until {ends}"
        if made.get("silencesNow", True)
        else f"not silenced now, but from {starts} until {ends}"
    )


def _recurring_span(made: dict[str, Any], at: "Instant") -> str:
    """Returns ``silenced each sunday 02:00-06:00 Europe/Athens, next at 2026-11-29T00:00:00Z, until …``."""
    from monitor.cli.times import local_and_utc
    from monitor.config.monitor.interval import in_words
    from monitor.daemon.http.alertmanager_json import read_during
    from monitor.runtime.clock import MINUTE, parse_iso

    starts, ends = _bounds(made)
    begun = f"silenced each {in_words(made['during'])}"
    if made.get("silencesNow", True):
        return f"{begun}, also now, until {ends}"
    interval, first = read_during(made["during"]), max(at, parse_iso(made["startsAt"]))
    minutes = (first - first % MINUTE + MINUTE * step for step in range(1, _MINUTES_AHEAD))
    after = next((one for one in (first, *minutes) if interval.contains(one)), None)
    if after is not None and after >= parse_iso(made["endsAt"]):
        return f"warning: it never silences anything: its next time would be {local_and_utc(after)}, but it ends {ends}"
    when = f"next at {local_and_utc(after)}" if after is not None else f"from {starts}"
    return f"{begun}, {when}, until {ends}; not now"


def _bounds(made: dict[str, Any]) -> tuple[str, str]:
    from monitor.cli.times import local_and_utc
    from monitor.runtime.clock import parse_iso

    return local_and_utc(parse_iso(made["startsAt"])), local_and_utc(parse_iso(made["endsAt"]))


def suggestion(wanted: "Sequence[Matcher]", alerts: Sequence[Alert]) -> str:
    """Returns a suggestion for the first matcher that no alert meets, as the end of a sentence; empty if nothing is similar."""
    from monitor.config.yaml import suggest

    labels = [one["labels"] for one in alerts]
    for matcher in wanted:
        if not labels or any(matcher.matches(one) for one in labels):
            continue
        names = sorted({name for one in labels for name in one})
        if matcher.name not in names:
            return f": none has the label {matcher.name!r}" + suggest(matcher.name, names)
        if matcher.op == "=":
            return suggest(matcher.value, sorted({one[matcher.name] for one in labels if matcher.name in one}))
    return ""


def _fire(met: Sequence[Alert], does: str) -> str:
    """Returns ``It silences 7 alerts that fire now (OperatorFailureRate operator=Cosmote, …)``."""
    from monitor.model.plurals import plural

    if not met:
        return f"{does} no firing alert"
    named = [named_alert(one) for one in met[:_MOST_NAMED]]
    more = [f"{len(met) - _MOST_NAMED} more"] if len(met) > _MOST_NAMED else []
    return f"{does} {plural(len(met), 'alert')} that {'fires' if len(met) == 1 else 'fire'} now: " + "; ".join(
        named + more
    )


def named_alert(alert: Alert) -> str:
    """Returns ``OperatorFailureRate operator=Cosmote, country=GR``."""
    labels = alert["labels"]
    group = ", ".join(f"{key}={value}" for key, value in labels.items() if key not in ALWAYS_THERE)
    return f"{labels.get('alertname') or alert.get('fingerprint', '')} {group}".strip()
