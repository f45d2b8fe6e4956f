"""What explains an alert: the values of other fields that carry the excess over what is usual."""

from collections.abc import Mapping

from monitor.clock import HOUR
from monitor.evaluate.judgement import Moment
from monitor.evaluate.question import considered, of
from monitor.message import UNKNOWN
from monitor.notification import Cause, Sample
from monitor.rules import Count, Match, Rate, Rule, Spike
from monitor.window import Question

DIMENSIONS = ("operator", "country", "detailedStatus", "campaign", "from", "label")
OUTCOMES = frozenset({"detailedStatus"})
"""Fields that say how a message fared rather than which message it is: they have no share of the traffic."""
LEAST_SHARE = 0.3
LEAST_LIFT = 0.15
"""A value explains something where it carries this much more of the excess than of the traffic."""
MOST = 4

Group = tuple[tuple[str, str], ...]


def breakdown(rule: Rule, moment: Moment, group: Group) -> tuple[Cause, ...]:
    """The values that carry most of the excess of one group, at most one a field, the largest share first."""
    asked = _asked(rule, moment)
    code = moment.reading.code(rule.by, tuple(value for _, value in group))
    if asked is None or code is None:
        return ()
    question, match = asked
    before = _before(question)
    now, past = (moment.reading.rows(q, code) for q in (question, before))
    bad, was_bad = (moment.reading.rows(q.narrowed(match.conditions), code) for q in (question, before))
    scale = len(now) / len(past) if len(past) and match else _by_time(question, before)
    excess = len(bad) - len(was_bad) * scale
    if excess <= 0:
        return ()
    causes = []
    for name in DIMENSIONS:
        if name in rule.by or _is_fixed(name, question, match):
            continue
        split = moment.reading.split
        traffic = {} if name in OUTCOMES else split(now, name)
        causes += _cause(name, split(bad, name), split(was_bad, name), traffic, scale, excess)
    return tuple(sorted(causes, key=lambda cause: cause.share, reverse=True)[:MOST])


def samples(rule: Rule, moment: Moment, group: Group, most: int = 5) -> tuple[Sample, ...]:
    """The latest messages of a group that count against the rule."""
    asked = _asked(rule, moment)
    code = moment.reading.code(rule.by, tuple(value for _, value in group))
    if asked is None or code is None:
        return ()
    question, match = asked
    return moment.reading.samples(moment.reading.rows(question.narrowed(match.conditions), code), most)


def _asked(rule: Rule, moment: Moment) -> tuple[Question, Match] | None:
    """The messages that a rule considers, and which of them it counts."""
    match rule:
        case Rate() | Spike(measure="rate"):
            question = considered(rule, moment.as_of, rule.window, within=rule.receipts_within)
            return of(question, rule.of), rule.match
        case Spike():
            return considered(rule, moment.as_of, rule.window, within=rule.receipts_within), rule.match
        case Count():
            return considered(rule, moment.as_of, rule.window), rule.match
    return None


def _before(question: Question) -> Question:
    """The time before, long enough to show what is usual."""
    length = max(6 * (question.end - question.start), HOUR)
    return question.moved(question.start - length, question.start)


def _by_time(question: Question, before: Question) -> float:
    return (question.end - question.start) / (before.end - before.start)


def _is_fixed(name: str, question: Question, match: Match) -> bool:
    """Whether the rule itself asks for one value of the field, so that finding it says nothing."""
    conditions = (*question.conditions, *match.conditions)
    return any(c.field == name and c.operator == "is" and len(c.values) == 1 for c in conditions)


def _cause(
    name: str,
    bad: Mapping[str, int],
    was_bad: Mapping[str, int],
    traffic: Mapping[str, int],
    scale: float,
    excess: float,
) -> list[Cause]:
    """The value of a field that carries most, if it carries enough to explain something."""
    carried = {value: count - was_bad.get(value, 0) * scale for value, count in bad.items() if value != UNKNOWN}
    if not carried:
        return []
    value = max(carried, key=lambda one: (carried[one], one))
    share = min(carried[value] / excess, 1.0)
    usual = traffic.get(value, 0) / max(sum(traffic.values()), 1)
    if share < LEAST_SHARE or share - usual < LEAST_LIFT:
        return []
    return [Cause(name, value, share, bad[value])]
