"""A report against what can be counted by hand in the messages, alerts and notifications that it is made from."""

from collections import Counter
from typing import Any

import pytest
from report_world import START, Message, episode, failed, final_in, messages, outage, window_of

from monitor.alerts.report import AccountSource, DeliveryReport, ReportSource, build
from monitor.alerts.report.build import MOST_OPERATORS
from monitor.alerts.report.traffic import step_of
from monitor.config.rules import Rule, rule_of
from monitor.model.alert import Transition
from monitor.notify.render.report.document import document
from monitor.notify.render.report.words import figures, tables
from monitor.runtime.clock import DAY, HOUR, MINUTE, Instant
from monitor.store.protocol import NotificationRecord

RULES = [
    rule_of({"name": name, "kind": "rate", "by": ["operator", "country"], "window": "15m", "above": "20%"})
    for name in ("Operators", "Quiet")
] + [rule_of({"name": "Off", "kind": "count", "window": "1h", "above": 1, "enabled": False})]
SINCE, UNTIL = START + DAY, START + 2 * DAY
BEGUN = SINCE + 6 * HOUR
SEEING: list[tuple[str, dict[str, Any]]] = [
    ("All", {}),
    ("Rare", {"search": "rare"}),
    ("Other", {"search": "other"}),
    ("Wrong", {"search": "other"}),
]


def made(
    found: list[Message],
    moves: list[Transition] | None = None,
    notifications: list[NotificationRecord] | None = None,
    *,
    since: Instant = SINCE,
    until: Instant = UNTIL,
    as_of: Instant | None = UNTIL,
    known_since: Instant | None = START,
    now: Instant = UNTIL,
    told_since: Instant = START,
    waiting: dict[tuple[str, str], tuple[int, Instant]] | None = None,
    rules: list[Rule] = RULES,
    searches: tuple[str, ...] = ("all",),
    others: dict[str, dict[str, Instant | None]] | None = None,
    first: dict[tuple[str, str], Instant] | None = None,
) -> DeliveryReport:
    """The report of one account, and of ``others`` without messages: by account and search since when they are known."""
    accounts = [AccountSource(window_of(found), as_of, dict.fromkeys(searches, known_since), MINUTE)]
    accounts += [AccountSource(window_of([], name), as_of, known, MINUTE) for name, known in (others or {}).items()]
    told = sorted(moves or [], key=lambda one: one.at)
    evaluated = {(one.window.account, rule.name): START for one in accounts for rule in rules} | (first or {})
    source = ReportSource(accounts, rules, told, notifications or [], waiting or {}, told_since, evaluated)
    return build(source, since, until, now)


def counted(found: list[Message], start: Instant, end: Instant, **fields: str) -> dict[str, Any]:
    sent = [
        one
        for one in found
        if start < one["date"] <= end
        and one["direction"] != "Inbound"
        and all((one[name] or "unknown") == value for name, value in fields.items())
    ]
    final = final_in(found, start, end, **fields)
    return {
        "messages": len(sent),
        "final": len(final),
        "failed": len(failed(final)),
        "delivered": len(final) - len(failed(final)),
        "unpriced": sum(one["price"] is None for one in sent),
        "cost": pytest.approx(sum(one["price"] or 0 for one in sent)),
    }


def shown(counts: Any) -> dict[str, Any]:
    return {name: getattr(counts, name) for name in ("messages", "final", "failed", "delivered", "unpriced", "cost")}


@pytest.mark.parametrize("seed", range(3))
def test_traffic_is_counted_by_country_and_operator_against_the_span_before(seed: int) -> None:
    found = messages(seed)
    report = made(found)
    assert shown(report.total.now) == counted(found, SINCE, UNTIL)
    assert report.total.before is not None
    assert shown(report.total.before) == counted(found, START, SINCE)
    for line in report.countries:
        assert shown(line.counts.now) == counted(found, SINCE, UNTIL, country=line.country)
    assert {line.operator for line in report.operators} == {"Cosmote", "Nova", "Telekom"}
    for line in report.operators:
        place = {"country": line.country, "operator": line.operator}
        assert shown(line.counts.now) == counted(found, SINCE, UNTIL, **place)
        assert line.counts.before is not None
        assert shown(line.counts.before) == counted(found, START, SINCE, **place)
    now, before = report.total.now.share, report.total.before.share
    assert now is not None
    assert before is not None
    assert report.total.change == now - before


def test_a_country_that_fell_silent_is_still_there() -> None:
    found = [one for one in messages(1) if one["country"] == "GR" or one["date"] <= SINCE]
    report = made(found)
    silent = next(line for line in report.countries if line.country == "DE")
    assert silent.counts.now.messages == 0
    assert silent.counts.before is not None
    assert silent.counts.before.messages > 100


def test_the_course_adds_up_and_has_no_more_steps_than_can_be_seen() -> None:
    found = messages(1)
    course = made(found).course
    assert sum(course.final) == len(final_in(found, SINCE, UNTIL))
    assert sum(course.delivered) == len(final_in(found, SINCE, UNTIL)) - len(failed(final_in(found, SINCE, UNTIL)))
    first = final_in(found, SINCE, SINCE + course.step)
    assert course.final[0] == len(first)
    for length in (MINUTE, HOUR, DAY, 7 * DAY, 30 * DAY, 400 * DAY):
        assert -(-length // step_of(length)) <= 60


def test_campaigns_are_counted_with_all_their_messages() -> None:
    found = messages(1)
    [campaign] = made(found).campaigns
    own = [one for one in found if one["campaignTrackingId"] and one["direction"] != "Inbound"]
    assert (campaign.tracking_id, campaign.name, campaign.messages) == ("c-1", "Black Friday", len(own))
    assert campaign.failed == len(failed(own))
    assert campaign.waiting == Counter(one["status"] for one in own)["Sent"]
    assert campaign.cost == pytest.approx(sum(one["price"] or 0 for one in own))


def test_incidents_are_put_together_and_say_what_they_cost() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    place, other = {"operator": "Cosmote", "country": "GR"}, {"operator": "Nova", "country": "GR"}
    moves = [
        *episode("Operators", place, BEGUN, BEGUN + HOUR, incident="i-1", by="Ann"),
        *episode("Quiet", other, BEGUN + MINUTE, BEGUN + 2 * HOUR, incident="i-1"),
        *episode("Operators", {"operator": "Telekom", "country": "DE"}, BEGUN + 3 * HOUR, None),
        *episode("Operators", other, START, START + HOUR),  # over before
    ]
    report = made(found, moves)
    worst, open_one = report.incidents
    assert worst.title == "Operators Cosmote, GR and 1 more alert"
    assert (worst.id, worst.alerts, worst.rules) == ("i-1", 2, ("Operators", "Quiet"))
    assert (worst.began, worst.ended) == (BEGUN + 5 * MINUTE, BEGUN + 2 * HOUR)
    assert worst.acknowledged_by == "Ann"
    assert worst.loss is not None
    assert worst.loss.lost
    assert open_one.ended is None
    assert report.lost == sum(one.loss.lost or 0 for one in report.incidents if one.loss is not None)


GREECE = {"operator": "Cosmote", "country": "GR"}


def lost_in(found: list[Message], start: Instant, end: Instant, out: list[Message], usual: float) -> tuple[int, float]:
    """Lost and spent of what happened in (start, end] and is not in ``out``, worked out one message at a time."""
    now = [one for one in final_in(found, start, end, **GREECE) if one not in out]
    lost = max(round(len(failed(now)) - usual * len(now)), 0)
    prices = [one["price"] for one in failed(now) if one["price"] is not None]
    return lost, lost * sum(prices) / len(prices) if lost else 0.0


def test_a_message_of_several_incidents_is_lost_once() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    own = rule_of({"name": "Mine", "kind": "rate", "by": ["operator"], "window": "3m", "above": "20%"})
    everywhere = rule_of({"name": "Everywhere", "kind": "rate", "window": "15m", "above": "5%"})
    moves = [
        *episode("Operators", GREECE, BEGUN, BEGUN + HOUR, incident="i-1"),
        *episode("Mine", {"operator": "Cosmote"}, BEGUN + MINUTE, BEGUN + HOUR),
        *episode("Everywhere", {}, BEGUN + MINUTE, BEGUN + HOUR),
    ]
    report = made(found, moves, rules=[*RULES, own, everywhere])
    first, *others = [one.loss for one in report.incidents if one.loss is not None]
    assert [one.lost is not None and one.lost > 200 for one in (first, *others)] == [True] * 3, "each line is its own"
    assert first.lost is not None
    assert first.spent is not None
    assert report.lost is not None
    assert first.lost <= report.lost < first.lost + 30, "what is left are the usual failures of the other operators"
    assert report.spent_on_lost == pytest.approx(first.spent, rel=0.1)


def test_of_incidents_that_share_some_time_each_counts_what_no_worse_one_has() -> None:
    found = messages(1) + outage(1, BEGUN, 3 * HOUR, count=900)
    mine = rule_of({"name": "Mine", "kind": "rate", "by": ["operator", "country"], "window": "15m", "above": "20%"})
    moves = [
        *episode("Operators", GREECE, BEGUN, BEGUN + 2 * HOUR),
        *episode("Mine", GREECE, BEGUN + HOUR, BEGUN + 3 * HOUR),
    ]
    report = made(found, moves, rules=[*RULES, mine])
    worst, other = [one.loss for one in report.incidents if one.loss is not None]
    assert worst.lost is not None
    assert worst.spent is not None
    assert other.usual is not None
    counted_already = final_in(found, worst.start, worst.end, **GREECE)
    lost, spent = lost_in(found, other.start, other.end, counted_already, other.usual)
    assert lost > 100
    assert report.lost == worst.lost + lost
    assert report.spent_on_lost == pytest.approx(worst.spent + spent)


def test_the_total_counts_all_that_is_new_in_a_wider_incident() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR) + outage(2, BEGUN, HOUR, "Nova", count=200)
    country = rule_of({"name": "Country", "kind": "rate", "by": ["country"], "window": "15m", "above": "20%"})
    place, wider = (
        episode("Operators", GREECE, BEGUN, BEGUN + HOUR),
        episode("Country", {"country": "GR"}, BEGUN, BEGUN + HOUR),
    )
    both, alone = made(found, [*place, *wider], rules=[*RULES, country]), made(found, wider, rules=[*RULES, country])
    assert len(both.incidents) == 2
    assert both.lost == alone.lost


def test_an_incident_adds_no_more_than_it_has_lost_itself() -> None:
    """What the worse one has counted of it are messages that were delivered."""
    country = rule_of({"name": "Country", "kind": "rate", "by": ["country"], "window": "15m", "above": "20%"})
    mine = rule_of({"name": "Mine", "kind": "rate", "by": ["operator", "country"], "window": "1h", "above": "20%"})
    good = {"country": "GR", "operator": "Cosmote", "direction": "Outbound", "status": "Delivered", "price": 0.05}
    delivered = [
        good | {"messageId": f"good-{i}", "date": BEGUN + HOUR + i * HOUR // 1500} for i in range(1500)
    ]  # between the two outages, in the time of both
    found = messages(1) + outage(1, BEGUN, HOUR, "Nova", count=900)
    found += delivered + outage(2, BEGUN + 2 * HOUR, HOUR, count=400)
    moves = [
        *episode("Country", {"country": "GR"}, BEGUN, BEGUN + 2 * HOUR),
        *episode("Mine", GREECE, BEGUN + 2 * HOUR, BEGUN + 3 * HOUR),
    ]
    report = made(found, moves, rules=[*RULES, mine, country])
    lost, spent = [one.loss.lost or 0 for one in report.incidents], [one.loss.spent or 0 for one in report.incidents]
    assert min(lost) > 0
    assert report.lost == sum(lost)
    assert report.spent_on_lost == pytest.approx(sum(spent))


def test_an_alert_that_the_store_lost_and_that_was_found_again_does_not_go_on_beside_itself() -> None:
    found_again = BEGUN + 2 * HOUR
    moves = episode("Operators", GREECE, BEGUN, None) + episode("Operators", GREECE, found_again, None)
    report = made(messages(1) + outage(1, BEGUN, HOUR), moves)
    lost, again = sorted(report.incidents, key=lambda one: one.began)
    assert (lost.ended, again.ended) == (found_again, None)
    [noise] = report.rules
    assert noise.firing <= UNTIL - BEGUN, "none of the time counts twice"


def test_an_incident_of_another_account_shares_no_message() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    accounts = [AccountSource(window_of(found, name), UNTIL, {"all": START}, MINUTE) for name in ("main", "second")]
    moves = [move for one in accounts for move in episode("Operators", GREECE, BEGUN, None, account=one.window.account)]
    evaluated = {(one.window.account, rule.name): START for one in accounts for rule in RULES}
    source = ReportSource(accounts, RULES, sorted(moves, key=lambda one: one.at), [], {}, START, evaluated)
    report = build(source, SINCE, UNTIL, UNTIL)
    first, second = [one.loss for one in report.incidents if one.loss is not None]
    assert first.lost
    assert first.lost == second.lost
    assert report.lost == 2 * first.lost


@pytest.mark.parametrize(
    ("currencies", "said", "noted"),
    [
        (("EUR", "EUR"), "EUR", ()),
        (("EUR", ""), "", ()),
        (
            ("EUR", "USD"),
            "",
            ("Costs are in several currencies, and their sums say nothing: main in EUR, second in USD.",),
        ),
    ],
)
def test_sums_name_their_currency_where_all_accounts_have_the_same(
    currencies: tuple[str, str], said: str, noted: tuple[str, ...]
) -> None:
    windows = {name: window_of(messages(1), name) for name in ("main", "second")}
    both = zip(windows.values(), currencies, strict=True)
    accounts = [AccountSource(window, UNTIL, {"all": START}, MINUTE, currency) for window, currency in both]
    report = build(ReportSource(accounts, RULES, [], [], {}, START, {}), SINCE, UNTIL, UNTIL)
    [spent] = [one.value for one in figures(report) if one.name == "spent"]
    assert spent.partition(" ")[2] == said
    assert document(report)["currency"] == (said or None)
    assert tuple(note for note in report.notes if "currencies" in note) == noted


def test_every_step_of_a_report_is_told() -> None:
    moves = [*episode("Operators", GREECE, BEGUN, None), *episode("Quiet", GREECE, BEGUN, None)]
    source = ReportSource(
        [AccountSource(window_of(messages(1)), UNTIL, {"all": START}, MINUTE)], RULES, moves, [], {}, START, {}
    )
    told = list[tuple[int, int]]()
    build(source, SINCE, UNTIL, UNTIL, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_incident_has_also_its_alerts_that_ended_before_the_span() -> None:
    found = messages(1) + outage(1, SINCE - HOUR, 2 * HOUR)
    first, second = {"operator": "Cosmote", "country": "GR"}, {"operator": "Nova", "country": "GR"}
    moves = [
        *episode("Operators", first, SINCE - HOUR, SINCE - 10 * MINUTE, incident="i-1"),
        *episode("Quiet", second, SINCE - 30 * MINUTE, SINCE + HOUR, incident="i-1"),
        *episode("Operators", {"operator": "Telekom", "country": "DE"}, START, START + HOUR, incident="i-2"),
        *episode("Quiet", first, UNTIL + HOUR, None, incident="i-1"),
    ]
    report = made(found, moves, now=UNTIL + 2 * HOUR)
    [one] = report.incidents
    assert (one.id, one.alerts, one.began, one.ended) == ("i-1", 2, SINCE - 55 * MINUTE, SINCE + HOUR)
    assert one.loss is not None
    assert one.loss.start == SINCE - HOUR - 15 * MINUTE
    [line] = report.rules
    assert (line.rule, line.alerts, line.firing) == ("Quiet", 1, HOUR), "as far as it fired in the span"
    assert report.never == ("Operators",), "its alert ended before the span"


def test_an_incident_that_ended_after_the_report_went_on_then() -> None:
    moves = episode("Operators", {"operator": "Cosmote", "country": "GR"}, UNTIL - HOUR, UNTIL + HOUR)
    [one] = made(messages(1), moves, now=UNTIL + 2 * HOUR).incidents
    assert one.ended is None
    assert one.loss is not None
    assert one.loss.end == UNTIL
    [line] = made(messages(1), moves, now=UNTIL + 2 * HOUR).rules
    assert line.firing == HOUR - 5 * MINUTE


def test_noisy_rules_and_those_that_never_fired() -> None:
    groups = [{"operator": f"op{number}", "country": "GR"} for number in range(3)]
    moves = [move for group in groups for move in episode("Operators", group, BEGUN, BEGUN + HOUR, by="Ann")]
    report = made(messages(1), moves)
    [line] = report.rules
    assert (line.rule, line.alerts, line.firing, line.acknowledged) == ("Operators", 3, 3 * 55 * MINUTE, 3)
    assert report.never == ("Quiet",), "a rule that is switched off cannot fire"


def test_a_rule_that_could_not_see_is_told_apart_from_one_that_had_no_reason_to_fire() -> None:
    rules = [rule_of({"name": name, "kind": "count", "window": "1h", "above": 1} | more) for name, more in SEEING]
    blind = [
        *episode("MonitorBlind", {"search": "all"}, BEGUN, BEGUN + HOUR),  # fires five minutes after it begins
        *episode("MonitorBlind", {"search": "all"}, SINCE - HOUR, SINCE + MINUTE),
        *episode("MonitorBlind", {"search": "rare"}, BEGUN + HOUR, None),
        *episode("RuleError", {"rule": "Wrong"}, BEGUN, BEGUN + 30 * MINUTE),
        *episode("MonitorBlind", {"search": "all"}, START, START + HOUR),  # over before the span
    ]
    report = made(messages(1), blind, rules=rules, searches=("all", "rare", "other"))
    assert report.never == ("Other",)
    rest = UNTIL - (BEGUN + HOUR + 5 * MINUTE)
    assert {one.rule: one.blind for one in report.blind} == {
        "All": MINUTE + 55 * MINUTE + rest,
        "Rare": rest,
        "Wrong": 25 * MINUTE,
    }


def test_before_anything_was_known_no_rule_could_see() -> None:
    report = made(messages(1), known_since=SINCE + HOUR)
    assert report.never == ()
    assert [(one.rule, one.blind) for one in report.blind] == [("Operators", HOUR), ("Quiet", HOUR)]
    unknown = made(messages(1), known_since=None, as_of=None)
    assert [one.blind for one in unknown.blind] == [UNTIL - SINCE] * 2


def test_a_rule_sees_with_the_searches_that_it_reads_whatever_the_others_do() -> None:
    rules = [rule_of({"name": name, "kind": "count", "window": "1h", "above": 1} | more) for name, more in SEEING[:3]]
    late = SINCE + HOUR
    for others, blind in (
        ({}, {}),
        ({"second": {}}, {}),
        ({"second": {"new": None}}, {"All": UNTIL - SINCE}),
        ({"second": {"new": late}}, {"All": HOUR}),
        ({"second": {"rare": late, "new": None}}, {"All": UNTIL - SINCE, "Rare": HOUR}),
    ):
        report = made(messages(1), rules=rules, searches=("all", "rare", "other"), others=others)
        assert {one.rule: one.blind for one in report.blind} == blind, others
        assert set(report.never) == {"All", "Rare", "Other"} - set(blind)


def test_a_rule_that_is_younger_than_the_report_says_since_when_and_the_time_before_is_not_blind() -> None:
    blind = episode("MonitorBlind", {"search": "all"}, BEGUN, BEGUN + HOUR)  # fires five minutes after it begins
    young = SINCE + 3 * HOUR
    report = made(messages(1), blind, first={("main", "Quiet"): young}, known_since=SINCE + HOUR)
    assert [(one.rule, one.since, one.blind) for one in report.younger] == [("Quiet", young, 55 * MINUTE)]
    assert [(one.rule, one.since, one.blind) for one in report.blind] == [("Operators", None, HOUR + 55 * MINUTE)]
    assert report.never == ()


def test_a_rule_that_was_evaluated_before_the_span_is_not_young_and_one_that_never_was_saw_nothing() -> None:
    report = made(messages(1), first={("main", "Quiet"): SINCE, ("main", "Operators"): UNTIL})
    assert (report.never, report.younger) == (("Quiet",), ())
    assert [(one.rule, one.blind) for one in report.blind] == [("Operators", UNTIL - SINCE)]


def test_of_several_accounts_that_counts_in_which_a_rule_saw_least() -> None:
    report = made(messages(1), others={"second": {"all": START}}, first={("second", "Quiet"): SINCE + HOUR})
    assert [(one.rule, one.since) for one in report.younger] == [("Quiet", SINCE + HOUR)]
    assert report.never == ("Operators",)


def test_of_several_accounts_each_incident_names_its_own() -> None:
    moves = episode("Operators", {}, BEGUN, BEGUN + HOUR, incident="i-1")
    named = [
        next(table for table in tables(report) if table.key == "incidents").rows[0][0]
        for report in (made(messages(1), moves), made(messages(1), moves, others={"second": {"all": START}}))
    ]
    assert named == ["Operators", "Operators (main)"]


def test_of_several_accounts_each_campaign_names_its_own() -> None:
    found = messages(1)
    named = [
        next(table for table in tables(report) if table.key == "campaigns").rows[0][0]
        for report in (made(found), made(found, others={"second": {"all": START}}))
    ]
    assert named == ["Black Friday", "Black Friday (main)"]


def test_a_rule_whose_search_no_account_has_could_not_be_evaluated_at_all() -> None:
    rules = [rule_of({"name": "Rare", "kind": "count", "window": "1h", "above": 1, "search": "rare"})]
    assert [(one.rule, one.blind) for one in made(messages(1), rules=rules).blind] == [("Rare", UNTIL - SINCE)]


def test_reports_of_campaigns_are_no_incidents_but_their_rule_has_fired() -> None:
    moves = episode("Quiet", {"campaignTrackingId": "c-1", "problem": "ended"}, BEGUN, BEGUN + HOUR)
    report = made(messages(1), moves)
    assert (report.incidents, report.rules, report.never) == ((), (), ("Operators",))


def test_receivers_that_failed_come_first_with_their_latest_error() -> None:
    def told(at: Instant, channel: str, outcome: Any, error: str = "") -> NotificationRecord:
        return NotificationRecord(at, "ops", channel, "first", (), 0, outcome, error=error)

    notifications = [
        told(BEGUN + 2, "webhook/0", "dead", "410 Gone"),
        told(BEGUN + 1, "webhook/0", "dead", "500"),
        told(BEGUN, "slack/0", "sent"),
        told(BEGUN, "webhook/0", "superseded"),
    ]
    report = made(messages(1), notifications=notifications, waiting={("night", "slack/0"): (4, BEGUN)})
    lines = [(one.receiver, one.channel, one.sent, one.dead, one.waiting, one.error) for one in report.receivers]
    assert lines == [
        ("ops", "webhook/0", 0, 2, 0, "410 Gone"),
        ("night", "slack/0", 0, 0, 4, ""),
        ("ops", "slack/0", 1, 0, 0, ""),
    ]


def test_what_is_not_known_is_said() -> None:
    found = messages(1)
    whole = made([one | {"price": 0.05} for one in found])
    assert whole.notes == ()
    [short, priced] = made(found, known_since=SINCE + HOUR).notes
    assert "known from 2026-11-10 01:00 UTC on only" in short
    assert "had no price" in priced
    [compared, *_] = made(found, known_since=SINCE - HOUR).notes
    assert "no comparison" in compared
    [stale, *_] = made(found, as_of=UNTIL - 2 * HOUR).notes
    assert "last polled completely at 2026-11-10 22:00 UTC, 2h before the end" in stale
    [nothing, *_] = made([], as_of=None, known_since=None).notes
    assert "nothing is known of it" in nothing
    assert "Alerts and notifications are known from" in made(found, told_since=SINCE + 1).notes[-1]


def test_a_span_of_the_past_is_not_stale_although_now_is_later() -> None:
    assert not made(messages(1), as_of=UNTIL, now=UNTIL + DAY).accounts[0].stale


def test_an_empty_account_gives_an_empty_report() -> None:
    report = made([])
    assert report.total.now.share is None
    assert report.total.now.cost_per_delivered is None
    assert (report.countries, report.campaigns, report.incidents, report.lost) == ((), (), (), None)


def test_long_lists_are_cut_and_say_how_many_are_left_out() -> None:
    found = [one | {"operator": f"op{number % 150}"} for number, one in enumerate(messages(1))]
    report = made(found)
    assert len(report.operators) == MOST_OPERATORS
    pairs = {(one["country"], one["operator"]) for one in found if one["direction"] != "Inbound"}
    assert report.more["operators"] >= len(pairs) - MOST_OPERATORS - 10


def test_of_more_incidents_than_are_shown_all_are_counted() -> None:
    found = messages(1) + outage(1, BEGUN, HOUR)
    groups = [{"operator": "Cosmote", "country": "GR"}, *({"operator": f"op{n}", "country": "GR"} for n in range(130))]
    moves = [
        move
        for n, group in enumerate(groups)
        for move in episode("Operators", group, BEGUN + n * MINUTE, BEGUN + 3 * HOUR)
    ]
    report = made(found, moves)
    assert (len(report.incidents), report.more["incidents"]) == (100, 31)
    assert report.incidents[0].title == "Operators Cosmote, GR", "it is the earliest, and lost most"
    assert report.lost == report.incidents[0].loss.lost  # type: ignore[union-attr]  # its messages can be counted
    assert report.notes == made(found).notes
