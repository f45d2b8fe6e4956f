"""``balance``: how much money is left in the account, or how long it lasts at the present rate of spending."""

from typing import Final

import numpy as np

from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.levels import crossed, number_of, numbers_of
from monitor.alerts.kinds.prices import are_few, too_few
from monitor.alerts.kinds.result import NOT_ENOUGH, EvaluationInput, RuleResult, history_reaches
from monitor.alerts.kinds.tuning import untunable
from monitor.alerts.kinds.words import (
    limits,
    never,
    nothing,
    one_span,
    whole_reach,
)
from monitor.config.rules.balance import Balance
from monitor.model import phrases
from monitor.model.account_state import BalanceAt
from monitor.model.finding import Finding, Unit
from monitor.model.format import amount
from monitor.model.notification import AlertView
from monitor.model.phrases import against_threshold
from monitor.model.plurals import duration, money, number
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration, Instant, format_duration, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work
from monitor.runtime.printable import clean
from monitor.window import Query
from monitor.window.aggregates import charged, without_price

STALE: Final[Duration] = HOUR
"""Age above which a balance says nothing about now, unless two of the rule's own intervals are longer."""
SHORTEST: Final[Duration] = HOUR
"""The shortest span of messages from which a rate of spending is computed, unless the rule's window is shorter."""


@dataclass(frozen=True, slots=True)
class SpendingRate:
    """Money, and the span in which it was spent. ``unknown`` says why the rate is not known; empty if it is."""

    spent: float
    span: Duration
    unknown: str = ""


def evaluate(rule: Balance, inputs: EvaluationInput) -> RuleResult:
    """Returns the balance, or the seconds that it lasts; NaN if some is left and nothing is spent."""
    known, pace = inputs.account_state.balance_at(inputs.as_of), _pace(rule, inputs)
    unknown = _unknown(rule, inputs, known, pace)
    value = np.array([np.nan if known is None or unknown else _value(rule, known.balance.amount, pace)])
    breached, threshold = crossed(value, numbers_of(rule), below=True)
    if unknown or known is None:
        breached[:] = NOT_ENOUGH
    is_whole = inputs.is_read(rule.window)
    said = unknown if known is None or unknown else _said(known, pace, is_whole=is_whole)
    none = np.zeros(1, np.int64)

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, None, None, number_of(rule), said)

    return RuleResult(inputs.reading, (), none, breached, value, threshold, none, none, lambda at: said, absent)


def ahead(rule: Balance, inputs: EvaluationInput) -> Work[None]:
    """Sums what was spent."""
    inputs.spent(_spending(rule, inputs))
    yield


def _spending(rule: Balance, inputs: EvaluationInput) -> Query:
    """Returns the query for the messages in the window, as far as all of them are known, and not from before the account was in use."""
    known_since = max(inputs.covered_since, min(inputs.in_use_since, inputs.as_of - SHORTEST))
    start = max(inputs.as_of - rule.window, min(known_since, inputs.as_of))
    return Query(start, inputs.as_of, reported=True)


def _pace(rule: Balance, inputs: EvaluationInput) -> SpendingRate:
    """Returns what was spent in the window, as far as all of its messages are known."""
    question, whole = _spending(rule, inputs), np.zeros(1, np.int64)
    spent = inputs.spent(question)
    missing = inputs.count(without_price(question)).at(whole)
    priced = inputs.count(charged(question)).at(whole) - missing
    few = bool(are_few(priced, missing, rule.min_priced)[0])
    unknown = too_few(int(priced[0]), int(missing[0]), rule.min_priced) if few else ""
    return SpendingRate(float(np.nan_to_num(spent.at(whole))[0]), question.end - question.start, unknown)


def _unknown(rule: Balance, inputs: EvaluationInput, known: BalanceAt | None, pace: SpendingRate) -> str:
    """Returns why there is not enough data; empty if there is."""
    if known is None:
        return "not enough data: the balance has not been read yet"
    if inputs.as_of - known.at > max(STALE, 2 * (rule.every or 0)):
        return f"not enough data: the balance was last read at {_minute(known.at)}"
    if rule.is_span and pace.span < min(SHORTEST, rule.window):
        return f"not enough data: {history_reaches(inputs.covered_since)} only"
    return pace.unknown if rule.is_span and known.balance.amount > 0 else ""


def _minute(instant: Instant) -> str:
    return iso(instant - instant % SECOND)


def _value(rule: Balance, amount: float, pace: SpendingRate) -> float:
    return amount if not rule.is_span else _lasts(amount, pace)


def _lasts(amount: float, pace: SpendingRate) -> float:
    """Returns seconds; infinite time is NaN. An empty account lasts 0 seconds, although nothing is spent any more."""
    if amount <= 0:
        return 0.0
    return amount / pace.spent * pace.span / SECOND if pace.spent > 0 else np.nan


def _said(known: BalanceAt, pace: SpendingRate, *, is_whole: bool) -> str:
    """Returns for example ``41.20 EUR left: lasts 9h at 4.5 EUR an hour``; omits the rate until all messages of the window are known."""
    amount, currency = known.balance.amount, f" {known.balance.currency}".rstrip()
    left, span = f"{money(amount)}{currency} left", pace.span
    lasts = _lasts(amount, pace)
    if amount <= 0:
        return f"{left}: nothing more can be sent"
    if pace.unknown or not is_whole or span < MINUTE or (np.isnan(lasts) and span < HOUR):
        return left
    if np.isnan(lasts):
        return f"{left}: nothing was spent in {format_duration(span - span % MINUTE)}"
    return f"{left}: lasts {duration(lasts)} at {number(pace.spent * HOUR / span)}{currency} an hour"


def _sentence(view: AlertView) -> str:
    left, colon, pace = (clean(view.why, 300) or f"{amount(view.value, view.unit)} left").partition(":")
    return f"{left}{phrases.place(view)}{colon}{pace}"


def _unit(rule: Balance, group: Group = ()) -> Unit:
    return "seconds" if rule.is_span else "money"


def _condition(rule: Balance) -> str:
    return f"{'lasts ' if rule.is_span else ''}below {limits(rule, _unit(rule))}"


def _not_evaluated(rule: Balance) -> str:
    return "not judged, because past balances are not known"


KIND: Final = Kind[Balance](
    model=Balance,
    evaluate=evaluate,
    ahead=ahead,
    unit=_unit,
    matched=nothing,
    condition=_condition,
    case=lambda rule, inputs, group: None,
    wording=Wording(
        measure=_sentence,
        against=against_threshold,
        is_amount=True,
        shows_usual=False,
        counts_silence=never,
        axis="",
    ),
    example=Example(
        unit="money",
        values=(41.2, 50.0, None),
        below=True,
        why={"": "41.20 EUR left: lasts 9h at 4.5 EUR an hour"},
    ),
    past=PastEvaluation[Balance](spans=one_span, looked_at=whole_reach, is_known=False, unknown=_not_evaluated),
    tuning=untunable("past balances are not known"),
    batch=None,
)
