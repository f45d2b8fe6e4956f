"""Turns a rule's fields into queries to the window."""

from dataclasses import replace

from monitor.alerts.kinds.batch import Pair
from monitor.config.rules import Among, Match, Rule
from monitor.runtime.clock import Duration, Instant
from monitor.window import Query, RelativeQuery


def considered(
    rule: Rule, as_of: Instant, window: Duration, ago: Duration = 0, within: Duration | None = None
) -> Query:
    """Returns the query for the messages that a rule considers, in the span of ``window`` that ended ``ago`` before ``as_of``."""
    return Query(
        start=as_of - ago - window,
        end=as_of - ago,
        by=rule.by,
        conditions=rule.where.conditions,
        search=rule.search,
        within=within,
        unit=rule.unit,
        reported=True,
    )


def of(question: Query, what: Among) -> Query:
    """Returns the query for the denominator of a share: all messages, those with a final status, or those that match."""
    if isinstance(what, Match):
        return question.narrowed(what.conditions)
    return replace(question, final=True) if what == "final" else question


def pair(question: Query, match: Match) -> Pair:
    """Returns a query and one for its matching messages, to be asked at each evaluation; the span is relative to that time."""
    whole, part = RelativeQuery(question), RelativeQuery(question.narrowed(match.conditions))
    return whole, whole if part == whole else part
