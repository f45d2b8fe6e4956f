"""When a rule fires, in a few words: what tables and backtests show of it."""

from monitor.alerts.view import unit_of
from monitor.config.rules import Absence, Balance, Campaign, NewValue, Rule, Slo, Thresholded
from monitor.model.evaluate_words import percent
from monitor.notify.render.alert_sentence import threshold
from monitor.runtime.clock import format_duration


def condition(rule: Rule) -> str:
    """``above 20%``, ``below 10 / 5``, ``no messages for 45m``; the kind itself where there is nothing to say."""
    match rule:
        case Thresholded():
            return f"{rule.comparison} {_limits(rule)}"
        case Balance():
            return f"{'lasts ' if rule.is_span else ''}below {_limits(rule)}"
        case Absence():
            return f"no messages for {format_duration(rule.window)}"
        case NewValue():
            return f"new {rule.field}"
        case Slo():
            return f"objective {percent(rule.objective)} over {format_duration(rule.period)}"
        case Campaign():
            return ", ".join(_problems(rule))
        case _:
            return rule.kind


def _limits(rule: Rule) -> str:
    unit = unit_of(rule)
    return " / ".join(
        threshold(level.limit, unit) if isinstance(level.limit, float) else str(level.limit) for level in rule.levels_
    )


def _problems(rule: Campaign) -> list[str]:
    said = [f"failed above {percent(rule.failure_above)}"] if rule.failure_above is not None else []
    said += [f"stalled for {format_duration(rule.stalled_for)}"] if rule.stalled_for is not None else []
    said += [f"short below {percent(rule.short_below)}"] if rule.short_below is not None else []
    return said + (["ended"] if rule.ended is not None else [])
