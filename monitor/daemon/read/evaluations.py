"""The recent evaluations of one group of a rule, for charts. Pure."""

from monitor.alerts.evaluation import Group
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import unit_of
from monitor.config.rules import Rule
from monitor.daemon.read.fields import Time, read_model
from monitor.model.finding import Unit


@read_model
class EvaluationPoint:
    """One evaluation of one group."""

    as_of: Time
    value: float | None
    """Null if there was not enough data, or no value."""
    threshold: float | None
    baseline: float | None
    """What is usual; null if the rule has no baseline."""
    evidence: float | None
    """How much evidence there was of what begins an alert (1), for rules of the kind `shift`; else null."""
    messages: int


@read_model
class GroupEvaluations:
    """The recent evaluations of one group, the oldest first. Further back there are fewer."""

    account: str
    rule: str
    labels: dict[str, str]
    unit: Unit
    comparison: str
    points: tuple[EvaluationPoint, ...]


def evaluations_of(rule: Rule, evaluator: RuleEvaluator, group: Group) -> GroupEvaluations:
    """Returns the recent evaluations of a group; without points if they are not kept. Of a rule with many groups the worst and largest are."""
    known = evaluator.history.progress(rule.name, group)
    points = tuple(
        EvaluationPoint(one.as_of, one.value, one.threshold, one.baseline, one.evidence, one.messages) for one in known
    )
    return GroupEvaluations(evaluator.account, rule.name, dict(group), unit_of(rule, group), rule.comparison, points)


def group_from(labels: dict[str, str], rule: Rule) -> Group:
    """Returns the rule's group with these labels. Raises ValueError, naming the fields, if the rule groups by others."""
    if set(labels) != set(rule.grouping):
        wanted = ", ".join(rule.grouping) or "nothing"
        raise ValueError(f"{rule.name} groups by {wanted}: give a value for each of these fields and for no other")
    return tuple((name, labels[name]) for name in rule.grouping)
