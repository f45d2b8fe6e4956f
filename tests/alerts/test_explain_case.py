"""What explains alerts of the further kinds, and what people are shown of them, through the evaluator that the daemon runs."""

from typing import Any

import pytest

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.explain import breakdown, samples
from monitor.alerts.kinds import EvaluationInput
from monitor.alerts.view import Views
from monitor.config.rules import rule_of
from monitor.model.alert import Alert
from monitor.model.batch import batch_of
from monitor.model.notification import AlertView
from monitor.notify.render import Templates, sentence
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.store.protocol import Cursor
from monitor.window import Window, WindowReader

NOW = 100 * DAY
Rows = list[dict[str, Any]]


def series(count: int, start: int, end: int, **fields: Any) -> Rows:
    """Messages spaced evenly after ``start`` up to ``end``."""
    step = (end - start) // count
    return [
        {"date": start + (i + 1) * step, "status": "Delivered", "operator": "Cosmote"} | fields for i in range(count)
    ]


def window_of(rows: Rows) -> Window:
    window = Window("main")
    window.upsert(batch_of([row | {"messageId": f"m{i}"} for i, row in enumerate(rows)]), "all")
    return window


USUAL = series(2000, NOW - 12 * HOUR, NOW, **{"from": "Bank", "latency": 3.0})


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        ({"kind": "latency", "window": "1h", "above": "30s"}, {"latency": 90.0}),
        ({"kind": "stuck", "window": "2h", "older_than": "10m", "above": 5}, {"status": "Queued"}),
        ({"kind": "stuck", "window": "2h", "older_than": "10m", "above": "5%"}, {"status": "Sent"}),
        ({"kind": "slo", "objective": "98%"}, {"status": "Failed"}),
        ({"kind": "cost", "window": "1h", "above": 5}, {"price": 1.0}),
    ],
    ids=lambda case: case.get("kind"),
)
def test_the_sender_of_what_is_wrong_explains_it(rule: dict[str, Any], bad: dict[str, Any]) -> None:
    wrong = series(100, NOW - HOUR, NOW - 20 * SECOND, **{"from": "Shop", "latency": 3.0} | bad)
    inputs = EvaluationInput(WindowReader(window_of(USUAL + wrong)), NOW, NOW - 7 * DAY)
    made = rule_of({"name": "R", "by": ["operator"]} | rule)
    group = (("operator", "Cosmote"),)
    causes = {cause.field: cause for cause in breakdown(made, inputs, group)}
    assert causes["from"].value == "Shop"
    assert causes["from"].share > 0.9
    shown = samples(made, inputs, group)
    assert len(shown) == 5


def test_what_came_too_late_to_be_looked_at_does_not_explain_slowness() -> None:
    echoes = series(300, NOW - HOUR, NOW - 2 * SECOND, **{"from": "Newsletter", "latency": 7200.0})
    slow = series(100, NOW - HOUR, NOW - 20 * SECOND, **{"from": "Shop", "latency": 45.0})
    inputs = EvaluationInput(WindowReader(window_of(USUAL + echoes + slow)), NOW, NOW - 7 * DAY)
    rule = {"name": "R", "kind": "latency", "window": "1h", "above": "30s", "receipts_within": "60s"}
    made, group = rule_of(rule | {"by": ["operator"]}), (("operator", "Cosmote"),)
    causes = {cause.field: cause.value for cause in breakdown(made, inputs, group)}
    assert causes["from"] == "Shop"
    assert max(sample.date for sample in samples(made, inputs, group)) < NOW - 10 * SECOND


def test_who_writes_to_a_new_country_explains_it() -> None:
    new = series(40, NOW - 30 * MINUTE, NOW, **{"from": "Shop", "country": "IR", "operator": None})
    inputs = EvaluationInput(
        WindowReader(window_of([row | {"country": "GR"} for row in USUAL] + new)), NOW, NOW - 7 * DAY
    )
    made = rule_of({"name": "R", "kind": "new_value", "field": "country", "window": "1h"})
    (cause,) = breakdown(made, inputs, (("country", "IR"),))
    assert (cause.field, cause.value, cause.matching) == ("from", "Shop", 40)
    assert len(samples(made, inputs, (("country", "IR"),))) == 5


@pytest.mark.parametrize(
    "rule", [{"kind": "absence", "window": "1h"}, {"kind": "distinct", "field": "to", "window": "1h", "above": 0}]
)
def test_silence_and_variety_have_no_causes(rule: dict[str, Any]) -> None:
    inputs = EvaluationInput(WindowReader(window_of(USUAL)), NOW, NOW - 7 * DAY)
    made = rule_of({"name": "R"} | rule)
    assert breakdown(made, inputs, ()) == ()
    assert samples(made, inputs, ()) == ()


class Watch:
    """One rule over one window, evaluated as time goes on."""

    def __init__(self, rows: Rows, **rule: Any) -> None:
        self.rule = rule_of({"name": "R"} | rule)
        self.evaluator = RuleEvaluator(window_of(rows), [self.rule], ["all"])
        self.evaluator.in_use_since = NOW - 7 * DAY

    def at(self, as_of: int) -> list[Alert]:
        cursor = Cursor("main", "all", as_of=as_of, covered_since=NOW - 7 * DAY)
        self.evaluator.apply(self.evaluator.evaluate(cursor), cursor)
        return list(self.evaluator.alerts.get("R", {}).values())

    def shown(self, alert: Alert) -> AlertView:
        return Views(self.evaluator, Templates()).view(alert, deep=True)


def test_a_new_value_is_an_alert_with_the_value_among_its_labels_and_ends_by_itself() -> None:
    new = series(12, NOW - 30 * MINUTE, NOW, country="IR")
    watch = Watch(USUAL + new, kind="new_value", field="country", window="1h", by=["operator"])
    (alert,) = watch.at(NOW)
    view = watch.shown(alert)
    assert alert.state == "firing"
    assert view.labels == {"alertname": "R", "operator": "Cosmote", "country": "IR", "severity": "warning"}
    assert sentence(view) == "R: New country IR: 12 messages to Cosmote in 1h"
    assert len(view.samples) == 5
    (over,) = watch.at(NOW + HOUR)
    assert (over.state, over.because) == ("resolved", "recovered")


def test_silence_ends_with_the_first_message_and_says_what_was_usual() -> None:
    back = series(3, NOW + 70 * MINUTE, NOW + 80 * MINUTE)
    watch = Watch([row for row in USUAL if row["date"] <= NOW] + back, kind="absence", window="1h", by=["operator"])
    assert watch.at(NOW + 59 * MINUTE) == []
    (alert,) = watch.at(NOW + 60 * MINUTE + SECOND)
    assert sentence(watch.shown(alert)) == "R: No messages to Cosmote for 1h, usually 83.3 an hour"
    (over,) = watch.at(NOW + 80 * MINUTE)
    assert (over.state, over.because, over.peak) == ("resolved", "recovered", 0)


def test_a_silence_without_end_is_given_up_and_never_called_over() -> None:
    watch = Watch(USUAL, kind="absence", window="1h", active_in="12h", forget_after="2h")
    assert [alert.state for alert in watch.at(NOW + 2 * HOUR)] == ["firing"]
    (still,) = watch.at(NOW + 14 * HOUR)
    assert (still.state, still.no_data_since is not None) == ("firing", True)
    (over,) = watch.at(NOW + 17 * HOUR)
    assert (over.state, over.because) == ("resolved", "no_data")
    assert "no longer expected" in sentence(watch.shown(over))


def test_a_burn_eases_from_critical_to_warning_as_one_alert() -> None:
    bad = series(600, NOW - HOUR, NOW, status="Failed")
    watch = Watch(USUAL + bad, kind="slo", objective="98%")
    (alert,) = watch.at(NOW)
    assert watch.shown(alert).severity == "critical"
    (later,) = watch.at(NOW + 80 * MINUTE)
    assert (later.fingerprint, watch.shown(later).severity) == (alert.fingerprint, "warning")
