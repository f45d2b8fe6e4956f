"""Finds the labels that alerts can have, from configuration and rules alone, so that impossible matchers are reported.

A label's values are known if the configuration or the rule contains them (the rule's name, severities and labels; the accounts). They are
open if they come from messages.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from monitor.config.monitor import Config, every_route
from monitor.config.rules import Rule
from monitor.config.yaml import near_miss, nearest
from monitor.model.builtin_alerts import BUILT_IN
from monitor.model.message import FIELDS
from monitor.routing.matchers import Matcher
from monitor.routing.route import ALL_LABELS, RANKS, Route
from monitor.runtime.dataclass import dataclass

Labels = Mapping[str, frozenset[str] | None]
"""The values that each label of one kind of alert can have; None means any value that messages have."""

_GROUPS_OF_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "MonitorBlind": ("account", "search"),
    "GapInHistory": ("account", "search"),
    "HistoryUnread": ("account", "search"),
    "RuleError": ("rule",),
    "NotificationFailing": ("receiver", "channel"),
    "InternalError": ("task",),
}


@dataclass(frozen=True, slots=True)
class PossibleAlerts:
    """Every kind of alert that the rules and the daemon can raise."""

    kinds: tuple[Labels, ...]

    @classmethod
    def of(cls, config: Config, rules: Iterable[Rule]) -> "PossibleAlerts":
        """Returns the alerts that these rules can raise, including disabled rules, because these may be enabled."""
        accounts = frozenset(account.name for account in config.accounts)
        return cls((*(_of_rule(rule, accounts) for rule in rules), *_built_in(accounts)))

    def meeting(self, matchers: Iterable[Matcher]) -> "PossibleAlerts":
        """Returns the kinds that can meet all of the matchers."""
        matchers = tuple(matchers)
        return PossibleAlerts(tuple(kind for kind in self.kinds if all(_can_meet(one, kind) for one in matchers)))

    def why_none(self, matchers: Sequence[Matcher]) -> str:
        """Returns why no alert can meet the matchers; empty if one can."""
        if self.meeting(matchers).kinds:
            return ""
        for matcher in matchers:
            if not self.meeting([matcher]).kinds:
                return f"no alert can match {matcher}{self._hint(matcher)}"
        return f"no alert can match all of {', '.join(map(str, matchers))}"

    def _hint(self, matcher: Matcher) -> str:
        names = sorted({name for kind in self.kinds for name in kind})
        if matcher.name not in names:
            near = nearest(matcher.name, names)
            return f": no alert has a label {matcher.name}" + (f"; did you mean {near}?" if near else "")
        values = sorted({value for kind in self.kinds for value in kind.get(matcher.name) or ()})
        near = nearest(matcher.value, values)
        if near is not None:
            return f"; did you mean {near!r}?"
        return f"; {matcher.name} is one of {', '.join(values)}" if len(values) <= 6 else ""


def _of_rule(rule: Rule, accounts: frozenset[str]) -> Labels:
    labels: dict[str, frozenset[str] | None] = {"alertname": frozenset([rule.name])}
    labels |= {name: _values_of(name, rule, accounts) for name in rule.grouping}
    if len(accounts) > 1:
        labels["account"] = accounts
    labels["severity"] = frozenset(level.severity for level in rule.levels_)
    return labels | {name: frozenset([value]) for name, value in rule.labels.items()}


def _values_of(name: str, rule: Rule, accounts: frozenset[str]) -> frozenset[str] | None:
    if name == "account":
        return accounts
    return rule.values_of(name)


def _built_in(accounts: frozenset[str]) -> Iterator[Labels]:
    for one in BUILT_IN.values():
        group: dict[str, frozenset[str] | None] = dict.fromkeys(_GROUPS_OF_BUILT_IN[one.name])
        if one.of_account and (len(accounts) > 1 or "account" in group):
            group["account"] = accounts
        yield group | {"alertname": frozenset([one.name]), "severity": frozenset([one.severity])}


def _can_meet(matcher: Matcher, labels: Labels) -> bool:
    values = labels.get(matcher.name, frozenset([""]))
    if values is not None:
        return any(matcher.accepts(value) for value in values)
    return matcher.op != "=" or bool(
        matcher.value
    )  # a field that a message lacks has the value unknown, so no value is empty


def idle_routes(root: Route, alerts: PossibleAlerts) -> Iterator[str]:
    """Yields a sentence for each route that no alert can reach, without the routes below it."""
    for route in root.routes:
        if why := alerts.why_none(route.matchers):
            yield f"the route {route.key} is never taken: {why}"
        else:
            yield from idle_routes(route, alerts.meeting(route.matchers))


def idle_inhibitions(config: Config, alerts: PossibleAlerts) -> Iterator[str]:
    """Yields a sentence for each inhibition rule that can never apply."""
    for index, rule in enumerate(config.inhibit_rules):
        for side, matchers in (("source", rule.source_matchers), ("target", rule.target_matchers)):
            if why := alerts.why_none(matchers):
                yield f"inhibit_rules[{index}] never applies, because of its {side}_matchers: {why}"


def unknown_severities(root: Route, rules: Iterable[Rule]) -> Iterator[str]:
    """Yields a sentence for each unknown severity of a rule that no route asks for, if routes match severities or a known one is similar."""
    asked = [one for route in every_route(root) for one in route.matchers if one.name == "severity" and one.needs_label]
    for rule in rules:
        for severity in dict.fromkeys(level.severity for level in rule.levels_):
            if severity in RANKS or any(matcher.accepts(severity) for matcher in asked):
                continue
            near = near_miss(severity, [*RANKS, *(one.value for one in asked if one.op == "=")])
            if asked or near:
                guess = f"; did you mean {near!r}?" if near else ""
                yield f"rule {rule.name}: no route asks for the severity {severity!r}{guess}"


def idle_groupings(root: Route, alerts: PossibleAlerts) -> Iterator[str]:
    """Yields a sentence for each name in a route's ``group_by`` that is no label of an alert, and no field by which a rule may group."""
    names = sorted({"account", *FIELDS, *(name for kind in alerts.kinds for name in kind)})
    for name in dict.fromkeys(name for route in every_route(root) for name in route.group_by):
        if name not in names and name != ALL_LABELS:
            near = near_miss(name, names)
            guess = f"; did you mean {near!r}?" if near else ""
            yield f"group_by: no alert has a label {name!r}{guess}"
