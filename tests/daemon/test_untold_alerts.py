"""What a worker tells of alerts that began at another one, which could not tell them any more, and whose rule it has not read yet."""

import msgspec
import pytest
from test_shared_pipeline import CONFIG, Pair, reload

from monitor.alerts.view import HISTORY
from monitor.model.notification import Notification
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import MINUTE, SECOND
from monitor.store.protocol import Commit

ROUTED = CONFIG.replace("console: [{}]}]", "console: [{}]}, {name: oncall, console: [{}]}]").replace(
    "group_wait: 0s",
    'group_wait: 10s, group_interval: 5m, routes: [{matchers: [severity="critical"], receiver: oncall}]',
)
NEW = """rules:
  - {name: Failing, kind: rate, by: [operator], window: 1m, above: 20%}
  - name: New
    kind: count
    window: 1m
    severity: critical
    above: 10
    labels: {team: sms}
    annotations: {summary: "Look at {{ labels.team }}"}
"""
LEVELS = NEW.replace(
    "    severity: critical\n    above: 10\n",
    "    levels: [{above: 10, severity: warning}, {above: 20, severity: critical}]\n",
)
LABELS = {"alertname": "New", "account": "a", "severity": "critical", "team": "sms"}


async def pair_of(rules: str) -> Pair:
    """Returns two workers of which only the first one, which has the account a, has read the rule New."""
    pair = Pair()
    await pair.start(("a",), ("b",))
    await reload(pair.second, ROUTED)
    await reload(pair.first, ROUTED, rules)
    return pair


async def begin(pair: Pair, messages: int) -> None:
    """Has the rule New find so many messages of the account a at the first worker."""
    pair.clock.at += MINUTE
    rows = [
        {"messageId": f"{pair.clock.at}{i}", "date": pair.clock.at, "status": "Delivered", "operator": "Cosmote"}
        for i in range(messages)
    ]
    await pair.first.poll("a", rows, pair.clock.at)


async def pass_on(pair: Pair) -> None:
    await pair.first.pipeline.hand_over("a")
    await pair.second.adopt("a")
    await pair.second.pipeline.begin()


def told(pair: Pair) -> list[Notification]:
    found = [one.notification for one in pair.store.outbox if one.account == "a"]
    return [one for one in found if one.group_key != "{watchdog}"]


def shown(found: Notification) -> tuple[str, str, dict[str, str]]:
    [alert] = found.alerts
    return found.receiver, alert.status, alert.labels


async def test_an_alert_that_passes_on_before_it_was_told_is_told_as_by_the_rule_that_is_not_read_yet() -> None:
    pair = await pair_of(NEW)
    await begin(pair, 15)
    assert told(pair) == []
    await pass_on(pair)
    pair.clock.at += 10 * SECOND
    await pair.second.pipeline.flush()
    [first] = told(pair)
    assert shown(first) == ("oncall", "firing", LABELS)
    assert first.alerts[0].annotations["summary"] == "Look at sms"
    assert first.alerts[0].value == 15
    await reload(pair.second, ROUTED, NEW)
    pair.clock.at += 5 * MINUTE
    await pair.second.poll("a", [], pair.clock.at)
    pair.clock.at += 5 * MINUTE
    await pair.second.pipeline.flush()
    assert [shown(one) for one in told(pair)] == [
        ("oncall", "firing", LABELS),
        ("oncall", "resolved", LABELS),
    ]


async def silenced_while_it_escalates(pair: Pair, rules: str) -> None:
    """Has the alert be told as a warning, be silenced, and become critical by these rules."""
    await begin(pair, 15)
    pair.clock.at += 10 * SECOND
    await pair.first.pipeline.flush()
    assert [shown(one) for one in told(pair)] == [("ops", "firing", LABELS | {"severity": "warning"})]
    now = pair.clock.at
    wanted = (Matcher("alertname", "=", "New"),)
    await pair.first.actions.put_silence(Silence("s1", wanted, now, now + 5 * MINUTE, "Ann", "why", now))
    await reload(pair.first, ROUTED, rules)
    await begin(pair, 25)
    assert len(told(pair)) == 1


async def test_an_escalation_that_was_silenced_is_told_elsewhere_once_the_silence_is_over() -> None:
    pair = await pair_of(LEVELS)
    await silenced_while_it_escalates(pair, LEVELS)
    await pass_on(pair)
    for _ in range(2):
        pair.clock.at += 5 * MINUTE
        await pair.second.pipeline.flush()
    assert [shown(one) for one in told(pair)[1:]] == [("ops", "firing", LABELS), ("oncall", "firing", LABELS)]
    assert "its rule is gone" not in str(told(pair))


async def test_an_end_has_the_labels_that_were_told_although_the_rule_had_others_when_it_escalated() -> None:
    pair = await pair_of(LEVELS)
    await silenced_while_it_escalates(pair, LEVELS.replace("team: sms", "team: other"))
    pair.clock.at += MINUTE
    await pair.first.poll("a", [], pair.clock.at)
    pair.clock.at += 10 * MINUTE
    await pair.first.pipeline.flush()
    assert [shown(one) for one in told(pair)[1:]] == [("ops", "resolved", LABELS | {"severity": "warning"})]


async def test_an_alert_that_ended_before_it_was_told_is_not_told_elsewhere() -> None:
    pair = await pair_of(NEW)
    await begin(pair, 15)
    pair.clock.at += MINUTE
    await pair.first.poll("a", [], pair.clock.at)
    await pass_on(pair)
    pair.clock.at += 10 * MINUTE
    await pair.second.pipeline.flush()
    assert told(pair) == []


async def test_a_pending_alert_that_passes_on_is_not_told_before_its_rule_is_read() -> None:
    pair = await pair_of(NEW.replace("above: 10", "above: 10\n    for: 3m"))
    await begin(pair, 15)
    await begin(pair, 15)
    await pass_on(pair)
    pair.clock.at += 10 * MINUTE
    await pair.second.pipeline.flush()
    assert told(pair) == []
    assert [alert.state for _, alert in pair.second.pipeline.accounts["a"].evaluator.every_alert()] == ["pending"]


async def test_an_alert_that_an_older_version_stored_untold_has_at_least_its_account_and_a_severity() -> None:
    pair = await pair_of(NEW)
    await begin(pair, 15)
    [alert] = pair.first.firing("a")
    await pair.first.pipeline.hand_over("a")
    pair.store.commit(Commit(alerts=[msgspec.structs.replace(alert, view=None)]))
    await pair.second.adopt("a")
    pair.clock.at += 10 * SECOND
    await pair.second.pipeline.flush()
    assert shown(told(pair)[-1]) == ("ops", "firing", {"alertname": "New", "account": "a", "severity": "warning"})


async def test_an_alert_that_nobody_was_told_of_gets_the_labels_of_its_edited_rule() -> None:
    pair = await pair_of(NEW)
    await begin(pair, 15)
    await reload(pair.first, ROUTED, NEW.replace("team: sms", "team: voice"))
    pair.clock.at += 10 * SECOND
    await pair.first.pipeline.flush()
    assert shown(told(pair)[-1]) == ("oncall", "firing", LABELS | {"team": "voice"})
    await reload(pair.first, ROUTED, NEW)
    pair.clock.at += 5 * MINUTE
    await pair.first.poll("a", [], pair.clock.at)
    await pair.first.pipeline.flush()
    assert shown(told(pair)[-1]) == ("oncall", "resolved", LABELS | {"team": "voice"})


async def test_what_explains_an_alert_is_not_missed_before_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    pair = await pair_of(NEW.replace("Look at {{ labels.team }}", "such as {{ samples[0].status }}"))
    await begin(pair, 15)
    assert "template" not in caplog.text
    assert "annotation" not in caplog.text


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ("such as {{ samples[0].status }}", "such as Delivered"),
        ("such as{% for one in samples %} {{ one.status }}{% endfor %}", "such as" + " Delivered" * 5),
        ("{{ history | length }} values", f"{HISTORY} values"),
        ("{{ labels.team }}", "sms"),
    ],
)
async def test_what_explains_an_alert_is_told_elsewhere_too(summary: str, said: str) -> None:
    pair = await pair_of(NEW.replace("Look at {{ labels.team }}", summary))
    await begin(pair, 15)
    await pass_on(pair)
    pair.clock.at += 10 * SECOND
    await pair.second.pipeline.flush()
    [first] = told(pair)
    assert first.alerts[0].annotations["summary"] == said
