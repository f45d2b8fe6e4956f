"""The rules that are shipped raise no false alarm on an account that is 0 to 8 days old, after a restart and after a first start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import load_rules
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from monitor.store.protocol import Cursor
from monitor.window import Window
from tests.fakes.heavy_tail import CAMPAIGN, HeavyTail
from tests.fakes.rounds import THOROUGH

SHIPPED = load_rules(sorted((Path(__file__).parents[2] / "rules").glob("*.yaml")), {})
PACK = SHIPPED
"""Without the rules that compare with other days."""
START = 20_700 * DAY + 9 * HOUR
AGES = (0, 1, 2, 3, 5, 8) if THOROUGH else (0, 2, 3, 8)
"""Each has what was counted of all days before it counted anew."""
EVERY = 20 * MINUTE
WEEK = str(7 * DAY)
TRAFFIC = HeavyTail.drawn(7, START, 9 * DAY + 8 * HOUR)


class Watched:
    """The account's judge, and the alerts that fired, reports left out."""

    def __init__(self) -> None:
        self.window = Window("main")
        self.evaluator = self._new_evaluator()
        self.told: list[str] = []

    def _new_evaluator(self) -> RuleEvaluator:
        evaluator = RuleEvaluator(self.window, PACK, ["all"])
        evaluator.coverage.deepest, evaluator.coverage.every = {"all": WEEK}, {"all": EVERY}
        return evaluator

    def restart(self) -> None:
        """A new process that has all from the store."""
        before, self.evaluator = self.evaluator, self._new_evaluator()
        self.evaluator.coverage.cursors, self.evaluator.account_state = (
            dict(before.coverage.cursors),
            before.account_state,
        )
        for rule, alerts in before.alerts.items():
            for group, alert in alerts.items():
                self.evaluator.put(rule, group, alert)

    def step(self, as_of: Instant, covered_since: Instant, *, is_read: bool = True) -> None:
        """Judge at a poll, or at a sweep that has come so far."""
        account_state = self.evaluator.account_state.with_balance(as_of, AccountBalance(1e6, "EUR"))
        begun = as_of // DAY * DAY + 11 * HOUR
        if begun < as_of:
            word = "Finished" if as_of >= begun + 20 * MINUTE else "Running"
            account_state = account_state.with_campaign(
                as_of, CampaignState(f"day {as_of // DAY}", "", word, {}, CAMPAIGN)
            )
        self.evaluator.account_state = account_state
        cursor = Cursor("main", "all", as_of, covered_since, {WEEK: as_of} if is_read else {})
        outcome = self.evaluator.evaluate(cursor)
        assert outcome.errors == {}
        for move in outcome.transitions:
            if move.what == "fired":
                self.told += [
                    f"{(as_of - START) / HOUR:.1f}h {rule} {group}: {alert.why}"
                    for (rule, group), alert in outcome.alerts.items()
                    if alert is not None and alert.fingerprint == move.fingerprint and rule != "CampaignReport"
                ]
        self.evaluator.apply(outcome, cursor)


@pytest.mark.timeout(600)
def test_an_account_that_is_watched_from_its_first_day_on_raises_nothing_also_after_restarts() -> None:
    watched, now = Watched(), START
    restarts = {START + age * DAY + 2 * HOUR for age in AGES}
    while now < START + (8 if THOROUGH else 4) * DAY + 12 * HOUR:
        before, now = now, now + EVERY
        watched.window.upsert(TRAFFIC.changed(before, now), "all")
        if now in restarts:
            watched.restart()
        watched.step(now, START)
    assert watched.told == []


@pytest.mark.parametrize(("age", "hour"), [(age, 2) for age in AGES] + [(0, 16), (2, 16)])
def test_a_first_start_raises_nothing_while_the_past_is_read_from_new_to_old(age: int, hour: int) -> None:
    watched, now = Watched(), START + age * DAY + hour * HOUR
    reached = now
    for back, at in _backfill(now):
        watched.window.upsert(TRAFFIC.sent(at - back, reached, at), "all")
        reached = at - back
        watched.window.upsert(TRAFFIC.changed(now, at), "all")
        now = at
        watched.step(at, reached, is_read=back == 7 * DAY)
    while now < START + age * DAY + (hour + 3) * HOUR:
        before, now = now, now + 5 * MINUTE
        watched.window.upsert(TRAFFIC.changed(before, now), "all")
        watched.step(now, reached)
    assert watched.told == []


def _backfill(now: Instant) -> Iterator[tuple[Duration, Instant]]:
    """How far back is read when: the first poll, then the pieces of the catch-up sweep."""
    backs = (2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 2 * DAY, 4 * DAY, 7 * DAY)
    yield from ((back, now + number * 30 * SECOND) for number, back in enumerate(backs))
