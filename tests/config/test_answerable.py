"""Rules that the configured searches cannot answer are errors, and say what to add."""

import re
from pathlib import Path

import pytest

from monitor.config.settings import read
from monitor.runtime.errors import InputError
from tests.fakes.watched import written

QUEUED = "{name: queued, filters: [{field: status, is: Queued}]}"
FAILURES = "{name: failures, filters: [{field: status, is: Undelivered}]}"
ENDED = "{name: ended, filters: [{field: status, is_not: Queued}, {field: status, is_not: Sent}]}"
PROMO = "{name: promo, filters: [{field: label, is: promo}]}"
PROMO_QUEUED = "{name: promo, filters: [{field: label, is: promo}, {field: status, is: Queued}]}"
CAMPAIGNS = "{name: campaigns, campaign: true}"
OUTBOUND = "{name: outbound, filters: [{field: direction, is: Outbound}]}"
RATE = "{name: R, kind: rate, window: 15m, above: 20%}"
RATE_OF_ALL = "{name: R, kind: rate, of: all, window: 15m, above: 20%}"
BY_CAMPAIGN = "{name: R, kind: rate, by: [campaign], window: 15m, above: 20%}"
EXPIRED = "{name: R, kind: rate, match: {detailedStatus: Expired}, of: {status: Undelivered}, window: 15m, above: 20%}"
COUNT = "{name: R, kind: count, window: 15m, above: 20}"
UNDELIVERED = "{name: R, kind: count, match: {status: Undelivered}, window: 15m, above: 20}"
STUCK = "{name: R, kind: stuck, older_than: 15m, window: 1h, above: 50}"
STUCK_SHARE = "{name: R, kind: stuck, older_than: 15m, window: 1h, above: 5%}"
SPIKE = "{name: R, kind: spike, window: 15m, baseline: {window: 1h, ago: 15m}, above: 3x}"
SPIKE_RATE = "{name: R, kind: spike, measure: rate, window: 15m, baseline: {window: 1h, ago: 15m}, above: 3x}"
LATENCY = "{name: R, kind: latency, percentile: 95, window: 15m, above: 30s}"
ABSENCE = "{name: R, kind: absence, window: 15m}"
COST = "{name: R, kind: cost, window: 1d, above: 100}"
COST_OF_FAILURES = "{name: R, kind: cost, where: {status: Undelivered}, window: 1d, above: 100}"
SLO = "{name: R, kind: slo, objective: 98%}"
CAMPAIGN = "{name: R, kind: campaign, failure_above: 20%}"
NEW = "{name: R, kind: new_value, field: operator, window: 1h}"
DISTINCT = "{name: R, kind: distinct, field: to, window: 1h, above: 5}"
MONEY = "{name: R, kind: balance, below: 50}"
LASTS = "{name: R, kind: balance, lasts_below: 2d}"

WRONG = [
    *((QUEUED, rule) for rule in (RATE, RATE_OF_ALL, UNDELIVERED, STUCK_SHARE, SPIKE, SPIKE_RATE, LATENCY, ABSENCE)),
    *((QUEUED, rule) for rule in (COST, SLO, CAMPAIGN, NEW, LASTS)),
    *(
        (FAILURES, rule)
        for rule in (RATE, RATE_OF_ALL, STUCK, SPIKE_RATE, LATENCY, ABSENCE, COST, SLO, CAMPAIGN, LASTS)
    ),
    *((ENDED, rule) for rule in (RATE_OF_ALL, STUCK, STUCK_SHARE, ABSENCE, COST, CAMPAIGN)),
    (PROMO_QUEUED, RATE),
    (PROMO_QUEUED, BY_CAMPAIGN),
    (f"{QUEUED}\n{FAILURES}", RATE),
    (f"{PROMO}\n{QUEUED}", RATE),
    (f"{QUEUED}\n{{name: everything}}", RATE.replace("kind", "search: queued, kind")),
    (f"{FAILURES}\n{OUTBOUND}", RATE.replace("kind", "search: failures, kind")),
]
RIGHT = [
    *((QUEUED, rule) for rule in (COUNT, STUCK, DISTINCT, MONEY, COUNT.replace("kind", "search: queued, kind"))),
    *((FAILURES, rule) for rule in (COUNT, UNDELIVERED, SPIKE, NEW, DISTINCT, EXPIRED, COST_OF_FAILURES)),
    *((ENDED, rule) for rule in (RATE, BY_CAMPAIGN, SPIKE_RATE, LATENCY, SLO, COUNT, SPIKE)),
    *((CAMPAIGNS, rule) for rule in (RATE, BY_CAMPAIGN, RATE_OF_ALL, STUCK_SHARE, ABSENCE, COST, CAMPAIGN, SLO, SPIKE)),
    *((PROMO, rule) for rule in (RATE, LATENCY, CAMPAIGN, SPIKE, NEW, LASTS)),
    *((f"{QUEUED}\n{{name: everything}}", rule) for rule in (RATE, SPIKE, LATENCY, CAMPAIGN, ABSENCE)),
    (f"{QUEUED}\n{{name: rest, filters: [{{field: status, is_not: Queued}}]}}", RATE_OF_ALL),
    (f"{OUTBOUND}\n{FAILURES.replace('Undelivered', 'Failed')}", RATE.replace("kind", "search: outbound, kind")),
    (
        f"{OUTBOUND}\n{{name: in, filters: [{{field: direction, is: Inbound}}, {{field: status, is: Queued}}]}}",
        RATE.replace("kind", "where: {direction: Outbound}, kind"),
    ),
]


def problem_text(searches: str, rule: str) -> str:
    """What is said of them."""
    with pytest.raises(InputError) as raised:
        written(searches, rule)
    [problem] = raised.value.problems
    assert Path(problem.file).name == "rules.yaml"
    assert problem.line == 2
    return problem.message


@pytest.mark.parametrize(("searches", "rule"), RIGHT)
def test_what_can_be_answered_is_let_through(searches: str, rule: str) -> None:
    written(searches, rule)


@pytest.mark.parametrize(("searches", "rule"), WRONG)
def test_what_cannot_be_answered_is_an_error_that_vanishes_where_its_advice_is_followed(
    searches: str, rule: str
) -> None:
    said = problem_text(searches, rule)
    if added := re.search(r"Add to searches: - (\{.*\})", said):
        searches += f"\n{added[1]}"
    if named := re.search(r"[Ww]rite search: (\w+)", said):
        rule = re.sub(r", search: \w+", "", rule).replace("name: R,", f"name: R, search: {named[1]},")
    written(searches, rule)


def test_the_error_names_what_is_hidden_and_what_to_add() -> None:
    assert problem_text(PROMO_QUEUED, RATE) == (
        "a rule of kind rate needs messages that search promo does not return (Delivered, Undelivered, Failed, Unsent). "
        'Add to searches: - {name: everything, filters: [{field: label, is: "promo"}]}'
    )
    assert problem_text(QUEUED, SPIKE.replace("kind", "search: queued, kind")) == (
        "a rule of kind spike compares with the past, and a message leaves search queued when its status changes. "
        "Add to searches: - {name: everything} and write search: everything here"
    )
    assert problem_text(FAILURES, STUCK) == (
        "the rule is about messages that are Queued, Sent, and search failures does not return them. "
        "Add to searches: - {name: everything}"
    )


def test_every_account_is_looked_at_by_itself(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "rules: [{name: R, kind: rate, window: 5m, above: 20%}, "
        "{name: M, kind: rate, where: {account: main}, window: 5m, above: 20%}]"
    )
    (tmp_path / "monitor.yaml").write_text(
        "accounts: [{name: main, application_id: a, application_secret: b}, "
        "{name: second, application_id: c, application_secret: d}]\n"
        "searches: [{name: all, account: main}, "
        "{name: queued, account: second, filters: [{field: status, is: Queued}]}]\nrules: [rules.yaml]\n"
    )
    [problem] = read(tmp_path / "monitor.yaml", {}).problems
    assert problem.path == "rules[0]"
    assert problem.message.endswith("Add to searches: - {name: everything, account: second}")
