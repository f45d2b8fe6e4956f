"""Puts together what is known of each rule's past."""

from collections.abc import Sequence

from monitor.config.rules.balance import Balance
from monitor.runtime.clock import Instant
from monitor.simulation.backtest.run import Backtest
from monitor.simulation.backtest.unknown_values import is_evaluated
from monitor.simulation.review.alerts import AlertTotals, PastAlert, judged
from monitor.simulation.review.overlap import overlaps
from monitor.simulation.review.reach import Observer, why_never
from monitor.simulation.review.verdict import RuleReview, weigh
from monitor.window import Window


def reviews_of(
    found: Backtest,
    observer: Observer,
    windows: Sequence[Window],
    raised: Sequence[PastAlert],
    since: Instant,
    until: Instant,
) -> list[RuleReview]:
    """A review of each rule of a backtest, the worst first. ``raised`` are the alerts that the daemon raised between the two instants."""
    reviews = []
    first = min((one.begun for one in raised if one.begun is not None), default=None)
    begins = max(found.span.since, _first_message(windows, found.span.since))
    for trial in found.trials:
        rule = trial.subject.rule
        known = is_evaluated(rule) and not trial.errors
        small, groups, _ = observer.small(rule)
        own = [one for one in raised if one.rule == rule.name]
        one = RuleReview(
            rule,
            AlertTotals.of(own, since, until, first),
            AlertTotals.of(map(judged, trial.alerts), begins, found.span.until) if known else None,
            nearest=observer.nearest(rule),
            never=list(why_never(rule, trial if known else None, observer, windows)),
            small=small,
            groups=groups,
            unknown=f"it could not be evaluated ({'; '.join(trial.errors)})" if trial.errors else trial.unknown,
            step=found.span.step,
        )
        reviews.append(one)
    # Money is spent by all messages, so a low balance has no cause in common with other alerts.
    together = overlaps({one.rule.name: one.usual.alerts for one in reviews if not isinstance(one.rule, Balance)})
    for one in reviews:
        one.overlaps = together.get(one.rule.name, ())
    return weigh(reviews)


def _first_message(windows: Sequence[Window], otherwise: Instant) -> Instant:
    """The date of the oldest message: before it an account may not have been in use, which says nothing of a rule."""
    dates = (window.columns.timeline.begins for window in windows)
    return min((date for date in dates if date is not None), default=otherwise)
