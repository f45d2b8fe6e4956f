"""What a shipped rule told is over within half an hour after the trouble has left its window, also where all traffic ends with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules import Rule, load_rules
from monitor.config.rules.model import Windowed
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration
from monitor.simulation.replay import Replay
from monitor.window import Window

PACK = load_rules(sorted((Path(__file__).parents[2] / "rules").glob("*.yaml")), {})
START = 20_700 * DAY
BEGINS = START + 7 * DAY + 20 * HOUR
LASTS = 90 * MINUTE
SOON: Duration = 30 * MINUTE

TROUBLES: dict[str, dict[str, Any]] = {
    "OperatorFailureShift": {"status": "Failed", "detailedStatus": "Failed"},
    "CountryFailureShift": {"status": "Failed", "detailedStatus": "Failed"},
    "SenderFiltered": {"status": "Undelivered", "detailedStatus": "Carrier Violation"},
    "OperatorSlowShift": {"latency": 60.0},
    "OperatorFailureRate": {"status": "Failed", "detailedStatus": "Failed"},
    "DeliveryFloor": {"status": "Failed", "detailedStatus": "Failed"},
    "CampaignFailureRate": {"status": "Undelivered", "campaign": "c", "campaignTrackingId": "c"},
    "SlowOneTimePasswords": {"latency": 40.0, "label": "otp"},
    "CountrySurge": {"country": "LV", "operator": "LMT"},
    "NewCountry": {"country": "LV", "operator": "LMT"},
    "HourlySpend": {"price": 2.0},
    "CountrySpend": {"price": 2.0},
}
"""What is wrong with the messages of the trouble, by the rule that tells it."""


def told(rule: Rule, trouble: dict[str, Any], after: int) -> list[tuple[int | None, ...]]:
    """When the rule fired and when that was over, in minutes from the trouble's end; ``after``: messages a minute from then on."""
    rows = list(_rows(trouble, after))
    for number, row in enumerate(rows):
        row["messageId"] = f"m{number}"
    evaluator, fed = RuleEvaluator(Window("main"), [rule], ["all"]), 0

    def feed(until: int) -> None:
        nonlocal fed
        upto = next((n for n in range(fed, len(rows)) if rows[n]["date"] > until), len(rows))
        if upto > fed:
            evaluator.window.upsert(batch_of(rows[fed:upto]), "all")
        fed = upto

    replay, end = Replay(evaluator, feed, START), BEGINS + LASTS
    for as_of in range(BEGINS - HOUR, end + 8 * HOUR, 2 * MINUTE):
        replay.step(as_of)
    assert replay.errors == {}
    return [
        tuple(None if at is None else (at - end) // MINUTE for at in (one.firing_at, one.resolved_at))
        for one in replay.fired
    ]


def _rows(trouble: dict[str, Any], after: int) -> Iterator[dict[str, Any]]:
    usual: dict[str, Any] = {"status": "Delivered", "operator": "Cosmote", "country": "GR", "direction": "Outbound"}
    usual |= {"latency": 3.0, "price": 0.04}
    for minute in range((BEGINS - START) // MINUTE):
        yield from ({**usual, "date": START + minute * MINUTE + n} for n in range(4))
    for minute in range(LASTS // MINUTE):
        yield from ({**usual, **trouble, "date": BEGINS + minute * MINUTE + n} for n in range(60))
    for minute in range(8 * HOUR // MINUTE if after else 0):
        yield from ({**usual, "date": BEGINS + LASTS + minute * MINUTE + n} for n in range(after))


@pytest.mark.parametrize("after", [8, 0], ids=["traffic goes on", "no traffic at all"])
@pytest.mark.parametrize("name", TROUBLES)
def test_what_was_told_is_over_soon_after_its_end(name: str, after: int) -> None:
    (rule,) = [rule for rule in PACK if rule.name == name]
    found = told(rule, TROUBLES[name], after)
    assert found, "it is told"
    own = rule.keep_firing_for
    if isinstance(rule, Windowed):
        own += rule.window  # the trouble itself leaves the window
    for fired, over in found:
        assert fired is not None
        assert over is not None
        assert fired < 0
        assert over * MINUTE <= own + SOON, (fired, over)
