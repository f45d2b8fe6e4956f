"""Checks whether the configured searches can answer a rule.

A search that filters by status returns only messages of some statuses, and loses each message when its status changes. Such a search can
still answer how many of them there are. A share, a latency, a sum of money or a comparison with the past needs the messages that it hides.
Other filters (label, campaign, direction) select whole messages, from their first status to their last, so they hide nothing from a rule
about these messages.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from monitor.config.monitor import Config, Search
from monitor.config.rules import Condition, Rule
from monitor.config.yaml import FieldProblem
from monitor.model.message import FINAL, STATUSES
from monitor.model.routee_query import STATUS, Filter

Scope = frozenset[object]
"""What a search asks for, apart from statuses."""

NAMES: Final = ("everything", "all_statuses", "unfiltered")


def unanswered(rule: Rule, config: Config) -> Iterator[FieldProblem]:
    """Yields a problem if the searches of a rule hide messages that it needs; the message says which search to add."""
    for account in config.accounts:
        searches = [one for one in config.searches if one.account == account.name]
        asked = [one for one in searches if rule.search in (None, one.name)]
        if asked and _may_be(rule.meant(), "account", account.name) and (why := _hidden(rule, asked)):
            narrow = next(one for one in asked if one.question.by_status)
            yield FieldProblem(
                ("search",) if rule.search is not None else (), f"{why}. {_remedy(rule, narrow, searches, config)}"
            )


def _hidden(rule: Rule, searches: Sequence[Search]) -> str:
    """Returns why these searches cannot answer a rule; empty if they can."""
    scopes = {scope: _returned(searches, scope) for scope in map(_scope, searches) if _concerns(rule, scope)}
    meant = _statuses(rule.meant())
    seen = frozenset[str]().union(*scopes.values())
    names = ", ".join(one.name for one in searches if one.question.by_status)
    several = "," in names
    what, does = f"{'searches' if several else 'search'} {names}", "do" if several else "does"
    for scope, had in scopes.items():
        wider = frozenset[str]().union(*(found for other, found in scopes.items() if other <= scope))
        against = rule.measured_against()
        missing = frozenset() if against is None else _statuses(against) - wider
        if missing:
            return f"a rule of kind {rule.kind} needs messages that {what} {does} not return ({_listed(missing)})"
        fleeting = (had & meant) - FINAL if against is None and rule.remembers else frozenset()
        if fleeting and wider != frozenset(STATUSES):
            return f"a rule of kind {rule.kind} compares with the past, and a message leaves {what} when its status changes"
    if scopes and meant and not meant & seen:
        return f"the rule is about messages that are {_listed(meant)}, and {what} {does} not return them"
    return ""


def _returned(searches: Iterable[Search], scope: Scope) -> frozenset[str]:
    """Returns the statuses that the searches of one scope return together."""
    return frozenset(
        status for one in searches if _scope(one) == scope for status in STATUSES if one.question.can_have(status)
    )


def _scope(search: Search) -> Scope:
    question = search.question
    others = {one for one in question.filters if one.field != STATUS}
    return frozenset(
        {*others, ("campaign", bool(question.campaign)), ("tracking_id", question.tracking_id)} - _NO_LIMITS
    )


_NO_LIMITS: Final = frozenset({("campaign", False), ("tracking_id", None)})


def _concerns(rule: Rule, scope: Scope) -> bool:
    """Returns whether a rule can be about messages of a scope."""
    fields = [(one.field, one.term) for one in scope if isinstance(one, Filter) and one.operator == "is"]
    return all(_may_be(rule.meant(), field, term) for field, term in fields)


def _may_be(conditions: Iterable[Condition], field: str, value: str) -> bool:
    return all(one.matches({field: value}) for one in conditions if one.field == field)


def _statuses(conditions: Iterable[Condition]) -> frozenset[str]:
    """Returns the statuses that meet all conditions on the status."""
    about = [condition for condition in conditions if condition.field == "status"]
    return frozenset(status for status in STATUSES if all(one.matches({"status": status}) for one in about))


def _listed(statuses: frozenset[str]) -> str:
    return ", ".join(status for status in STATUSES if status in statuses)


def _remedy(rule: Rule, narrow: Search, searches: Sequence[Search], config: Config) -> str:
    """Returns which search to write instead, or to add."""
    scope = _scope(narrow)
    for one in searches:
        if _scope(one) <= scope and not one.question.by_status:
            return f"Write search: {one.name}"
    taken = {one.name for one in searches}
    name = next(name for name in (*NAMES, f"{narrow.name}_all") if name not in taken)
    also = f" and write search: {name} here" if rule.search is not None else ""
    return f"Add to searches: {_written(name, narrow, config)}{also}"


def _written(name: str, narrow: Search, config: Config) -> str:
    """Returns the line of the search that returns what a narrow one hides."""
    question, parts = narrow.question, [f"name: {name}"]
    if len(config.accounts) > 1:
        parts.append(f"account: {narrow.account}")
    if filters := [one for one in question.filters if one.field != STATUS]:
        parts.append(f"filters: [{', '.join(map(_filter, filters))}]")
    if question.campaign:
        parts.append("campaign: true")
    if question.tracking_id:
        parts.append(f"tracking_id: {json.dumps(question.tracking_id)}")
    return f"- {{{', '.join(parts)}}}"


def _filter(one: Filter) -> str:
    return f"{{field: {one.field}, {one.operator}: {json.dumps(one.term, ensure_ascii=False)}}}"
