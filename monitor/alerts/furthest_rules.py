"""Finds the rules that look furthest back."""

from collections.abc import Iterable

from monitor.config.rules import Rule


def furthest_looking(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Returns the rule of each search, and of all together, that looks furthest back: what it looks at suffices for the others."""
    found: dict[str | None, Rule] = {}
    for rule in rules:
        if rule.search not in found or rule.reach > found[rule.search].reach:
            found[rule.search] = rule
    return tuple(found.values())
