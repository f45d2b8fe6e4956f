"""What a silence silences: of the alerts that fire now, and of those that lack its labels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from monitor.routing.matchers import Matcher

_MOST_NAMED: Final = 5
ALWAYS_THERE: Final = frozenset({"alertname", "severity"})
"""The labels that no alert lacks."""

Alert = dict[str, Any]
"""As Alertmanager's API gives one."""


def met_by(wanted: "Sequence[Matcher]", alerts: Sequence[Alert]) -> list[Alert]:
    """The alerts that fire and meet all matchers."""
    from monitor.routing.matchers import matches

    return [one for one in alerts if one["status"]["state"] != "unprocessed" and matches(wanted, one["labels"])]


def is_broad(wanted: "Sequence[Matcher]") -> bool:
    """Whether alerts that have none of the labels meet all matchers."""
    negates = any(one.op in ("!=", "!~") for one in wanted)  # others alone are refused: they choose nothing
    return negates and not any(one.needs_label or one.name in ALWAYS_THERE for one in wanted)


def broad(wanted: "Sequence[Matcher]", met: Sequence[Alert]) -> str:
    """Why such a silence needs to be confirmed."""
    from monitor.routing.matchers import show

    labels = " or ".join(dict.fromkeys(one.name for one in wanted))
    return (
        f"nothing is silenced yet: alerts without the label {labels} meet {show(wanted)} too. "
        f"{_fire(met, 'It would silence')}. It also silences every such alert that begins later. Add --yes if you want that."
    )


def effect(made: dict[str, Any], wanted: "Sequence[Matcher]", alerts: Sequence[Alert]) -> list[str]:
    """What a silence does, as it was made, in lines. ``alerts`` are all that there are."""
    from monitor.cli.times import spoken
    from monitor.runtime.clock import parse_iso

    met = met_by(wanted, alerts)
    starts, ends = (spoken(parse_iso(made[key])) for key in ("startsAt", "endsAt"))
    now = made.get("silencesNow", True)
    span = f"silenced until {ends}" if now else f"not silenced now, but from {starts} until {ends}"
    if not met:
        return [span, f"warning: no firing alert matches{suggestion(wanted, alerts)}"]
    return [span, _fire(met, "it silences" if now else "it would silence")]


def suggestion(wanted: "Sequence[Matcher]", alerts: Sequence[Alert]) -> str:
    """What the first matcher that no alert meets should perhaps have been, as the end of a sentence; empty where nothing is near."""
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
    """``It silences 7 alerts that fire now (OperatorFailureRate operator=Cosmote, …)``."""
    from monitor.model.plurals import plural

    if not met:
        return f"{does} no firing alert"
    named = [named_alert(one) for one in met[:_MOST_NAMED]]
    more = [f"{len(met) - _MOST_NAMED} more"] if len(met) > _MOST_NAMED else []
    return f"{does} {plural(len(met), 'alert')} that {'fires' if len(met) == 1 else 'fire'} now: " + "; ".join(
        named + more
    )


def named_alert(alert: Alert) -> str:
    """``OperatorFailureRate operator=Cosmote, country=GR``."""
    labels = alert["labels"]
    group = ", ".join(f"{key}={value}" for key, value in labels.items() if key not in ALWAYS_THERE)
    return f"{labels.get('alertname') or alert.get('fingerprint', '')} {group}".strip()
