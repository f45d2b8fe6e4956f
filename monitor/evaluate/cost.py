"""``cost``: money spent."""

import numpy as np

from monitor.evaluate.amount import codes_of, judged
from monitor.evaluate.judgement import Judgement, Moment
from monitor.evaluate.question import considered
from monitor.evaluate.words import money, number
from monitor.rules import Cost
from monitor.window.measures import sums


def evaluate(rule: Cost, moment: Moment) -> Judgement:
    """The sum of the prices of each group's messages, in the account's currency; ``matching``: those whose price is given."""
    question, codes = considered(rule, moment.as_of, rule.window), codes_of(rule, moment)
    spent = sums(moment.reading, question)
    value = np.nan_to_num(spent.at(codes))
    messages = moment.reading.tally(question).at(codes)

    def measured(amount: float) -> str:
        return f"{money(amount)} spent"

    return judged(rule, moment, codes, value, messages, spent.tally.at(codes), number, measured)
