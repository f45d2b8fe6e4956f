"""The rules that are shipped, with what goes wrong at the local Routee: one incident is one message to people, whatever fires for it."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from monitor.config.rules import load_rules
from monitor.config.rules.shift import Shift
from monitor.notify.render.notification_text import push
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.simulation.sandbox.population import COUNTRIES
from tests.fakes.notified_account import NotifiedAccount

SHIPPED = load_rules(sorted((Path(__file__).parents[2] / "rules").glob("*.yaml")), {})
PACK = [rule.model_copy(update={"learn": 3 * HOUR}) if isinstance(rule, Shift) else rule for rule in SHIPPED]
"""The rules that learn what is usual learn it here from fewer hours than three days have."""
pytestmark = pytest.mark.timeout(600)
NOW = 20_700 * DAY + 15 * HOUR
OUTAGE = "operator_outage"


def incidents_of(account: NotifiedAccount) -> list[list[str]]:
    """The pushes of each message that people get, but for reports of campaigns that have ended."""
    alerts = [one for one in account.sent if not one.is_report]
    return [
        [push(one) for one in alerts if one.episode == episode] for episode in dict.fromkeys(a.episode for a in alerts)
    ]


def after(*wrong: tuple[str, int, dict[str, object]], seed: int = 4) -> list[list[str]]:
    """What is sent of trouble that begins so many minutes after the first ten and lasts 45."""
    account = NotifiedAccount(PACK, NOW - 5 * HOUR, seed=seed, rate=100, fetched=2 * DAY)
    account.learn(5 * HOUR)
    for kind, minutes, what in wrong:
        account.incident(kind, (10 + minutes) * MINUTE, 45 * MINUTE, **what)
    account.watch(130 * MINUTE)
    return incidents_of(account)


def outages(countries: Iterable[str]) -> list[tuple[str, int, dict[str, object]]]:
    return [(OUTAGE, 0, {"country": country}) for country in countries]


def test_a_country_outage_is_one_message_that_names_the_country() -> None:
    (said,) = after(*outages(["GR"]))
    assert any("CountryFailureShift: Failures to GR rose from" in one for one in said), said
    assert "resolved" in said[-1]
    assert sum("resolved:" in one for one in said) == 1


def test_outages_of_two_countries_are_two_messages_also_if_one_begins_later() -> None:
    assert len(after(*outages(["GR", "DE"]))) == 2
    assert len(after((OUTAGE, 0, {"country": "GR"}), (OUTAGE, 20, {"country": "IT"}))) == 2


def test_an_outage_of_everything_is_one_message() -> None:
    (said,) = after(*outages(country.code for country in COUNTRIES))
    assert any(one.startswith("CRITICAL firing: DeliveryFloor: ") and "operators" in one for one in said)


@pytest.mark.parametrize("kind", ["operator_outage", "failing_campaign", "slow_delivery"])
def test_any_trouble_of_one_thing_is_one_message(kind: str) -> None:
    assert len(after((kind, 0, {}))) == 1


def test_every_rule_that_raises_the_alarm_takes_part_but_the_balance() -> None:
    alone = {rule.name for rule in PACK if rule.incident is None and rule.levels_[-1].severity != "info"}
    assert alone == {"LowBalance"}
