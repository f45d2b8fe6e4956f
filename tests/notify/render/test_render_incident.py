"""How an incident is told: the alert that names it first, the worst severity, and the rest counted."""

from typing import Any

import msgspec
import pytest

from monitor.alerts.kinds.shift.groups import SMALL
from monitor.model.notification import AlertView, Notification
from monitor.notify.channels.slack.block_kit import message, reply
from monitor.notify.render import sample_view
from monitor.notify.render.context import notification_context
from monitor.notify.render.notification_text import others_of, push, tone_of, urgency
from monitor.notify.render.text import plain_text
from tests.fakes.alerts import notification_of, over

GR = {"country": "GR"}


def view(name: str, severity: str = "critical", **labels: str) -> AlertView:
    made = sample_view(name, "rate", (), severity=severity)
    shown = {"alertname": name, "severity": severity} | labels
    return msgspec.structs.replace(made, labels=shown, fingerprint=f"{name} {' '.join(labels.values())}")


COUNTRY = view("CountryFails", "warning", country="GR")
MEMBERS = (
    view("OperatorFails", operator="Cosmote", country="GR"),
    view("OperatorFails", operator="Nova", country="GR"),
    COUNTRY,
    view("AllFail"),
    view("CampaignFails", campaign="Sale", campaignTrackingId="1"),
)


def incident(*views: AlertView, head: AlertView = COUNTRY, place: dict[str, str] = GR, **more: Any) -> Notification:
    return notification_of(*views, incident="9f5da26216ac", head=head.fingerprint, place=place, **more)


def test_the_head_comes_first_and_the_rest_is_counted() -> None:
    assert push(incident(*MEMBERS)) == (
        "CRITICAL firing: CountryFails: 34.2% of 1,204 messages to GR failed in 15m, threshold 20%, "
        "and 4 more alerts of 3 rules: 2 operators, all messages, campaign Sale"
    )


def test_colour_and_urgency_are_those_of_the_worst_alert() -> None:
    told = incident(*MEMBERS)
    assert (tone_of(told), urgency(told)) == ("critical", "critical")


@pytest.mark.parametrize(
    ("views", "said"),
    [
        ((COUNTRY,), ""),
        ((COUNTRY, view("AllFail")), "and 1 more alert: all messages"),
        (
            (COUNTRY, *(view("SenderFails", **{"from": one}) for one in ("Shop", "Bank"))),
            "and 2 more alerts of 1 rule: 2 senders",
        ),
        ((COUNTRY, view("ReasonFails", detailedStatus="Call Barred")), "and 1 more alert: detailed status Call Barred"),
        ((COUNTRY, view("OperatorFails", operator=SMALL, country="GR")), "and 1 more alert: small operators (GR)"),
        ((COUNTRY, view("OperatorFails", operator="unknown", country="GR")), "and 1 more alert: unknown operator (GR)"),
    ],
)
def test_what_the_rest_is_about(views: tuple[AlertView, ...], said: str) -> None:
    assert others_of(incident(*views)) == said


def test_alerts_that_are_only_counted_count() -> None:
    assert others_of(incident(COUNTRY, view("AllFail"), truncated=7)) == "and 8 more alerts of 1 rule: all messages"
    assert others_of(incident(COUNTRY, truncated=7)) == "and 7 more alerts"


def test_the_place_is_named_where_the_head_does_not_say_it() -> None:
    alone = view("AllFail")
    assert push(incident(alone, head=alone)).startswith("CRITICAL firing: Country GR: AllFail: 34.2%")
    assert push(incident(alone, head=alone, place={})).startswith("CRITICAL firing: AllFail: 34.2%")


def test_an_incident_that_begins_again_or_ends_says_so() -> None:
    assert push(incident(*MEMBERS, reason="reopened")).startswith("CRITICAL firing again: CountryFails: ")
    ended = incident(*map(over, MEMBERS), reason="all resolved", status="resolved")
    assert push(ended).startswith("CRITICAL resolved: CountryFails after 35m: ")
    assert push(ended).endswith("and 4 more alerts of 3 rules: 2 operators, all messages, campaign Sale")


def test_slack_says_it_in_the_headline_and_a_change_is_one_line_of_the_thread() -> None:
    made = message(incident(*MEMBERS, reason="new alerts"))
    head = made["blocks"][0]["text"]["text"]
    assert head.splitlines() == [
        "*CRITICAL firing*  *CountryFails*: *34.2%* of 1,204 messages to GR failed in 15m, threshold 20%",
        "and 4 more alerts of 3 rules: 2 operators, all messages, campaign Sale",
        "_now 5 firing_",
    ]
    assert "\n" not in reply(incident(*MEMBERS, reason="new alerts"))["text"]


def test_data_of_an_incident_is_escaped_for_slack() -> None:
    made = message(incident(COUNTRY, view("CampaignFails", campaign="<!channel>"), place={"country": "<!here>"}))
    assert "<!" not in str(made)


def test_plain_text_says_it_under_the_head() -> None:
    first, second, *_ = plain_text(incident(*MEMBERS)).splitlines()
    assert "CountryFails" in first
    assert second == "▌ And 4 more alerts of 3 rules: 2 operators, all messages, campaign Sale"


def test_templates_see_the_incident() -> None:
    seen = notification_context(incident(*MEMBERS))
    assert (seen["incident"], seen["place"], seen["name"]) == ("9f5da26216ac", GR, "CountryFails")
    assert (seen["severity"], seen["labels"]["severity"]) == ("critical", "warning")
    assert seen["others"] == others_of(incident(*MEMBERS))
    assert seen["payload"]["alerts"][0]["labels"]["alertname"] == "OperatorFails"
