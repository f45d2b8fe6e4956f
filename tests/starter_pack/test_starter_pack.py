"""The rules that are shipped: complete, quiet on quiet accounts and in clean hours, and there when something is wrong."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from fakes.simulated import Account, counted
from jsonschema import Draft202012Validator

from monitor.alerts.evaluator import RuleEvaluator
from monitor.cli.json_schema import rules_schema
from monitor.config.rules import Rule, load_rules
from monitor.config.rules.shift import Shift
from monitor.config.rules.spike import SameHour, Spike
from monitor.config.yaml.document import read_document
from monitor.daemon.validate import sample_of
from monitor.model.alert import Alert
from monitor.model.batch import batch_of
from monitor.model.routee_query import AccountBalance
from monitor.notify.render import Templates
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration, Instant
from monitor.simulation.replay import Replay
from monitor.store.protocol import Cursor
from monitor.window import Window

FILES = sorted((Path(__file__).parents[2] / "rules").glob("*.yaml"))
PACK = load_rules(FILES, {})
QUICK = [rule.model_copy(update={"learn": 3 * HOUR}) if isinstance(rule, Shift) else rule for rule in PACK]
"""The rules that learn what is usual, from fewer hours than three days have."""
NOW = 20_700 * DAY + 15 * HOUR
Rows = list[dict[str, object]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_explains_itself_and_passes_the_schema_that_it_names(path: Path) -> None:
    first, second, *_ = path.read_text().splitlines()
    assert first == "# yaml-language-server: $schema=../monitor-rules.schema.json"
    assert second.startswith("# ")
    assert "# What it measures" in path.read_text()
    assert list(Draft202012Validator(rules_schema()).iter_errors(read_document(path, {}).data)) == []


@pytest.mark.parametrize("rule", PACK, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_is_for_and_what_to_do(rule: Rule) -> None:
    assert rule.description
    texts, errors = Templates().render_annotations(rule.annotations, sample_of(rule))
    assert errors == []
    assert texts["summary"]
    if rule.levels_[-1].severity != "info":
        assert rule.for_
        assert rule.keep_firing_for
        assert texts["description"].count("•") >= 3


def test_of_several_accounts_the_text_of_a_balance_names_its_own() -> None:
    [rule] = [one for one in PACK if one.name == "LowBalance"]
    said = []
    for labels in ({}, {"account": "otp"}):
        view = msgspec.structs.replace(sample_of(rule), labels=labels, why="41.20 EUR left")
        said.append(Templates().render_annotations(rule.annotations, view)[0]["summary"])
    assert said == ["41.20 EUR left.", "Account otp: 41.20 EUR left."]


def alerts_of(rows: Rows, now: Instant = NOW, known: float | None = None, since: Instant = NOW - 8 * DAY) -> list[str]:
    """The rules of the pack that fire, once their ``for`` has passed."""
    window = Window("main")
    window.upsert(batch_of([{"messageId": f"m{i}"} | row for i, row in enumerate(rows)]), "all")
    evaluator = RuleEvaluator(window, PACK, ["all"])
    evaluator.in_use_since = since
    for minute in range(16):
        if known is not None:
            evaluator.account_state = evaluator.account_state.with_balance(
                now + minute * MINUTE, AccountBalance(known, "EUR")
            )
        cursor = Cursor("main", "all", as_of=now + minute * MINUTE, covered_since=since)
        evaluator.apply(evaluator.evaluate(cursor), cursor)
    assert evaluator.errors == {}
    return sorted({alert.rule for alert in _present(evaluator) if alert.state == "firing"})


def besides_silence(rows: Rows) -> list[str]:
    """The same without the rules of silence: no message comes in the quarter of an hour in which the others fire."""
    return [name for name in alerts_of(rows) if not name.endswith("Silence")]


def _present(evaluator: RuleEvaluator) -> Iterator[Alert]:
    for alerts in evaluator.alerts.values():
        yield from alerts.values()


def sent(count: int, until: Instant = NOW, span: int = 25 * MINUTE, **fields: object) -> Rows:
    usual = {"status": "Delivered", "operator": "Cosmote", "country": "GR", "direction": "Outbound", "latency": 3.0}
    return [usual | {"date": until - span * i // count} | fields for i in range(count)]


FATES: dict[int, dict[str, object]] = {
    0: {"status": "Undelivered", "detailedStatus": "Carrier Violation"},
    1: {"status": "Failed", "detailedStatus": "Failed"},
    2: {"status": "Queued", "latency": None},
    3: {"status": "Sent", "latency": None},
    4: {"latency": 300.0},
}
"""What becomes of a group's messages, by its number modulo 40; those of the others are delivered within seconds."""


def groups_of(size: int, groups: int, span: Duration) -> Rows:
    """As many groups in every field that the pack groups by, one after the other over the span before NOW, their messages alike."""
    rows = []
    for number in range(groups):
        names = {name: f"{name} {number}" for name in ("operator", "country", "from", "applicationName")}
        label = {"label": "otp" if number % 3 else f"label {number}"}
        campaign = dict.fromkeys(("campaign", "campaignTrackingId"), f"c{number}") if number % 2 else {}
        until = NOW - span * (groups - 1 - number) // groups
        rows += sent(size, until, 3 * MINUTE, price=0.3, **names, **label, **campaign, **FATES.get(number % 40, {}))
    return rows


def told_of(rows: Rows, steps: Iterable[Instant]) -> dict[str, int]:
    """How often each rule of the pack fires at these moments, those included that are switched off as shipped."""
    rules = [rule.model_copy(update={"enabled": True}) for rule in PACK]
    evaluator = RuleEvaluator(Window("main"), rules, ["all"])
    evaluator.in_use_since = NOW - 8 * DAY
    coming = sorted(({"messageId": f"m{number}"} | row for number, row in enumerate(rows)), key=_date)
    fed = 0

    def feed(until: Instant) -> None:
        nonlocal fed
        upto = bisect_right(coming, until, key=_date)
        if upto > fed:
            evaluator.window.upsert(batch_of(coming[fed:upto]), "all")
        fed = upto

    replay = Replay(evaluator, feed, NOW - 8 * DAY)
    for as_of in steps:
        replay.step(as_of)
    assert replay.errors == {}
    assert fed == len(rows)
    return dict(Counter(episode.rule for episode in replay.fired))


def _date(row: dict[str, object]) -> int:
    return int(str(row["date"]))


def quiet_steps() -> list[Instant]:
    """Every five minutes while the messages come and the two hours after, then each hour of the day after."""
    return [*range(NOW - 3 * HOUR, NOW + 2 * HOUR, 5 * MINUTE), *range(NOW + 2 * HOUR, NOW + 30 * HOUR, HOUR)]


def test_a_thousand_groups_of_two_messages_raise_nothing_from_the_first_message_to_the_day_after() -> None:
    assert told_of(groups_of(2, 1000, 3 * HOUR), quiet_steps()) == {}


def test_the_same_with_groups_a_hundred_times_as_large_is_told() -> None:
    fired = told_of(groups_of(200, 40, 3 * HOUR), quiet_steps())
    assert {
        "OperatorFailureRate",
        "CampaignFailureRate",
        "MissingDeliveryReports",
        "StuckQueue",
    } <= set(fired)


def test_a_small_account_raises_nothing_all_day() -> None:
    account = Account(PACK, NOW - 8 * DAY, seed=6, rate=1, every=10 * MINUTE)
    account.learn(7 * DAY)
    assert counted(account.watch(DAY)) == {}


def test_an_empty_account_raises_nothing() -> None:
    assert alerts_of([]) == []
    assert alerts_of([], since=NOW - HOUR) == []


def usual_days(**fields: object) -> Rows:
    return [row for day in range(1, 8) for row in sent(300, NOW - day * DAY + 30 * MINUTE, HOUR, **fields)]


def test_a_rise_of_failures_is_told_by_operator_and_by_country() -> None:
    today = sent(40, status="Failed", detailedStatus="Roaming") + sent(260)
    assert {"OperatorFailureShift", "CountryFailureShift"} == set(besides_silence(usual_days() + today))
    down = sent(150, status="Failed", detailedStatus="Failed") + sent(150)
    assert {"OperatorFailureShift", "OperatorFailureRate", "DeliveryFloor"} <= set(alerts_of(usual_days() + down))


def test_a_filtered_sender_is_told() -> None:
    filtered = sent(20, status="Undelivered", detailedStatus="Carrier Violation", **{"from": "Shop"})
    usual = usual_days() + usual_days(**{"from": "Shop"})
    assert "SenderFiltered" in alerts_of(usual + sent(300) + filtered)


def test_missing_reports_a_stuck_queue_and_silence_are_told() -> None:
    waiting = sent(300, NOW - 30 * MINUTE, HOUR, status="Sent", latency=None)
    assert "MissingDeliveryReports" in alerts_of(waiting)
    queued = sent(60, NOW - 12 * MINUTE, status="Queued", latency=None)
    assert "StuckQueue" in alerts_of(queued + sent(500))
    assert {"Silence", "CountrySilence", "OperatorSilence"} <= set(alerts_of(sent(5500, NOW - 35 * MINUTE, 20 * HOUR)))


def test_a_surge_to_a_country_without_customers_is_told() -> None:
    pumped = sent(150, country="LV", operator="LMT", label="otp")
    assert besides_silence(usual_days() + sent(300, span=HOUR) + pumped) == ["CountrySurge", "NewCountry"]
    launch = sent(150, country="LV", operator="LMT", campaignTrackingId="c1")
    fired = besides_silence(usual_days() + sent(300, span=HOUR) + launch)
    assert fired == ["CampaignReport"], "a launch is no surge; that it is over is told as information"


def test_money_is_told_as_an_amount_spent_and_as_a_balance_that_does_not_last() -> None:
    assert alerts_of(sent(300, price=20.0), since=NOW - DAY) == ["CountrySpend", "HourlySpend"]
    assert alerts_of(sent(300, span=DAY, price=0.05), known=5.0, since=NOW - DAY) == ["LowBalance"]
    assert alerts_of(sent(300, span=DAY, price=0.05), known=500.0, since=NOW - DAY) == []


def test_slow_login_codes_are_told() -> None:
    until, span = NOW + 16 * MINUTE, 45 * MINUTE
    assert "SlowOneTimePasswords" in alerts_of(sent(2000, until, span, label="otp", latency=40.0))
    tail = alerts_of(sent(2000, until, span) + sent(250, until, span, latency=45.0))
    assert not [rule for rule in tail if "Slow" in rule]


def test_an_operator_that_becomes_slow_is_told() -> None:
    assert "OperatorSlowShift" in alerts_of(usual_days() + sent(300, latency=45.0))


@pytest.mark.timeout(600)
def test_the_incidents_of_the_local_routee_are_told_and_clean_hours_are_quiet() -> None:
    account = Account(QUICK, NOW - 9 * HOUR, seed=4, rate=120, every=2 * MINUTE, fetched=2 * DAY)
    account.evaluator.in_use_since = (
        NOW - 8 * DAY
    )  # the account is older than the hours that are learnt, and was silent before them
    account.learn(4 * HOUR)
    assert counted(account.watch(2 * HOUR)) == {}
    spoke, lasts = {}, HOUR
    for kind, expected in {
        "operator_outage": "OperatorFailureShift",
        "carrier_filter": "SenderFiltered",
        "slow_delivery": "OperatorSlowShift",
        "failing_campaign": "CampaignFailureRate",
        "detailed_status": "CountryFailureShift",
        "silence": "OperatorSilence",
    }.items():
        account.incident(kind, 0, lasts)
        fired = account.watch(lasts + 30 * MINUTE)
        spoke[kind] = expected in counted(fired)
    assert all(spoke.values()), (spoke, account.fired)


OF_OTHER_DAYS = [rule for rule in PACK if isinstance(rule, Spike) and isinstance(rule.baseline, SameHour)]


@pytest.mark.parametrize("fetched", [None, 7 * DAY], ids=["from the store", "at a first start"])
@pytest.mark.parametrize("age", range(9))
def test_no_rule_speaks_of_other_days_before_three_of_them_are_known(age: int, fetched: Duration | None) -> None:
    account = Account(OF_OTHER_DAYS, NOW - age * DAY, seed=3, rate=5, fetched=fetched)
    account.learn(age * DAY)
    assert account.watch(10 * MINUTE) == []
    pumped = sent(300, account.now, 10 * MINUTE, country="LV")
    account.evaluator.window.upsert(batch_of([row | {"messageId": f"p{i}"} for i, row in enumerate(pumped)]), "all")
    assert counted(account.watch(5 * MINUTE)) == ({"CountrySurge": 1} if age > 3 else {})
