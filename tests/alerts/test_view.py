"""Alerts as people are shown them: labels, links, what was held back, what explains them."""

import logging
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from monitor.alerts.evaluation import EvaluationResult, Evaluations
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds import matched, unit_of
from monitor.alerts.view import Views, history, links_of
from monitor.config.rules import rule_of
from monitor.model.builtin_alerts import BUILT_IN, MONITOR_BLIND, BuiltIn, over
from monitor.model.builtin_alerts import finding as trouble
from monitor.model.notification import AlertView, Link
from monitor.model.privacy import RecipientMask
from monitor.notify.render import Templates
from monitor.runtime.clock import HOUR, MINUTE
from monitor.window import Window, WindowReader
from tests.fakes.alerts import rate
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.toy_kind import BROKEN, registered
from tests.fakes.written import CONFIG, settings
from tests.store.store_samples import NOW, alert

AT_ONCE = CONFIG.replace("group_wait: 10s", "group_wait: 0s")
TWO_ACCOUNTS = AT_ONCE.replace(
    "searches:",
    "  - {name: second, application_id: id2, application_secret: secret2}\nsearches:\n  - {name: more, account: second}",
)
RATE = """
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 10m
    above: 20%
    severity: critical
    labels: {team: sms}
"""


async def shown(rules: str = RATE, config: str = AT_ONCE, **fields: Any) -> AlertView:
    """The alert that half of the messages failing gives."""
    clock = HandClock()
    harness = PipelineHarness(settings(rules, config), clock)
    await harness.poll(traffic(200, 400, operator="Cosmote", **fields))
    return harness.told[-1].alerts[0]


async def test_labels_are_the_name_the_group_the_severity_and_the_rules_own() -> None:
    view = await shown()
    assert view.labels == {"alertname": "Failing", "operator": "Cosmote", "severity": "critical", "team": "sms"}


async def test_the_account_is_a_label_where_there_are_several() -> None:
    assert (await shown(config=TWO_ACCOUNTS)).labels["account"] == "main"


async def test_the_same_group_of_two_accounts_is_two_alerts() -> None:
    clock = HandClock()
    harness = PipelineHarness(settings(RATE, TWO_ACCOUNTS), clock)
    await harness.poll(traffic(5, operator="Cosmote"))
    await harness.poll(traffic(5, operator="Cosmote"), "more", "second")
    clock.at += 5 * MINUTE
    await harness.pipeline.flush()
    told = harness.told[-1].alerts
    assert {view.labels["account"] for view in told} == {"main", "second"}
    assert len({view.fingerprint for view in told}) == 2


async def test_numbers_are_those_of_the_finding() -> None:
    view = await shown()
    assert (view.value, view.threshold, view.messages, view.matching) == (0.5, 0.2, 400, 200)
    assert (view.unit, view.window, view.comparison, view.peak) == ("share", 10 * MINUTE, "above", 0.5)
    assert view.why == "50% (200 of 400 messages) is above 20%"


async def test_samples_are_masked_and_the_latest_first() -> None:
    clock = HandClock()
    harness = PipelineHarness(settings(RATE, AT_ONCE), clock)
    failed = {"operator": "Cosmote", "status": "Undelivered", "to": "+306912345678", "detailedStatus": "Expired"}
    await harness.poll([failed | {"messageId": f"bad-{i}", "date": clock.at - i} for i in range(8)])
    samples = harness.told[-1].alerts[0].samples
    assert [sample.message_id for sample in samples] == [f"bad-{i}" for i in range(5)]
    assert {sample.to for sample in samples} == {"+30691•••••78"}
    assert {sample.detailed_status for sample in samples} == {"Expired"}


@pytest.mark.parametrize(("mode", "text"), [("hash", "••••••••"), ("show", "+306912345678")])
async def test_what_is_shown_of_recipients_is_as_configured(mode: str, text: str) -> None:
    rules = RATE.replace("[operator]", "[to]")
    view = await shown(rules, AT_ONCE + f"privacy: {{recipients: {mode}}}\n", to="+306912345678")
    assert view.samples[0].to == text
    assert view.labels["to"].startswith(text)
    assert ("+306912345678" in str(view)) == (mode == "show")


async def test_what_history_needs_is_worked_out_once_for_all_alerts_of_a_rule() -> None:
    harness = PipelineHarness(settings(RATE, AT_ONCE), HandClock())
    await harness.poll([*traffic(5, operator="Cosmote"), *traffic(5, operator="Nova")])
    evaluator = harness.pipeline.accounts["main"].evaluator
    cursor, rule = evaluator.coverage.cursors["all"], evaluator.rules["Failing"]
    inputs = evaluator.input_for(rule, WindowReader(evaluator.window), cursor.as_of, cursor.covered_since)
    found: Evaluations = {}
    assert history(rule, inputs, (("operator", "Cosmote"),), found=found)[-1] == 0.5
    worked_out = len(found)
    assert history(rule, inputs, (("operator", "Nova"),), found=found)[-1] == 0.5
    assert len(found) == worked_out > 0


async def test_history_looks_for_the_groups_with_alerts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = PipelineHarness(settings(RATE, AT_ONCE), HandClock())
    await harness.poll([*traffic(5, operator="Cosmote"), *traffic(5, operator="Nova")])
    evaluator, groups = (
        harness.pipeline.accounts["main"].evaluator,
        ((("operator", "Cosmote"),), (("operator", "Nova"),)),
    )
    cursor, rule = evaluator.coverage.cursors["all"], evaluator.rules["Failing"]
    inputs = evaluator.input_for(rule, WindowReader(evaluator.window), cursor.as_of, cursor.covered_since)
    sought: list[tuple[str, ...]] = []
    code = WindowReader.code

    def counted(self: WindowReader, by: tuple[str, ...], values: tuple[str, ...]) -> int | None:
        sought.append(values)
        return code(self, by, values)

    monkeypatch.setattr(WindowReader, "code", counted)
    found: Evaluations = {}
    assert history(rule, replace(inputs, known=groups, covered_since=0), groups[0], found=found)[-1] == 0.5
    assert len(found) > 20
    assert sought.count(("Nova",)) == 1


async def test_history_ends_with_the_present_and_has_no_value_from_before_it_was_known() -> None:
    view = await shown()
    assert len(view.history) == 24
    assert view.history[-1] == 0.5
    assert view.history[0] is None


async def test_an_alert_that_is_over_is_explained_no_more() -> None:
    clock = HandClock()
    harness = PipelineHarness(settings(RATE, AT_ONCE), clock)
    await harness.poll(traffic(5, operator="Cosmote"))
    clock.at += HOUR
    await harness.poll(traffic(0, operator="Cosmote"))
    view = harness.told[-1].alerts[0]
    assert (view.status, view.resolved_because, view.breakdown, view.samples) == ("resolved", "recovered", (), ())
    assert view.duration == HOUR
    assert view.peak == 0.5


async def test_what_explains_it_is_compared_with_the_time_before_the_alert_however_long_it_lasts() -> None:
    clock = HandClock()
    harness = PipelineHarness(settings(RATE, AT_ONCE), clock)
    await harness.poll(traffic(20, 1000, operator="Cosmote"))
    for _ in range(5 * 12):
        clock.at += 5 * MINUTE
        filtered = {"from": "Shop", "detailedStatus": "Carrier Violation"}
        await harness.poll([*traffic(0, 60, operator="Cosmote"), *traffic(40, 40, operator="Cosmote", **filtered)])
    told = harness.told[-1]
    assert told.reason == "repeat"
    causes = {cause.field: cause.value for cause in told.alerts[0].breakdown}
    assert causes == {"from": "Shop", "detailedStatus": "Carrier Violation"}


async def test_an_annotation_that_fails_loses_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    rules = RATE + '    annotations: {summary: "{{ 1 / (messages - 400) }}", other: "{{ value | percent }}"}\n'
    with caplog.at_level(logging.WARNING):
        view = await shown(rules)
    assert view.annotations["other"] == "50%"
    assert view.annotations["summary"].startswith("Failing: 50% of 400 messages to Cosmote failed")
    assert "division by zero" in view.annotations["summary"]
    assert len([record for record in caplog.records if "summary" in record.message]) == 1


async def test_an_alert_of_a_rule_that_cannot_be_judged_any_more_is_told_all_the_same() -> None:
    clock = HandClock()
    harness = PipelineHarness(settings(RATE, AT_ONCE), clock)
    await harness.poll(traffic(5, operator="Cosmote"))
    evaluator = harness.pipeline.accounts["main"].evaluator
    with registered(BROKEN):
        evaluator.rules["Failing"] = rule_of(
            {"name": "Failing", "kind": "broken", "by": ["operator"], "window": "10m", "severity": "critical"}
        )
        clock.at += 5 * HOUR
        await harness.pipeline.flush()
    assert harness.reasons() == ["first", "repeat"]
    view = harness.told[-1].alerts[0]
    assert (view.value, view.history) == (0.5, ())


async def test_the_alert_of_our_own_says_what_to_do() -> None:
    clock = HandClock()
    harness = PipelineHarness(settings(RATE, AT_ONCE), clock)
    await harness.sinks["main"].blind("all", clock.at, "no answer")
    view = harness.told[-1].alerts[0]
    assert view.labels == {"alertname": "MonitorBlind", "account": "main", "search": "all", "severity": "critical"}
    assert "no answer" in view.annotations["summary"]
    assert "check --online" in view.annotations["description"]
    assert "If the reason is the store, mend that" in view.annotations["description"]


def rule(**more: Any) -> Any:
    return rule_of({"name": "R", "kind": "rate", "window": "5m", "above": "20%"} | more)


def test_a_fixed_runbook_is_a_link_and_one_made_from_data_is_not() -> None:
    fixed = rule(annotations={"runbook_url": "https://wiki.example.org/sms"})
    assert links_of(fixed) == (Link("Runbook", "https://wiki.example.org/sms"),)
    for url in ("https://evil/{{ labels.from }}", "javascript:alert(1)", ""):
        assert links_of(rule(annotations={"runbook_url": url})) == ()


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"status": ["Failed", "Undelivered"]}, "Failed or Undelivered"),
        ({"status": "Undelivered"}, "Undelivered"),
        ({"detailedStatus": ["Expired", "Call Barred"]}, "Expired or Call Barred"),
        ({"from": "Shop"}, "match"),
    ],
)
def test_what_is_counted_in_a_few_words(match: dict[str, Any], words: str) -> None:
    assert matched(rule(match=match)) == words


def test_plain_failures_need_no_words() -> None:
    assert matched(rule()) == ""


def test_units() -> None:
    spike = {"name": "R", "kind": "spike", "window": "5m", "above": "3x", "baseline": {"same_hour": "7d"}}
    assert unit_of(rule()) == "share"
    assert unit_of(rule_of(spike)) == "count"
    assert unit_of(rule_of(spike | {"measure": "rate"})) == "share"


async def test_a_group_of_one_recipient_ends_under_each_mode() -> None:
    for mode in ("mask", "hash", "show"):
        clock = HandClock()
        harness = PipelineHarness(
            settings(RATE.replace("[operator]", "[to]"), AT_ONCE + f"privacy: {{recipients: {mode}}}\n"), clock
        )
        numbers = [{"to": f"+3069123456{i}"} for i in range(10, 60)]
        await harness.poll([row for number in numbers for row in traffic(5, 10, **number)])
        assert len(harness.told[-1].alerts) == 50
        clock.at += 10 * MINUTE
        await harness.poll([row for number in numbers for row in traffic(0, 10, **number)])
        assert harness.reasons() == ["first", "all resolved"], mode


@pytest.mark.parametrize("built_in", BUILT_IN.values(), ids=lambda built_in: built_in.name)
def test_the_end_of_a_built_in_alert_says_what_is_good_again(built_in: BuiltIn) -> None:
    evaluator = RuleEvaluator(Window("main", RecipientMask()), (), ("all",))
    views, shown = Views(evaluator, Templates()), []
    for finding, at in ((trouble("503 from Routee", search="all"), HOUR), (over(search="all"), 2 * HOUR)):
        result = EvaluationResult()
        evaluator.update_builtin(built_in, finding, at, result)
        evaluator.apply(result)
        [alert] = result.alerts.values()
        assert alert is not None
        shown.append(views.view(alert))
    fires, ended = shown
    assert fires.annotations == {"summary": f"{built_in.summary}: 503 from Routee", "description": built_in.advice}
    assert (ended.status, ended.annotations) == ("resolved", {"summary": built_in.ended})


@pytest.mark.parametrize(
    ("searches", "rules", "said", "because"),
    [
        ((), (), "account main is no longer watched", "unwatched"),
        (("all",), (), "rule OperatorFailureRate is no longer configured", "removed"),
    ],
)
def test_the_end_of_an_alert_whose_account_or_rule_is_gone_says_so_and_nothing_of_its_beginning(
    searches: tuple[str, ...], rules: tuple[Any, ...], said: str, because: str
) -> None:
    texts = {"summary": "34% fail", "description": "call the operator", "runbook_url": "https://example.org"}
    ended = msgspec.structs.replace(alert(resolved_at=NOW), because="removed", view=rate(annotations=texts))
    found = Views(RuleEvaluator(Window("main", RecipientMask()), rules, searches), Templates()).view(ended)
    assert (found.status, found.resolved_because) == ("resolved", because)
    assert found.annotations == {"summary": said, "runbook_url": "https://example.org"}


@pytest.mark.parametrize(
    ("searches", "said"),
    [
        ((), "account main is no longer watched"),
        (("all",), "what it was about is no longer configured"),
    ],
)
def test_the_end_of_a_built_in_alert_about_what_is_gone_does_not_say_that_all_is_well_again(
    searches: tuple[str, ...], said: str
) -> None:
    evaluator, result = RuleEvaluator(Window("main", RecipientMask()), (), searches), EvaluationResult()
    evaluator.update_builtin(MONITOR_BLIND, trouble("503 from Routee", search="gone"), HOUR, result)
    evaluator.apply(result)
    evaluator.apply(evaluator.drop_gone(2 * HOUR))
    [(_, ended)] = evaluator.every_alert()
    assert Views(evaluator, Templates()).view(ended).annotations == {"summary": said}
