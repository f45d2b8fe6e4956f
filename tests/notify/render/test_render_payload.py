"""Alertmanager's payload, to the letter."""

import json

from monitor.notify.render.alertmanager_payload import alertmanager, label_fingerprint
from tests.fakes.alerts import notification_of, over, rate, spike
from tests.golden import is_as_before


def test_the_payload_is_that_of_version_4() -> None:
    told = notification_of(rate(annotations={"summary": "s"}), over(spike()), truncated=2, reason="some resolved")
    is_as_before("payload.json", json.dumps(alertmanager(told), indent=2, ensure_ascii=False) + "\n")


def test_keys_are_exactly_alertmanagers() -> None:
    made = alertmanager(notification_of())
    whole = (
        "receiver status alerts groupLabels commonLabels commonAnnotations externalURL version groupKey truncatedAlerts"
    )
    each = "status labels annotations startsAt endsAt generatorURL fingerprint"
    assert set(made) == set(whole.split())
    assert set(made["alerts"][0]) == set(each.split())
    assert (made["version"], made["alerts"][0]["endsAt"]) == ("4", "0001-01-01T00:00:00Z")


def test_an_escalation_resolves_the_old_severity_as_the_new_one_fires() -> None:
    made = alertmanager(notification_of(rate(was_severity="warning"), reason="escalated"))
    old, new = made["alerts"]
    assert [(each["labels"]["severity"], each["status"]) for each in (old, new)] == [
        ("warning", "resolved"),
        ("critical", "firing"),
    ]
    assert old["endsAt"] == "2026-11-21T17:07:04Z"
    assert old["fingerprint"] != new["fingerprint"]
    assert "severity" not in made["commonLabels"]
    assert made["status"] == "firing"


def test_the_fingerprint_is_the_one_of_prometheus() -> None:
    """FNV-1a by the definition of prometheus/common: of no labels it is the offset basis itself."""
    assert label_fingerprint({}) == "cbf29ce484222325"
    # A value that prometheus/common's own tests state.
    told = {"name": "garland, briggs", "fear": "love is not enough"}
    assert int(label_fingerprint(told), 16) == 5799056148416392346
    assert label_fingerprint({"a": "b", "c": "d"}) == label_fingerprint({"c": "d", "a": "b"})


def test_more_alerts_than_wanted_are_only_counted() -> None:
    made = alertmanager(notification_of(rate(), spike(), truncated=1), most=1)
    assert (len(made["alerts"]), made["truncatedAlerts"]) == (1, 2)


def test_what_is_over_does_not_end_what_fires_with_the_same_labels() -> None:
    """As after an account got another name: the alerts of the old one end, and those of the new one begin."""
    ended, begun = over(rate(fingerprint="old")), rate(fingerprint="new")
    made = alertmanager(notification_of(begun, ended, over(spike())))
    assert [(each["status"], each["labels"]["alertname"]) for each in made["alerts"]] == [
        ("firing", begun.labels["alertname"]),
        ("resolved", spike().labels["alertname"]),
    ]
