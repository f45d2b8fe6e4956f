"""Campaigns against a naive oracle, and the stories of campaigns that go well, fail, stall, fall short and end."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.kinds import EvaluationInput, RuleResult, evaluate
from monitor.alerts.kinds.statistics import wilson
from monitor.config.rules import rule_of
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.batch import batch_of
from monitor.model.finding import Finding
from monitor.model.message import FAILURES, FINAL
from monitor.model.routee_query import CampaignState
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Instant
from monitor.window import Window, WindowReader

NOW = 100 * DAY
FOREVER = -(1 << 60)
EVERYTHING = {"failure_above": "20%", "stalled_for": "30m", "short_below": "95%", "ended": "report"}

Rows = list[dict[str, Any]]


def evaluated(
    rows: Rows,
    at: Instant = NOW,
    account_state: AccountState = NOTHING_KNOWN,
    since: Instant = FOREVER,
    known: Any = (),
    **rule: Any,
) -> RuleResult:
    """``rows``: first (when it was queued), date and status (what was reported last)."""
    window = Window("main")
    told = [
        {"campaignTrackingId": "c1", "campaign": "Sale"} | row | {"messageId": f"m{i}"} for i, row in enumerate(rows)
    ]
    for early in (True, False):
        window.upsert(
            batch_of([row | ({"date": row["first"], "status": "Queued"} if early else {}) for row in told]), "all"
        )
    model = rule_of({"name": "R", "kind": "campaign"} | (rule or EVERYTHING))
    return evaluate(model, EvaluationInput(WindowReader(window), at, since, known, account_state))


def problems(rule_result: RuleResult) -> dict[str, Finding]:
    return {dict(finding.group)["problem"]: finding for finding in rule_result.findings()}


def over(rule_result: RuleResult) -> list[str]:
    return [dict(finding.group)["problem"] for finding in rule_result.breaching()]


def state(
    recipients: int | None = None, name: str = "Running", at: Instant = NOW, over_since: bool = False, of: str = "c1"
) -> AccountState:
    account_state = AccountState()
    if over_since:
        account_state = account_state.with_campaign(at - 1, CampaignState(of, "Sale", "Running", {}, recipients))
    return account_state.with_campaign(at, CampaignState(of, "Sale", name, {}, recipients))


def sent(
    count: int, began: Instant, until: Instant, status: str = "Delivered", after: int = 5 * SECOND, **more: Any
) -> Rows:
    """Messages queued evenly from ``began`` to ``until``; the report came ``after`` that."""
    times = [began + (until - began) * i // max(count - 1, 1) for i in range(count)]
    return [{"status": status, "first": at, "date": at + after, **more} for at in times]


# the oracle

one = st.fixed_dictionaries(
    {
        "campaignTrackingId": st.sampled_from(["c1", "c2", "c3", None]),
        "first": st.integers(NOW - 4 * HOUR, NOW) | st.sampled_from([NOW - 2 * HOUR, NOW - 15 * MINUTE, NOW]),
        "wait": st.sampled_from([0, SECOND, 14 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR]),
        "status": st.sampled_from(["Queued", "Sent", "Delivered", "Undelivered", "Unsent"]),
        "price": st.sampled_from([None, 0.045]),
    }
)


def naive(mine: Rows, recipients: int, is_over: bool, least: int, confidence: float | None) -> dict[str, Any]:
    """What each problem should be: the number of levels crossed, None for not enough data; a problem that is not listed is missing."""
    told = [row if row["date"] <= NOW else row | {"status": "?", "date": row["first"]} for row in mine]
    final = [row for row in told if row["status"] in FINAL]
    failed = sum(row["status"] in FAILURES for row in final)
    appeared, changed = max(row["first"] for row in told), max(row["date"] for row in told)
    missing = recipients > 0 and not is_over and len(told) < recipients * 0.95
    queued = sum(row["status"] == "Queued" for row in told) > len(told) * 0.05
    ends = []
    if not missing and not queued:
        ends.append(appeared + 2 * HOUR)
        if len(final) == len(told):
            ends.append(max(appeared + 15 * MINUTE, changed))
        early = sum(row["date"] <= appeared + 15 * MINUTE for row in final)
        if (is_over or 0 < recipients <= len(told)) and early >= 0.9 * len(told):
            ends.append(appeared + 15 * MINUTE)
    end = min(ends, default=1 << 62)
    followed = max(len(told), recipients) >= least
    bound = failed / max(len(final), 1)
    if confidence is not None:
        bound = float(wilson(*map(_floats, (failed, len(final))), confidence)[0][0])
    found: dict[str, Any] = {"failing": 0 if end <= NOW else None if len(final) < least else 2 * int(bound > 0.2)}
    if followed:
        unfinished = (missing or queued or len(told) - len(final) > 0.2 * len(told)) and end > NOW
        quiet = NOW - (appeared if missing else changed)
        found["stalled"] = 2 * int(unfinished and quiet >= 30 * MINUTE)
        told_now = end <= NOW < end + HOUR
        if recipients:
            found["short"] = 2 * int(told_now and len(told) / recipients < 0.95)
        if told_now:
            found["ended"] = 1
    return found


def _floats(number: int) -> Any:
    return np.array([float(number)])


@given(
    st.lists(one, max_size=30),
    st.sampled_from([0, 3, 8]),
    st.sampled_from(["Running", "Finished"]),
    st.integers(1, 4),
    st.sampled_from([None, 0.9]),
)
@settings(max_examples=200, deadline=None)
def test_every_problem_is_what_the_oracle_says(
    rows: Rows, recipients: int, word: str, least: int, confidence: float | None
) -> None:
    rows = [row | {"date": row["first"] + row["wait"] * (row["status"] != "Queued")} for row in rows]
    rule = EVERYTHING | {"min_messages": least} | ({} if confidence is None else {"confidence": "90%"})
    rule_result = evaluated(rows, account_state=state(recipients, word) if recipients else NOTHING_KNOWN, **rule)
    found: dict[str, dict[str, Any]] = {}
    for finding in rule_result.findings():
        labels = dict(finding.group)
        found.setdefault(labels["campaignTrackingId"], {})[labels["problem"]] = finding.breached
        assert finding.why
    for name in ("c1", "c2", "c3"):
        mine = [row for row in rows if row["campaignTrackingId"] == name]
        active = any(row["date"] <= NOW for row in mine)
        known = recipients if name == "c1" else 0
        expected = naive(mine, known, word == "Finished", least, confidence) if active else {}
        assert found.get(name, {}) == expected
    assert "unknown" not in found


# stories


def test_a_campaign_that_fails_is_told_while_it_runs_and_over_when_it_has_ended() -> None:
    rows = sent(90, NOW - 20 * MINUTE, NOW - MINUTE) + sent(
        30, NOW - 20 * MINUTE, NOW - MINUTE, "Undelivered", detailedStatus="Unknown Number"
    )
    finding = next(evaluated(rows).breaching())
    assert finding.group == (("campaign", "Sale"), ("campaignTrackingId", "c1"), ("problem", "failing"))
    assert (finding.value, finding.threshold, finding.messages, finding.matching) == (0.25, 0.2, 120, 30)
    assert finding.why == "fails: 30 of 120 messages failed (25%), limit 20%"
    later = evaluated(rows, NOW + 20 * MINUTE)
    assert over(later) == ["ended"]
    assert problems(later)["failing"].why == "has ended: 30 of 120 messages failed (25%)"


def test_few_messages_are_not_enough_to_say_that_it_fails() -> None:
    rows = sent(30, NOW - 5 * MINUTE, NOW, "Undelivered") + sent(100, NOW - 5 * MINUTE, NOW, "Sent")
    finding = problems(evaluated(rows, failure_above="20%"))["failing"]
    assert finding.breached is None
    assert finding.why == "not enough data: 29 messages with a final status, min_messages is 50"
    certain = evaluated(sent(15, NOW - HOUR, NOW - 30, "Failed") + sent(45, NOW - HOUR, NOW - 30), failure_above="20%")
    assert over(certain) == ["failing"]
    unproven = evaluated(
        sent(15, NOW - HOUR, NOW - 30, "Failed") + sent(45, NOW - HOUR, NOW - 30), failure_above="20%", confidence="95%"
    )
    assert over(unproven) == []
    assert problems(unproven)["failing"].why.endswith("limit 20%, but not with 95% confidence")


def test_handsets_that_are_off_for_hours_are_no_stall() -> None:
    rows = sent(960, NOW - 40 * MINUTE, NOW - 35 * MINUTE) + sent(40, NOW - 40 * MINUTE, NOW - 35 * MINUTE, "Sent")
    for account_state in (NOTHING_KNOWN, state(1000), state(1010, "Finished")):
        assert "stalled" not in over(evaluated(rows, account_state=account_state))


def test_messages_that_stay_queued_are_a_stall() -> None:
    rows = sent(900, NOW - 2 * HOUR, NOW - 35 * MINUTE) + sent(100, NOW - HOUR, NOW - 35 * MINUTE, "Queued", 0)
    finding = problems(evaluated(rows))["stalled"]
    assert (finding.breached, finding.threshold) == (2, 1800.0)
    assert finding.why == "has stalled: 100 of 1,000 messages still queued, nothing changed for 34m"
    assert over(evaluated(rows, NOW - 10 * MINUTE)) == []
    assert over(evaluated(rows, account_state=state(name="Cancelled"))) == ["ended"]


def test_recipients_without_a_message_are_a_stall_although_late_reports_still_come() -> None:
    rows = sent(6200, NOW - 2 * HOUR, NOW - 45 * MINUTE) + sent(
        4, NOW - 2 * HOUR, NOW - HOUR, "Delivered", HOUR - MINUTE
    )
    finding = problems(evaluated(rows, account_state=state(10_000)))["stalled"]
    assert finding.why == "has stalled: messages to 6,204 of 10,000 recipients, no new one for 45m"
    assert over(evaluated(rows, account_state=state(10_000, "Paused"))) == []
    assert over(evaluated(rows, account_state=state(6_400))) == [
        "ended"
    ]  # duplicates and blocked numbers have no message


def test_missing_reports_are_a_stall() -> None:
    rows = sent(60, NOW - HOUR, NOW - 40 * MINUTE, "Sent") + sent(40, NOW - HOUR, NOW - 50 * MINUTE)
    finding = problems(evaluated(rows))["stalled"]
    assert finding.why == "has stalled: 60 of 100 messages without a final status, nothing changed for 39m"
    assert over(evaluated(rows, NOW + 2 * HOUR)) == ["ended"]


def test_falling_short_is_told_where_the_recipients_and_the_beginning_are_known() -> None:
    rows = sent(900, NOW - HOUR, NOW - 20 * MINUTE)
    finding = problems(evaluated(rows, account_state=state(1000, "Finished")))["short"]
    assert (finding.breached, finding.value, finding.threshold) == (2, 0.9, 0.95)
    assert finding.why == "ended short: 900 messages for 1,000 recipients (90%), limit 95%"
    later = problems(evaluated(rows, NOW + 2 * HOUR, account_state=state(1000, "Finished")))["short"]
    assert later.breached == 0
    assert later.why == (
        "has ended short: 900 messages for 1,000 recipients (90%), limit 95%, reported for 1h after the end"
    )
    assert "short" not in problems(evaluated(rows, account_state=state(1000, "Finished"), since=NOW - HOUR))
    assert "short" not in problems(evaluated(rows))


def test_the_report_has_the_totals_and_goes_by_itself() -> None:
    rows = (
        sent(900, NOW - HOUR, NOW - 20 * MINUTE, price=0.05)
        + sent(60, NOW - HOUR, NOW - 20 * MINUTE, "Undelivered", detailedStatus="Unknown Number", price=0.05)
        + sent(20, NOW - HOUR, NOW - 20 * MINUTE, "Failed", price=0.05)
        + sent(20, NOW - HOUR, NOW - 20 * MINUTE, "Sent", price=0.05)
    )
    (finding,) = evaluated(rows, account_state=state(1000)).breaching()
    assert (dict(finding.group)["problem"], finding.breached, finding.value) == ("ended", 1, 0.9)
    assert finding.why == (
        "has ended: 1,000 messages to 1,000 recipients in 40m: 90% delivered, "
        "8% failed (Unknown Number 60, Failed 20), 2% without a final status, 50.00 spent"
    )
    assert over(evaluated(rows, NOW + 54 * MINUTE, account_state=state(1000))) == ["ended"]
    assert over(evaluated(rows, NOW + 55 * MINUTE, account_state=state(1000))) == []


def test_an_end_that_becomes_known_late_is_told_then_and_old_ones_are_not_told_at_a_start() -> None:
    rows = sent(500, NOW - 6 * HOUR, NOW - 5 * HOUR)
    assert over(evaluated(rows, account_state=state(1000, "Finished", NOW - MINUTE))) == []
    late = evaluated(rows, account_state=state(1000, "Finished", NOW - MINUTE, over_since=True))
    assert sorted(over(late)) == ["ended", "short"]


@pytest.mark.parametrize("recipients", [None, 500], ids=["recipients unknown", "recipients known"])
def test_an_end_that_has_come_is_not_told_again_when_routee_says_so_later(recipients: int | None) -> None:
    rows = sent(500, NOW - 3 * HOUR, NOW - 2 * HOUR)
    assert "ended" in over(evaluated(rows, NOW - 100 * MINUTE, state(recipients)))
    told_late = state(recipients, "Completed", NOW - MINUTE, over_since=True)
    assert over(evaluated(rows, account_state=told_late)) == []


def test_an_end_that_was_held_up_until_routee_says_so_is_told_then() -> None:
    rows = sent(500, NOW - 3 * HOUR, NOW - 2 * HOUR)
    paused = AccountState().with_campaign(NOW - HOUR, CampaignState("c1", "Sale", "Paused", {}, 500))
    assert over(evaluated(rows, account_state=paused)) == []
    told = paused.with_campaign(NOW - MINUTE, CampaignState("c1", "Sale", "Completed", {}, 500))
    assert over(evaluated(rows, account_state=told)) == ["ended"]


def test_an_alert_keeps_the_name_of_its_campaign() -> None:
    rows = sent(100, NOW - HOUR, NOW - 20 * MINUTE, campaign=None) + sent(1, NOW - HOUR, NOW - HOUR, campaign="Sale 2")
    group = (("campaign", "unknown"), ("campaignTrackingId", "c1"), ("problem", "ended"))
    assert next(evaluated(rows, known=[group]).breaching()).group == group
    assert dict(next(evaluated(rows).breaching()).group)["campaign"] == "Sale 2"
    nameless = evaluated([row | {"campaign": None} for row in rows], account_state=state())
    assert dict(next(nameless.breaching()).group)["campaign"] == "Sale"


def test_a_campaign_of_which_nothing_is_heard_any_more_is_over() -> None:
    group = (("campaign", "Sale"), ("campaignTrackingId", "c1"), ("problem", "stalled"))
    rows = sent(100, NOW - HOUR, NOW, "Queued", 0)
    assert evaluated(rows, NOW + HOUR).of(group).breached == 2
    assert evaluated(rows, NOW + DAY - SECOND, known=[group]).of(group).breached == 2
    gone = evaluated(rows, NOW + DAY, known=[group]).of(group)
    assert (gone.breached, gone.why) == (0, "is over: no message and no report for a day")
    assert evaluated([], known=[group]).of(group).breached == 0


@pytest.mark.parametrize("where", [{"country": "GR"}, {"from": "Shop"}])
def test_where_narrows_messages_and_recipients_count_only_for_whole_campaigns(where: dict[str, str]) -> None:
    rows = sent(60, NOW - HOUR, NOW - 40 * MINUTE, country="GR") + sent(60, NOW - HOUR, NOW - 40 * MINUTE, country="DE")
    rows = [row | {"from": "Shop"} for row in rows]
    found = problems(evaluated(rows, account_state=state(1000), stalled_for="30m", where=where))["stalled"]
    assert found.messages == (60 if "country" in where else 120)
    assert found.breached == (0 if "country" in where else 1)


def test_ten_thousand_campaigns_are_no_trouble() -> None:
    rows = [
        {
            "first": NOW - HOUR,
            "date": NOW - HOUR + i % 7,
            "status": "Delivered" if i % 3 else "Failed",
            "campaignTrackingId": f"c{i % 10_000}",
        }
        for i in range(30_000)
    ]
    rule_result = evaluated(rows, min_messages=1, **EVERYTHING)
    findings = list(rule_result.breaching())
    assert len(findings) == 10_000
    assert findings[0].why.startswith("has ended: 3 messages in 0s: ")


def test_just_after_a_start_nothing_is_said_of_progress_until_routee_was_asked() -> None:
    rows = sent(300, NOW - 2 * HOUR, NOW - 40 * MINUTE)
    assert over(evaluated(rows)) == ["ended"]
    starting = NOTHING_KNOWN.asking(NOW)
    for problem in ("stalled", "short", "ended"):
        group = (("campaign", "Sale"), ("campaignTrackingId", "c1"), ("problem", problem))
        finding = evaluated(rows, account_state=starting, known=[group]).of(group)
        assert (finding.breached, finding.why[:15]) == (None, "not enough data")
    assert over(evaluated(rows, NOW + 5 * MINUTE, account_state=starting)) == ["ended"]
    assert over(evaluated(rows, account_state=starting.with_campaign(NOW, state(1000).campaigns["c1"].state))) == [
        "stalled"
    ]
    assert over(evaluated(rows, account_state=starting.asking(NOW + 1).asking(None))) == ["ended"]
