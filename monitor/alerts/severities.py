"""The severities of alerts that are known by the name of their rule and their level."""

from collections.abc import Mapping

from monitor.config.rules import Rule
from monitor.model.alert import Transition
from monitor.model.builtin_alerts import BUILT_IN


def severity_after(one: Transition, rules: Mapping[str, Rule]) -> str:
    """Returns the severity after a transition, of rows that older versions stored by the rule's present levels; empty if it is unknown."""
    return "" if one.about is None else one.about.severity or severity_of(one.rule, one.about.level, rules)


def severity_of(name: str, level: int, rules: Mapping[str, Rule]) -> str:
    """Returns the severity of a level of the alerts of that name, also of built-in ones; empty if it is unknown, and for no level."""
    if not level:
        return ""
    built_in, rule = BUILT_IN.get(name), rules.get(name)
    return built_in.severity if built_in is not None else "" if rule is None else rule.severity_at(level)
