"""Runs rules over the past of one or several accounts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field

from monitor.alerts.evaluation import Group
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import RuleResult, unit_of
from monitor.config.rules import Rule
from monitor.model.finding import Unit
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.backtest.notifications import MakeDispatcher, NotificationCount, NotificationCounter
from monitor.simulation.backtest.series import RuleSeries
from monitor.simulation.backtest.step_size import EvaluationSpan
from monitor.simulation.backtest.unknown_values import is_evaluated, unknown
from monitor.simulation.replay import Episode, Replay, times
from monitor.window import Window
from monitor.window.recorded_messages import RecordedMessages

Progress = Callable[[float], None]
"""Gets the finished part of the work, from 0 to 1."""


Watch = Callable[[str, Rule, Instant, RuleResult], None]
"""Gets each result: an account, a rule, the instant and what the rule found."""


def watch_nothing(account: str, rule: Rule, as_of: Instant, rule_result: RuleResult) -> None:
    """Results are used for the backtest only."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A rule to try, original or changed. ``name`` is the rule's own name; ``variant`` is the change (``above=15%``), empty for none."""

    rule: Rule
    name: str
    variant: str = ""


@dataclass(slots=True)
class Trial:
    """The result of one subject: the alerts that fired, how many ended while pending, and the values by account."""

    subject: Subject
    alerts: list[Episode] = field(default_factory=list)
    dropped: int = 0
    courses: dict[str, RuleSeries] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    notified: NotificationCount | None = None
    """The notifications of all rules, with this one in place of the original; None if they were not counted."""

    @property
    def notifications(self) -> int | None:
        """The number of notifications that had an alert of this rule; None if they were not counted."""
        return None if self.notified is None else self.notified.of(self.subject.name)

    def unit(self, group: Group = ()) -> Unit:
        """Returns the unit of a group's values."""
        return unit_of(self.subject.rule, group)

    @property
    def is_known(self) -> bool:
        """Whether there was data for any result; without data, a rule without alerts means nothing."""
        return any(series.known for series in self.courses.values())

    @property
    def unknown(self) -> str:
        """What the past does not show of the rule, in words; empty if it shows everything."""
        return unknown(self.subject.rule)


@dataclass(slots=True)
class Backtest:
    """The results of all subjects, in their order. ``messages`` counts the reports in the span."""

    span: EvaluationSpan
    trials: list[Trial]
    accounts: tuple[str, ...] = ()
    messages: int = 0
    seconds: float = 0.0
    notified: NotificationCount | None = None
    """The notifications of all rules as they are; None if they were not counted."""

    def labels(self, account: str, group: Group) -> dict[str, str]:
        """Returns the labels that distinguish the alerts of one rule."""
        return dict(group) | ({"account": account} if len(self.accounts) > 1 else {})


@dataclass(frozen=True, slots=True)
class AccountMessages:
    """One account's messages: the window, the searches that returned each message, and since when none is missing.

    ``slack``: see `monitor.window.recorded_messages.RecordedMessages`.
    """

    known: Window
    searches: Sequence[str]
    covered_since: Instant
    slack: Duration = 0
    time_zone: str = "UTC"


def run(
    accounts: Iterable[AccountMessages],
    subjects: Sequence[Subject],
    span: EvaluationSpan,
    progress: Progress,
    watch: Watch = watch_nothing,
    make_dispatcher: MakeDispatcher | None = None,
) -> Backtest:
    """Evaluates all subjects over the messages of all accounts. With ``make_dispatcher`` it also counts notifications, of each account alone."""
    found = Backtest(span, [Trial(subject) for subject in subjects])
    if make_dispatcher is not None:
        found.notified = NotificationCount()
        for trial in found.trials:
            trial.notified = NotificationCount() if trial.subject.variant else found.notified
    accounts = tuple(accounts)
    found.accounts = tuple(account.known.account for account in accounts)
    for number, account in enumerate(accounts):
        _one_account(account, found, _part(progress, number, len(accounts)), watch, make_dispatcher)
    for trial in found.trials:
        trial.alerts.sort(key=lambda episode: (episode.firing_at or 0, episode.group))
    return found


def _part(progress: Progress, number: int, count: int) -> Progress:
    """Returns a function for the progress of one of several equal parts."""
    return lambda done: progress((number + done) / count)


def _one_account(
    account: AccountMessages,
    found: Backtest,
    progress: Progress,
    watch: Watch,
    make_dispatcher: MakeDispatcher | None,
) -> None:
    span, past = found.span, RecordedMessages(account.known, account.slack)
    trials = {
        trial.subject.rule.name: trial
        for trial in found.trials
        if is_evaluated(trial.subject.rule) and trial.subject.rule.search in (None, *account.searches)
    }
    courses = {name: RuleSeries(span, trial.subject.rule.comparison == "below") for name, trial in trials.items()}
    evaluator = RuleEvaluator(past.window, [trial.subject.rule for trial in trials.values()], account.searches)
    evaluator.time_zone = account.time_zone

    def observe(rule: Rule, as_of: Instant, rule_result: RuleResult, _: Iterable[Group]) -> None:
        courses[rule.name].take(as_of, rule_result)
        watch(evaluator.account, rule, as_of, rule_result)

    evaluator.observe = observe
    replay = Replay(evaluator, past.feed, account.covered_since)
    if make_dispatcher is not None:
        replay.listeners = list(_counters(evaluator, list(trials.values()), found, make_dispatcher))
    past.feed(span.since - 1)
    for number, as_of in enumerate(times(span.since, span.until, span.step)):
        replay.step(as_of)
        progress(number / span.steps)
    found.messages += past.count(span.since, span.until)
    for name, trial in trials.items():
        trial.alerts += replay.of(name)
        trial.dropped += replay.dropped.get(name, 0)
        trial.courses[past.window.account] = courses[name]
        trial.errors += [f"{past.window.account}: {replay.errors[name]}"] if name in replay.errors else []


def _counters(
    evaluator: RuleEvaluator, trials: Sequence[Trial], found: Backtest, make_dispatcher: MakeDispatcher
) -> Iterator[NotificationCounter]:
    """Yields a counter for the rules as they are, and one for each changed rule, which stands in the place of the original there."""
    originals = {trial.subject.name: trial.subject for trial in trials if not trial.subject.variant}
    if found.notified is not None:
        rules = {subject.rule.name: subject.rule for subject in originals.values()}
        yield NotificationCounter(evaluator, rules, make_dispatcher(), found.notified)
    for trial in trials:
        if trial.subject.variant and trial.notified is not None:
            changed = trial.subject.rule.model_copy(update={"name": trial.subject.name})
            others = {one.rule.name: one.rule for name, one in originals.items() if name != trial.subject.name}
            rules = others | {trial.subject.rule.name: changed}
            yield NotificationCounter(evaluator, rules, make_dispatcher(), trial.notified)
