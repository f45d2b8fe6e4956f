"""Thresholds tried on the record of one backtest give what a backtest with them gives, and so does the search."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from monitor.alerts.kinds import kind_of
from monitor.config.rules import Rule, rule_of
from monitor.config.yaml.document import parse_document
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.simulation.backtest import Backtest, EvaluationSpan, Subject, run
from monitor.simulation.backtest.run import AccountMessages
from monitor.simulation.backtest.variant import changed
from monitor.simulation.replay import Episode
from monitor.simulation.suggest.ladder import Rung, ladder, moved
from monitor.simulation.suggest.proposal import Recorder, Suggestion, deciding, suggest
from monitor.simulation.suggest.recorded import RecordedRule
from monitor.simulation.suggest.replayed import replayed
from tests.fakes.stored_week import START, week

DAYS = 4
WHOLE = EvaluationSpan(START + 6 * HOUR, START + DAYS * DAY, 30 * MINUTE)
INCIDENTS = EvaluationSpan(START + 33 * HOUR, START + 65 * HOUR, 15 * MINUTE)
RULES = """
- {name: Rate, kind: rate, by: [operator], window: 30m, above: 20%, min_messages: 10, confidence: 90%, for: 10m, keep_firing_for: 20m, limit: 2}
- {name: Levels, kind: rate, by: [country], window: 1h, levels: [{above: 6%, severity: info}, {above: 20%, severity: critical}], min_messages: 10}
- {name: Delivered, kind: rate, match: {status: Delivered}, window: 1h, below: 80%, min_messages: 10, keep_firing_for: 30m}
- {name: Count, kind: count, by: [operator], match: {status: Undelivered}, window: 1h, above: 20}
- {name: Few, kind: count, by: [operator], window: 2h, below: 1, for: 20m}
- {name: Slow, kind: latency, by: [operator], percentile: 90, window: 1h, above: 2m, min_messages: 8}
- {name: Quick, kind: latency, receipts_within: 5m, window: 1h, above: 1m, min_messages: 8}
- {name: Stuck, kind: stuck, by: [country], window: 3h, older_than: 20m, above: 10}
- {name: StuckShare, kind: stuck, window: 2h, older_than: 10m, above: 20%, min_messages: 20}
- {name: Times, kind: spike, by: [country], window: 1h, baseline: {window: 3h, ago: 1h}, above: 3x, min_messages: 10, limit: 1}
- {name: Fall, kind: spike, window: 1h, baseline: {window: 3h, ago: 1h}, below: -50%}
- {name: Sigma, kind: spike, measure: rate, by: [operator], window: 1h, baseline: {window: 5h, ago: 1h}, above: 5 sigma, min_messages: 10}
- {name: Less, kind: spike, window: 1h, baseline: {window: 4h, ago: 1h}, below: 5 sigma}
- {name: Spent, kind: cost, by: [country], window: 1h, above: 20, keep_firing_for: 30m}
- {name: Unspent, kind: cost, window: 1h, below: 1}
- {name: Senders, kind: distinct, field: from, by: [operator], window: 1h, above: 5}
- {name: Silence, kind: absence, by: [country], window: 30m, active_in: 5h, min_baseline: 20}
- {name: Campaigns, kind: campaign, failure_above: 10%, stalled_for: 20m, ended: report, min_messages: 10, confidence: 80%}
"""
APPROXIMATE = {"Silence", "Times"}
"""Whether a group is active depends on the window; which groups a limit lets fire depends on the threshold of each."""


def read(text: str) -> list[Rule]:
    data: Any = parse_document(text.encode(), "rules.yaml", {}).data
    found = []
    for number, _ in enumerate(data):
        document = parse_document(text.encode(), "rules.yaml", {})
        rule = rule_of(data[number])
        rule.read_from(document, (number,))
        found.append(rule)
    return found


class Past:
    """Some days of traffic that were judged once, and can be judged again."""

    def __init__(self, account: AccountMessages, rules: Sequence[Rule], span: EvaluationSpan) -> None:
        self.account = account
        self.span = span
        self.rules = rules
        self._full: dict[str, list[Episode]] = {}
        self.recorder = Recorder(span)
        subjects = [Subject(rule, rule.name) for rule in rules]
        self.found = run([account], subjects, span, lambda done: None, self.recorder.watch)

    def judge(self, subjects: Sequence[Subject]) -> Backtest:
        return run([self.account], subjects, self.span, lambda done: None)

    def in_full(self, subjects: Sequence[Subject]) -> dict[str, list[Episode]]:
        """The alerts of whole backtests with these variants, by the names of the rules."""
        for one in self.judge([subject for subject in subjects if subject.rule.name not in self._full]).trials:
            self._full[one.subject.rule.name] = deciding(one.subject.rule, one.alerts)
        return self._full


def candidates(rule: Rule, rungs: Sequence[Rung]) -> Iterator[tuple[list[Rung], Subject]]:
    """The rule with each of these thresholds that it can have."""
    tuning = kind_of(rule).tuning
    thresholds, comparison = tuning.thresholds(rule), tuning.comparison(rule)
    for rung in rungs:
        levels = moved(thresholds, rung, ladder(thresholds[0].form, comparison), comparison)
        paths = [".".join(map(str, level.path)) for level in thresholds]
        changes = [(f"{path}={one.text}", path, one.text) for path, one in zip(paths, levels or (), strict=False)]
        subject = changed(rule, changes)
        if levels is not None and isinstance(subject, Subject):
            yield levels, subject


def rungs_of(rule: Rule) -> Sequence[Rung]:
    tuning = kind_of(rule).tuning
    return ladder(tuning.thresholds(rule)[0].form, tuning.comparison(rule))


def telling(recorded: RecordedRule) -> list[Rung]:
    """Thresholds that some of the recorded numbers cross."""
    numbers = recorded.reached[np.isfinite(recorded.reached)]
    marks = np.quantile(numbers, [0.5, 0.9, 0.97, 0.995] if not recorded.below else [0.5, 0.1, 0.03, 0.005])
    rungs = rungs_of(recorded.rule)
    return sorted({min(rungs, key=lambda rung: abs(rung.size - mark)) for mark in marks.tolist()})


@pytest.fixture(scope="module")
def account() -> AccountMessages:
    return AccountMessages(week(DAYS, rate=4).evaluator.window, ["all"], START)


def shown(alerts: Sequence[Episode]) -> set[tuple[object, ...]]:
    return {(one.group, one.pending_at, one.firing_at, one.resolved_at, one.severity, one.because) for one in alerts}


def test_a_threshold_tried_on_the_record_gives_the_alerts_of_a_backtest(account: AccountMessages) -> None:
    past = Past(account, read(RULES), INCIDENTS)
    tried = [
        (recorded, levels, subject)
        for (recorded,) in past.recorder.rules.values()
        for levels, subject in candidates(recorded.rule, telling(recorded))
    ]
    full = past.in_full([subject for _, _, subject in tried])
    alerts, differing = Counter[str](), []
    for recorded, levels, subject in tried:
        name, sizes = recorded.rule.name, [rung.size for rung in levels]
        on_record = shown(deciding(recorded.rule, replayed(recorded, subject.rule, sizes)))
        judged = shown(full[subject.rule.name])
        alerts[name] += len(judged)
        if on_record != judged:
            differing.append((name, subject.variant, len(on_record), len(judged), on_record ^ judged))
    assert [one for one in differing if one[0] not in APPROXIMATE] == []
    assert {rule.name for rule in past.rules if not alerts[rule.name]} == set()


def slowly(past: Past, one: Suggestion, most: int) -> str | None:
    """The same search with a whole backtest for each threshold."""
    assert one.usual is not None
    below = kind_of(one.rule).tuning.comparison(one.rule) == "below"
    present, nearest = kind_of(one.rule).tuning.thresholds(one.rule)[0].size, one.usual.bound

    def is_milder(size: float, other: float) -> bool:
        return size > other if below else size < other

    allowed = [rung for rung in rungs_of(one.rule) if not is_milder(rung.size, nearest)]
    tried = list(candidates(one.rule, sorted(allowed, reverse=below)))
    full = past.in_full([subject for _, subject in tried])
    fits = len(one.alerts(one.trial)) <= most and not is_milder(present, nearest)
    chosen = None
    for levels, subject in reversed(tried):
        if fits and not is_milder(levels[0].size, present):
            continue
        if len(full[subject.rule.name]) > most:
            break
        chosen = subject.variant
    return chosen


def test_the_search_finds_what_a_slow_one_with_whole_backtests_finds(account: AccountMessages) -> None:
    names = ("Delivered", "Count", "Slow", "Fall")
    past = Past(account, [rule for rule in read(RULES) if rule.name in names], WHOLE)
    for a_week in (2.0, 8.0):
        most = int(WHOLE.weeks * a_week + 0.05)
        for one in suggest(past.found, past.recorder.rules, a_week, lambda rule: True, past.judge):
            said = None if one.proposed is None else one.proposed.subject.variant
            assert (one.rule.name, said) == (one.rule.name, slowly(past, one, most))
            assert one.proposed is None or len(one.alerts(one.proposed)) <= most
