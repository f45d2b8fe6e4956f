"""Inhibition: suppresses alerts that another firing alert explains."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import msgspec

from monitor.routing.matchers import Matcher

Alerts = Mapping[str, Mapping[str, str]]
"""The labels of each alert, by its fingerprint."""

Key = tuple[str, ...]
"""Values of the labels that must be equal."""


class Inhibition(msgspec.Struct, frozen=True):
    """While an alert that matches ``source`` fires, alerts that match ``target`` with the same values of the labels ``equal`` are not
    notified."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


def inhibited(rules: Sequence[Inhibition], firing: Alerts, apart: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the fingerprint of each inhibited alert with the fingerprint of the alert that inhibits it.

    ``apart`` has something of each alert that must be equal too, whatever the rules say: its account, where alerts of one account never
    inhibit those of another. A missing label equals an empty one. An alert that matches both sides of a rule is not inhibited by another
    such alert, and so not by itself. An inhibited alert still inhibits others. The first rule that inhibits an alert counts; of several
    sources, the one with the smallest fingerprint is returned.
    """
    found: dict[str, str] = {}
    index = _Index(firing, apart or {})
    for rule in rules:
        sources, targets = index.meeting(rule.source), index.meeting(rule.target) - found.keys()
        if sources and targets:
            found |= _inhibited_by(index.keys(rule.equal), sources, targets, sources & index.meeting(rule.target))
    return found


def _inhibited_by(keys: Mapping[str, Key], sources: set[str], targets: set[str], both: set[str]) -> dict[str, str]:
    """Returns one rule's targets with their sources; the alerts in ``both`` match both sides."""
    for_most = _least(keys, sources)
    for_both = _least(keys, sources - both) if both else for_most
    found = {one: (for_both if one in both else for_most).get(keys[one]) for one in targets}
    return {one: source for one, source in found.items() if source is not None}


def _least(keys: Mapping[str, Key], alerts: Iterable[str]) -> dict[Key, str]:
    """Returns the alert with the smallest fingerprint for each key."""
    return {keys[one]: one for one in sorted(alerts, reverse=True)}


class _Index:
    """An index of the firing alerts that caches the results of matchers. It tests a matcher once for each value of a label, not for each
    alert."""

    def __init__(self, firing: Alerts, apart: Mapping[str, str]) -> None:
        self._firing = firing
        self._apart = apart
        self._values: dict[str, dict[str, list[str]]] = {}
        self._meeting: dict[Matcher, set[str]] = {}
        self._keys: dict[tuple[str, ...], dict[str, Key]] = {}

    def meeting(self, matchers: tuple[Matcher, ...]) -> set[str]:
        """Returns the alerts that all of the matchers match."""
        return reduce(set.intersection, map(self._meets, matchers)) if matchers else set(self._firing)

    def keys(self, names: tuple[str, ...]) -> Mapping[str, Key]:
        """Returns each alert's values of these labels, and what keeps it apart; a missing label is empty."""
        if names not in self._keys:
            self._keys[names] = {
                one: (self._apart.get(one, ""), *[labels.get(name, "") for name in names])
                for one, labels in self._firing.items()
            }
        return self._keys[names]

    def _meets(self, matcher: Matcher) -> set[str]:
        found = self._meeting.get(matcher)
        if found is None:
            found = set[str]()
            for value, alerts in self._by_value(matcher.name).items():
                if matcher.accepts(value):
                    found.update(alerts)
            self._meeting[matcher] = found
        return found

    def _by_value(self, name: str) -> dict[str, list[str]]:
        if name not in self._values:
            grouped: dict[str, list[str]] = {}
            for one, labels in self._firing.items():
                grouped.setdefault(labels.get(name, ""), []).append(one)
            self._values[name] = grouped
        return self._values[name]
