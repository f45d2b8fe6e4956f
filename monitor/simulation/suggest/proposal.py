"""Proposes a threshold for each rule: the most sensitive one that would have alerted no more often than wished.

One backtest records what the rules found. Thresholds are tried on that record, and only those that are proposed are judged over the past again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final

from monitor.alerts.kinds import RuleResult, kind_of
from monitor.alerts.kinds.tuning import WrittenThreshold
from monitor.config.rules import Rule
from monitor.runtime.clock import DAY, MINUTE, Duration, Instant, format_duration
from monitor.runtime.dataclass import dataclass
from monitor.simulation.backtest.run import Backtest, Subject, Trial
from monitor.simulation.backtest.step_size import EvaluationSpan
from monitor.simulation.backtest.unknown_values import is_evaluated
from monitor.simulation.backtest.variant import changed
from monitor.simulation.replay import Episode
from monitor.simulation.suggest.ladder import Rung, ladder, moved
from monitor.simulation.suggest.ordinary import Ordinary, bound, ordinary
from monitor.simulation.suggest.recorded import MOST_NUMBERS, RecordedRule
from monitor.simulation.suggest.replayed import replayed

SHORTEST: Final[Duration] = 3 * DAY
"""A shorter history does not show what is usual: it may lack the nights, or the weekend."""
ENOUGH_TIME: Final[Duration] = DAY
"""With values for less time than this there is not enough data."""
ROUNDING: Final = 0.05
"""A week that lacks some hours counts as a week."""
MOST_ROUNDS: Final = 4
"""How often proposals that alert more often than their record says are replaced by less sensitive ones."""
REAL_FOR: Final[Duration] = 10 * MINUTE
REAL_BEYOND: Final = 2.0
"""An alert looks real that lasted so long, and whose value was so many times as far as the ordinary values."""

IsGood = Callable[[Rule], bool]
"""Whether a changed rule goes with the configuration."""
Judge = Callable[[Sequence[Subject]], Backtest]
"""Judges rules over the same past again."""


@dataclass(slots=True)
class Recorder:
    """Records what rules find while they are judged; it is the ``watch`` of a backtest."""

    span: EvaluationSpan
    most_numbers: int = MOST_NUMBERS
    rules: dict[str, list[RecordedRule]] = field(default_factory=dict)

    def watch(self, account: str, rule: Rule, as_of: Instant, result: RuleResult) -> None:
        """Takes one result."""
        if not kind_of(rule).tuning.thresholds(rule):
            return
        recorded = self.rules.setdefault(rule.name, [])
        if not recorded or recorded[-1].account != account:
            recorded.append(RecordedRule(account, rule, self.span.steps, self.most_numbers))
        recorded[-1].take(as_of, result)


@dataclass(slots=True)
class Suggestion:
    """What is proposed for one rule: ``rungs`` in place of its ``thresholds``; none if it stays as it is, and ``why`` says so.

    ``trial`` is the rule as it is, ``proposed`` the rule with the proposal, both judged.
    """

    trial: Trial
    recorded: Sequence[RecordedRule]
    most: int
    """How many alerts were wished at most."""
    thresholds: tuple[WrittenThreshold, ...] = ()
    usual: Ordinary | None = None
    rungs: tuple[Rung, ...] = ()
    proposed: Trial | None = None
    why: str = ""
    fits: bool = False
    """Whether the rule already alerts as seldom as wished, at the best threshold for that."""

    @property
    def rule(self) -> Rule:
        """The rule as it is."""
        return self.trial.subject.rule

    def alerts(self, trial: Trial) -> list[Episode]:
        """The alerts that the threshold decides about."""
        return deciding(self.rule, trial.alerts)

    def looks_real(self, alert: Episode, until: Instant) -> bool:
        """Whether it lasted, and went far beyond the ordinary values."""
        end = alert.resolved_at or until
        recorded = next((one for one in self.recorded if one.account == alert.account), None)
        worst = recorded.worst(alert.group, alert.pending_at, end) if recorded is not None else None
        if self.usual is None or recorded is None or worst is None or end - (alert.firing_at or end) < REAL_FOR:
            return False
        far = bound(self.usual.value, self.thresholds[0].form, recorded.below, REAL_BEYOND)
        return worst <= far if recorded.below else worst >= far


def deciding(rule: Rule, alerts: Sequence[Episode]) -> list[Episode]:
    """The alerts of a rule that its threshold decides about."""
    decides = kind_of(rule).tuning.decides
    return [one for one in alerts if decides(one.group)]


def is_kept(alert: Episode, proposed: Sequence[Episode], until: Instant) -> bool:
    """Whether one of the proposed rule's alerts tells of the same: the same group at an overlapping time."""
    start, end = alert.firing_at or until, alert.resolved_at or until
    return any(
        (one.account, one.group) == (alert.account, alert.group)
        and (one.firing_at or until) <= end
        and (one.resolved_at or until) >= start
        for one in proposed
    )


def suggest(
    found: Backtest,
    recorded: Mapping[str, Sequence[RecordedRule]],
    alerts_a_week: float,
    is_good: IsGood,
    judge: Judge,
) -> list[Suggestion]:
    """A suggestion for each trial of a backtest, in their order; what is proposed has been judged again."""
    most = int(found.span.weeks * alerts_a_week + ROUNDING)
    searches = [
        _Search(trial, recorded.get(trial.subject.rule.name, ()), found, most, is_good) for trial in found.trials
    ]
    waiting = [search for search in searches if search.chosen is not None]
    for _ in range(MOST_ROUNDS):
        if not waiting:
            break
        judged = judge([subject for search in waiting if (subject := search.subject) is not None])
        waiting = [
            search for search, trial in zip(waiting, judged.trials, strict=True) if not search.is_confirmed_by(trial)
        ]
    for search in waiting:
        search.give_up()
    return [search.suggestion for search in searches]


class _Search:
    """The search for one rule's threshold. Candidates stand in order, the most sensitive first; ``chosen`` is one of them."""

    def __init__(
        self, trial: Trial, recorded: Sequence[RecordedRule], found: Backtest, most: int, is_good: IsGood
    ) -> None:
        self.suggestion = Suggestion(trial, recorded, most)
        self.chosen: int | None = None
        self._rule = trial.subject.rule
        self._most = most
        self._is_good = is_good
        self._rungs: list[tuple[Rung, ...]] = []
        self._subjects: dict[int, Subject | None] = {}
        tuning = kind_of(self._rule).tuning
        self._comparison = tuning.comparison(self._rule)
        self.suggestion.thresholds = tuning.thresholds(self._rule)
        self.suggestion.why = self._obstacle(found)
        if not self.suggestion.why:
            self._search()

    @property
    def subject(self) -> Subject | None:
        """The rule with the chosen thresholds."""
        return None if self.chosen is None else self._subject(self.chosen)

    def is_confirmed_by(self, trial: Trial) -> bool:
        """Takes the chosen thresholds if the rule, judged with them, alerts as seldom as wished; else chooses less sensitive ones."""
        assert self.chosen is not None
        if len(deciding(self._rule, trial.alerts)) <= self._most and not trial.errors:
            self.suggestion.rungs, self.suggestion.proposed = self._rungs[self.chosen], trial
            return True
        later = range(self.chosen + 1, len(self._rungs))
        self.chosen = next((at for at in later if self._subject(at) is not None and self._is_seldom(at)), None)
        if self.chosen is None:
            self.give_up()
            return True
        return False

    def give_up(self) -> None:
        """No threshold holds what its record promises."""
        self.suggestion.why = "no threshold that was tried alerts as seldom, when it is judged again"

    def _obstacle(self, found: Backtest) -> str:
        """Why nothing can be suggested, in words; empty if something can."""
        trial, recorded = self.suggestion.trial, self.suggestion.recorded
        if not is_evaluated(self._rule):
            return trial.unknown
        if not self.suggestion.thresholds:
            return kind_of(self._rule).tuning.why_none(self._rule)
        if trial.errors:
            return trial.errors[0]
        if found.span.length < SHORTEST:
            length, least = format_duration(found.span.length // MINUTE * MINUTE), format_duration(SHORTEST)
            return f"the history is too short: {length}, at least {least} are needed"
        self.suggestion.usual = ordinary(recorded, self.suggestion.thresholds[0].form)
        known = max((one.known_share for one in recorded), default=0.0) * found.span.length
        if self.suggestion.usual is None or known < ENOUGH_TIME:
            return f"not enough data: there were values for {format_duration(int(known) // MINUTE * MINUTE)}"
        return ""

    def _search(self) -> None:
        thresholds, present = self.suggestion.thresholds, self.suggestion.thresholds[0].size
        self._rungs = list(self._candidates())
        now = len(deciding(self._rule, self.suggestion.trial.alerts))
        assert self.suggestion.usual is not None
        fits = now <= self._most and not self._is_more_sensitive(present, self.suggestion.usual.bound)
        reverse = range(len(self._rungs) - 1, -1, -1)
        for at in reverse:
            if self._subject(at) is None or (fits and not self._is_more_sensitive(self._rungs[at][0].size, present)):
                continue
            if not self._is_seldom(at):
                break
            self.chosen = at
        if self.chosen is not None and all(
            rung.size == level.size for rung, level in zip(self._rungs[self.chosen], thresholds, strict=True)
        ):
            self.chosen, fits = None, True
        if self.chosen is None:
            self.suggestion.fits = fits
            self.suggestion.why = "stays as it is" if fits else self._hopeless()

    def _hopeless(self) -> str:
        allowed = [rungs[0].text for at, rungs in enumerate(self._rungs) if self._subject(at) is not None]
        return (
            f"even {allowed[-1]} would alert more often" if allowed else "ordinary values leave room for no threshold"
        )

    def _candidates(self) -> Iterator[tuple[Rung, ...]]:
        """The thresholds to try: no closer to ordinary values than allowed, up to the first that nothing crossed."""
        thresholds, recorded, usual = self.suggestion.thresholds, self.suggestion.recorded, self.suggestion.usual
        rungs = ladder(thresholds[0].form, self._comparison)
        floors = [one.floor for one in recorded if one.floor is not None]
        bounds = [*floors, *([usual.bound] if usual is not None else [])]
        for rung in reversed(rungs) if self._comparison == "below" else rungs:
            if any(self._is_more_sensitive(rung.size, bound) for bound in bounds):
                continue
            levels = moved(thresholds, rung, rungs, self._comparison)
            if levels is not None:
                yield tuple(levels)
            if not any(one.crossed(rung.size).any() for one in recorded):
                return

    def _is_more_sensitive(self, one: float, other: float) -> bool:
        return one > other if self._comparison == "below" else one < other

    def _is_seldom(self, at: int) -> bool:
        """Whether the record gives no more alerts than wished with these thresholds, and a rule can have them."""
        subject, sizes = self._subject(at), [rung.size for rung in self._rungs[at]]
        if subject is None:
            return False
        alerts = 0
        for recorded in self.suggestion.recorded:
            alerts += len(deciding(self._rule, replayed(recorded, subject.rule, sizes)))
            if alerts > self._most:
                return False
        return True

    def _subject(self, at: int) -> Subject | None:
        """The rule with these thresholds; None where they are not allowed."""
        if at not in self._subjects:
            paths = [".".join(map(str, level.path)) for level in self.suggestion.thresholds]
            changes = [
                (f"{path}={rung.text}", path, rung.text) for path, rung in zip(paths, self._rungs[at], strict=True)
            ]
            subject = changed(self._rule, changes)
            good = isinstance(subject, Subject) and self._is_good(subject.rule)
            self._subjects[at] = subject if isinstance(subject, Subject) and good else None
        return self._subjects[at]
