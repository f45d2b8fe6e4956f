"""Each incident shows in the data, where and when it was to, and nowhere else."""

from typing import Any

import numpy as np
import pytest

from monitor.runtime.clock import HOUR, MINUTE
from monitor.simulation.sandbox import Sandbox, Traffic
from monitor.simulation.sandbox.messages import Rows
from monitor.simulation.sandbox.tables import DELIVERED_CODE
from tests.fakes.hand_clock import HandClock
from tests.fakes.routee import caller, local_routee


def drawn(kind: str | None = None, *, at: int = 0, for_: int | None = None, **what: Any) -> Sandbox:
    """An hour of traffic, with one incident or none."""
    clock = HandClock()
    sandbox = Sandbox(clock, seed=4, traffic=Traffic(600, campaign_share=0.05))
    sandbox.advance()
    if kind is not None:
        sandbox.start_incident(kind, at=at, for_=for_, **what)
    clock.at += HOUR
    sandbox.advance()
    return sandbox


def of_operator(sandbox: Sandbox, operator: str) -> Rows:
    rows = sandbox.messages.rows
    return rows.take(sandbox.known.routes.where(lambda route: route.operator == operator)[rows.route])


def share_of(sandbox: Sandbox, rows: Rows, detail: str) -> float:
    return float(sandbox.known.outcomes.where(lambda outcome: outcome.detail == detail)[rows.outcome].mean())


def test_an_operator_outage_fails_that_operator_only() -> None:
    calm, hit = drawn(), drawn("operator_outage", operator="Telekom", share=0.8)
    assert share_of(hit, of_operator(hit, "Telekom"), "Undelivered") == pytest.approx(0.8, abs=0.04)
    assert np.array_equal(of_operator(calm, "Cosmote").outcome, of_operator(hit, "Cosmote").outcome)


def test_a_carrier_filter_hits_one_sender() -> None:
    hit = drawn("carrier_filter", sender="Courier")
    rows = hit.messages.rows
    courier = hit.known.streams.where(lambda stream: stream.sender == "Courier")[rows.stream]
    assert share_of(hit, rows.take(courier), "Carrier Violation") > 0.85
    assert share_of(hit, rows.take(~courier), "Carrier Violation") < 0.02


def test_a_spike_of_any_detailed_status_can_be_had_even_of_a_new_one() -> None:
    hit = drawn("detailed_status", detail="Solar Storm", country="DE", share=0.5)
    german = hit.known.routes.where(lambda route: route.country == "DE")[hit.messages.rows.route]
    assert share_of(hit, hit.messages.rows.take(german), "Solar Storm") == pytest.approx(0.5, abs=0.05)


def test_slow_delivery_delays_reports_and_fails_nothing() -> None:
    calm, hit = (
        of_operator(each, "Cosmote") for each in (drawn(), drawn("slow_delivery", operator="Cosmote", slower=10))
    )
    medians = [float(np.median((rows.last_at - rows.sent_at)[rows.outcome == DELIVERED_CODE])) for rows in (calm, hit)]
    assert medians[1] == pytest.approx(10 * medians[0], rel=0.05)
    assert np.array_equal(calm.outcome, hit.outcome)


def test_silence_leaves_nothing_of_an_operator_and_everything_of_the_others() -> None:
    calm, hit = drawn(), drawn("silence", operator="Cosmote")
    now = hit.incidents[0].start
    assert of_operator(hit, "Cosmote").created.max(initial=0) <= now
    silenced = int((of_operator(calm, "Cosmote").created > now).sum())
    assert silenced > 1000
    assert len(hit.messages) == len(calm.messages) - silenced


def test_a_failing_campaign_brings_a_campaign_that_fails() -> None:
    hit = drawn("failing_campaign", share=0.7)
    tracking_id = hit.incidents[0].campaign
    rows = hit.messages.rows
    mine = hit.known.streams.where(lambda stream: stream.tracking_id == tracking_id)[rows.stream]
    assert mine.sum() > 1000
    assert share_of(hit, rows.take(mine), "Unknown Number") > 0.6


def test_an_incident_lasts_from_its_start_to_its_end() -> None:
    hit = drawn("operator_outage", at=20 * MINUTE, for_=10 * MINUTE, operator="Cosmote", share=1.0)
    rows = of_operator(hit, "Cosmote")
    start = hit.incidents[0].start
    during = (rows.created >= start) & (rows.created < start + 10 * MINUTE)
    assert share_of(hit, rows.take(during), "Undelivered") == 1.0
    assert share_of(hit, rows.take(~during), "Undelivered") < 0.05


def test_an_incident_can_be_ended_by_hand() -> None:
    clock = HandClock()
    sandbox = Sandbox(clock, seed=4, traffic=Traffic(600))
    incident = sandbox.start_incident("silence", operator="Cosmote")
    clock.at += 10 * MINUTE
    sandbox.end_incident(incident.id)
    clock.at += 10 * MINUTE
    sandbox.advance()
    created = of_operator(sandbox, "Cosmote").created
    assert created[created > incident.start].min() >= incident.start + 10 * MINUTE
    with pytest.raises(KeyError, match="There is no incident 9"):
        sandbox.end_incident(9)


@pytest.mark.parametrize(
    ("kind", "what", "sentence"),
    [
        ("operator_outrage", {}, "did you mean operator_outage?"),
        ("silence", {"share": 2}, "share is 2"),
        ("silence", {"colour": "red"}, "no field 'colour'"),
        ("silence", {"operator": 3}, "it has to be a text"),
        ("slow_delivery", {"slower": 0}, "slower is 0"),
        ("silence", {"operator": "Cosmot"}, "no message is of the operator 'Cosmot'; did you mean 'Cosmote'?"),
        ("silence", {"operator": "Nonsuch"}, "no message is of the operator 'Nonsuch'"),
        ("silence", {"country": "ZZ"}, "no message is of the country 'ZZ'"),
        ("carrier_filter", {"sender": "shop"}, "no message is of the sender 'shop'; did you mean 'Shop'?"),
    ],
)
def test_a_wrong_incident_is_refused_with_a_sentence(kind: str, what: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Sandbox(HandClock()).start_incident(kind, **what)


async def test_incidents_are_started_listed_and_ended_over_http() -> None:
    async with local_routee(traffic=Traffic(60)) as routee, caller(routee.url) as call:
        order = {"kind": "operator_outage", "operator": "Cosmote", "for": "10m", "at": "1m"}
        started = (await call.client.post("/sandbox/incidents", json=order)).json()
        listed = (await call.client.get("/sandbox/incidents")).json()
        ended = (await call.client.delete(f"/sandbox/incidents/{started['id']}")).json()
        wrong = await call.client.post("/sandbox/incidents", json={"kind": "silense"})
        missing = await call.client.delete("/sandbox/incidents/7")
    assert (started["state"], started["operator"]) == ("scheduled", "Cosmote")
    assert listed == [started]
    assert ended["state"] == "over"
    assert (wrong.status_code, missing.status_code) == (400, 404)
    assert "did you mean silence?" in wrong.json()["developerMessage"]
