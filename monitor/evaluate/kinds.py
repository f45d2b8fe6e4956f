"""Which function judges which kind of rule. A new kind is one file beside this one and one line here."""

from monitor.evaluate import count, rate, spike
from monitor.evaluate.judgement import Judgement, Moment
from monitor.rules import Count, Rate, Rule, Spike


def evaluate(rule: Rule, moment: Moment) -> Judgement:
    """The numbers of every group of a rule. Raises ValueError where the rule cannot be judged on this window."""
    match rule:
        case Rate():
            return rate.evaluate(rule, moment)
        case Count():
            return count.evaluate(rule, moment)
        case Spike():
            return spike.evaluate(rule, moment)
        case _:
            raise ValueError(f"rules of the kind {rule.kind!r} cannot be judged")
