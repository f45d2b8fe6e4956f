"""Alertmanager's API v2: what amtool, the real one, makes of it, and what its answers are."""

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from plain_client import served

from monitor.daemon.health import Health
from monitor.daemon.http.alertmanager_api import AlertmanagerApi, ApiStatus
from monitor.daemon.http.app import make_app
from monitor.daemon.http.own_api import OwnApi
from monitor.daemon.metrics import Metrics
from monitor.dispatch.status import AlertStatus
from monitor.model.label_fingerprint import label_fingerprint
from monitor.model.notification import AlertView
from monitor.runtime.clock import HOUR, MINUTE, SystemClock, iso, parse_iso
from tests.fakes.alert_actions import FakeAlertActions
from tests.fakes.alertmanager import amtool, amtool_fails
from tests.fakes.alerts import change, rate, spike

ORIGINAL = "route:\n  receiver: ops\nreceivers:\n- name: ops\n- name: oncall\n"


@asynccontextmanager
async def listening(actions: FakeAlertActions, token: str = ""):
    about = ApiStatus("1.2.3", ("ops", "oncall"), ORIGINAL, "https://sms.example.org")
    api = AlertmanagerApi(actions, about, actions.clock, token)
    routes = [*api.routes(), *OwnApi(actions, actions.clock, token).routes()]
    async with served(make_app(Health(), Metrics(SystemClock()), token=token, apis=routes)) as url:
        yield url


@pytest.fixture
def actions() -> FakeAlertActions:
    now = SystemClock().now()
    fires = rate(starts_at=now - 5 * MINUTE, as_of=now)
    return FakeAlertActions([fires, spike(starts_at=now - HOUR, as_of=now)])


async def asked(url: str, path: str, **more: Any) -> Any:
    async with httpx.AsyncClient() as client:
        answer = await client.get(url + path, **more)
    assert answer.is_success, answer.text
    return answer.json()


def silence(actions: FakeAlertActions, *matchers: dict[str, Any], **more: Any) -> dict[str, Any]:
    now = actions.clock.now()
    default = {"name": "alertname", "value": "OperatorFailureRate", "isRegex": False}
    return {
        "matchers": list(matchers) or [default],
        "startsAt": iso(now),
        "endsAt": iso(now + HOUR),
        "createdBy": "ann",
        "comment": "the operator knows",
    } | more


async def posted(url: str, body: Any, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{url}/api/v2/silences", json=body, headers=headers)


# What amtool makes of it


async def test_amtool_shows_what_fires(actions):
    async with listening(actions) as url:
        shown = json.loads(await amtool(url, "alert", "query", "-o", "json"))
        one = json.loads(await amtool(url, "alert", "query", "-o", "json", "operator=~Cos.*"))
        table = await amtool(url, "alert", "query")
    assert {alert["labels"]["alertname"] for alert in shown} == {"OperatorFailureRate", "UndeliveredSpike"}
    assert [alert["labels"]["operator"] for alert in one] == ["Cosmote"]
    assert "OperatorFailureRate" in table
    assert "active" in table


async def test_amtool_adds_shows_changes_and_ends_a_silence(actions):
    async with listening(actions) as url:
        silence_id = (
            await amtool(
                *(url, "silence", "add", "--author=ann", "--comment=known", "--duration=1h"),
                *("alertname=OperatorFailureRate", "operator=~Cos.*"),
            )
        ).strip()
        (kept,) = json.loads(await amtool(url, "silence", "query", "-o", "json"))
        assert (kept["id"], kept["createdBy"], kept["comment"], kept["status"]) == (
            *(silence_id, "ann", "known"),
            {"state": "active"},
        )
        active = json.loads(await amtool(url, "alert", "query", "-o", "json", "--active"))
        silenced = json.loads(await amtool(url, "alert", "query", "-o", "json", "--silenced"))
        assert [one["labels"]["alertname"] for one in active] == ["UndeliveredSpike"]
        assert [one["status"]["silencedBy"] for one in silenced] == [[silence_id]]

        changed = await amtool(url, "silence", "update", "--duration=2h", "--comment=still known", silence_id)
        assert silence_id in changed
        (kept,) = json.loads(await amtool(url, "silence", "query", "-o", "json"))
        assert (kept["id"], kept["comment"]) == (silence_id, "still known")

        await amtool(url, "silence", "expire", silence_id)
        assert json.loads(await amtool(url, "silence", "query", "-o", "json")) == []
        (over,) = json.loads(await amtool(url, "silence", "query", "-o", "json", "--expired"))
        assert over["status"] == {"state": "expired"}
        assert len(json.loads(await amtool(url, "alert", "query", "-o", "json", "--active"))) == 2


async def test_amtool_shows_the_configuration_and_finds_the_receiver_of_labels(actions):
    async with listening(actions) as url:
        assert "receiver: ops" in await amtool(url, "config", "show")
        assert (await amtool(url, "config", "routes", "test", "severity=critical")).strip() == "ops"
        assert "disabled" in await amtool(url, "cluster", "show")


async def test_amtool_says_why_a_silence_makes_no_sense_and_fails_where_it_cannot_be_stored(actions):
    async with listening(actions) as url:
        code, _, err = await amtool_fails(url, "silence", "add", "--author=ann", "--comment= ", "alertname=A")
        assert (code != 0, "a silence must say why" in err) == (True, True)
        actions.broken = True
        code, _, err = await amtool_fails(url, "silence", "add", "--author=ann", "--comment=known", "alertname=A")
        assert (code != 0, "503" in err) == (True, True)


# The answers themselves


async def test_an_alert_has_every_key_of_alertmanagers(actions):
    async with listening(actions) as url:
        before = SystemClock().now()
        (alert, _) = await asked(url, "/api/v2/alerts")
    view = actions.views[0]
    assert before <= parse_iso(alert.pop("endsAt")) - 4 * MINUTE <= SystemClock().now()
    assert alert == {
        "labels": view.labels,
        "annotations": view.annotations,
        "startsAt": iso(view.starts_at),
        "updatedAt": iso(view.as_of),
        "fingerprint": label_fingerprint(view.labels),
        "ownFingerprint": view.fingerprint,
        "generatorURL": view.links[0].url,
        "receivers": [{"name": "ops"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
    }


async def test_an_acknowledgement_is_shown_with_its_comment(actions):
    path = f"/api/v1/alerts/{actions.views[0].fingerprint}/acknowledgement"
    async with listening(actions) as url:
        async with httpx.AsyncClient() as client:
            assert (await client.get(url + path)).status_code == 404
            await client.post(url + path, json={"by": "Ann", "comment": "called them"})
        alert, other = await asked(url, "/api/v2/alerts")
        ack = await asked(url, path)
    assert (alert["acknowledgedBy"], alert["acknowledgedComment"]) == ("Ann", "called them")
    assert "acknowledgedBy" not in other
    assert (ack["by"], ack["comment"], ack["until"]) == ("Ann", "called them", None)


async def test_what_was_judged_long_ago_and_still_fires_has_not_ended(actions):
    actions.views = [change(view, as_of=view.as_of - HOUR) for view in actions.views]
    async with listening(actions) as url:
        for path in ("alerts", "alerts/groups"):
            (alert, *_) = await asked(url, f"/api/v2/{path}")
            [alert] = alert.get("alerts", [alert])
            assert parse_iso(alert["endsAt"]) > SystemClock().now()


async def test_what_is_over_is_not_shown(actions):
    actions.over = [actions.views.pop()]
    async with listening(actions) as url:
        assert len(await asked(url, "/api/v2/alerts")) == 1


async def test_the_source_of_an_inhibition_is_named_by_the_fingerprint_that_alertmanager_would_give_it(actions):
    fires, inhibited = actions.views
    actions.inhibited = {inhibited.fingerprint: fires.fingerprint}
    async with listening(actions) as url:
        (alert,) = await asked(url, "/api/v2/alerts?active=false")
        assert await asked(url, "/api/v2/alerts?active=false&inhibited=false") == []
    assert alert["status"]["state"] == "suppressed"
    assert alert["status"]["inhibitedBy"] == [label_fingerprint(fires.labels)]


async def test_what_is_pending_is_unprocessed_and_in_no_group(actions):
    actions.pending = [actions.views.pop()]
    async with listening(actions) as url:
        states = [alert["status"]["state"] for alert in await asked(url, "/api/v2/alerts")]
        assert len(await asked(url, "/api/v2/alerts?unprocessed=false")) == 1
        groups = await asked(url, "/api/v2/alerts/groups")
    assert states == ["active", "unprocessed"]
    assert [(one["labels"], one["receiver"], len(one["alerts"])) for one in groups] == [
        ({"alertname": "OperatorFailureRate"}, {"name": "ops"}, 1)
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("receiver=op.", 2),
        ("receiver=o", 0),
        ("receiver=oncall", 0),
        ("filter=alertname%3D%22UndeliveredSpike%22", 1),
        ("filter=alertname%3D~%22.%2B%22&filter=operator%21%3DCosmote", 1),
        ("filter=%7Boperator%3DCosmote%2C+country%3DGR%7D", 1),
    ],
)
async def test_alerts_and_groups_are_filtered(actions, query, found):
    async with listening(actions) as url:
        assert len(await asked(url, f"/api/v2/alerts?{query}")) == found
        assert sum(len(one["alerts"]) for one in await asked(url, f"/api/v2/alerts/groups?{query}")) == found


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("filter=no+matcher", "matcher"),
        ("active=perhaps", "active"),
        ("receiver=(", "regular expression"),
        (f"filter={','.join(f'a=~x{{{number}}}' for number in range(1, 52))}", "at most 50 matchers"),
    ],
)
async def test_a_question_that_cannot_be_read_is_told_what_is_wrong(actions, query, says):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/api/v2/alerts?{query}")
    assert answer.status_code == 400
    assert says in answer.json()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"matchers": []}, "at least one matcher"),
        ({"matchers": None}, "matchers"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "regular expression"),
        ({"matchers": [{"name": "a", "value": ".*", "isRegex": True}]}, "add a matcher"),
        ({"matchers": [{"name": "a", "value": "b", "isRegex": "yes"}]}, "isRegex"),
        ({"endsAt": "tomorrow"}, "endsAt: 'tomorrow' is not a time"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, "ends"),
        ({"createdBy": ""}, "createdBy"),
        ({"comment": 7}, "comment: should be text"),
        ({"comment": "x" * 2_000}, "longer than 1000 characters"),
    ],
)
async def test_a_silence_that_makes_no_sense_is_told_why(actions, changed, says):
    async with listening(actions) as url:
        answer = await posted(url, silence(actions) | changed)
    assert answer.status_code == 400
    assert says in answer.json()
    assert actions.silences() == []


async def test_a_silence_of_other_alerts_gets_another_id_and_the_old_one_ends(actions):
    async with listening(actions) as url:
        first = (await posted(url, silence(actions))).json()["silenceID"]
        other = {"name": "alertname", "value": "UndeliveredSpike", "isRegex": False, "isEqual": True}
        second = (await posted(url, silence(actions, other, id=first))).json()["silenceID"]
        states = {one["id"]: one["status"]["state"] for one in await asked(url, "/api/v2/silences")}
    assert second != first
    assert states == {second: "active", first: "expired"}


async def test_what_the_store_refuses_is_a_503_that_says_when_to_try_again(actions):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        first = (await posted(url, silence(actions))).json()["silenceID"]
        before = actions.kept.all()
        actions.broken = True
        refused = [
            await posted(url, silence(actions)),
            await posted(url, silence(actions, id=first)),
            await client.delete(f"{url}/api/v2/silence/{first}"),
        ]
    assert [(one.status_code, one.headers["retry-after"]) for one in refused] == [(503, "5")] * 3
    assert {one.json() for one in refused} == {"nothing was changed: the disk is full"}
    assert actions.kept.all() == before


async def test_a_client_that_says_which_state_it_saw_changes_no_other(actions):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        first = (await posted(url, silence(actions))).json()["silenceID"]
        seen = (await asked(url, f"/api/v2/silence/{first}"))["updatedAt"]
        mine = silence(actions, id=first, updatedAt=seen, comment="mine")
        assert (await posted(url, mine)).json() == {"silenceID": first}
        assert (await posted(url, mine | {"comment": "too late"})).status_code == 409
        seen = (await asked(url, f"/api/v2/silence/{first}"))["updatedAt"]
        await client.delete(f"{url}/api/v2/silence/{first}")
        assert (await posted(url, mine | {"updatedAt": seen})).status_code == 409
        assert (await posted(url, mine | {"updatedAt": "noon"})).status_code == 400
        found = await asked(url, "/api/v2/silences")
    assert [one["comment"] for one in found] == ["mine"]


async def test_as_in_alertmanager_a_silence_that_has_expired_can_be_made_again(actions):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        first = (await posted(url, silence(actions))).json()["silenceID"]
        await client.delete(f"{url}/api/v2/silence/{first}")
        again = (await posted(url, silence(actions, id=first))).json()["silenceID"]
        states = {one["id"]: one["status"]["state"] for one in await asked(url, "/api/v2/silences")}
    assert states == {again: "active", first: "expired"}


async def test_the_start_of_a_silence_stays_when_it_is_changed(actions):
    async with listening(actions) as url:
        body = silence(actions)
        first = (await posted(url, body)).json()["silenceID"]
        before = await asked(url, f"/api/v2/silence/{first}")
        assert (await posted(url, body | {"id": first, "endsAt": iso(actions.clock.now() + 3 * HOUR)})).json() == {
            "silenceID": first
        }
        after = await asked(url, f"/api/v2/silence/{first}")
    assert after["startsAt"] == before["startsAt"]
    assert after["endsAt"] > before["endsAt"]


async def test_silences_are_found_by_what_they_match(actions):
    async with listening(actions) as url:
        await posted(url, silence(actions))
        assert len(await asked(url, "/api/v2/silences?filter=alertname%3DOperatorFailureRate")) == 1
        assert await asked(url, "/api/v2/silences?filter=alertname%3DOther") == []


async def test_what_is_not_there_is_not_found(actions):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/api/v2/silence/none")).status_code == 404
        assert (await client.delete(f"{url}/api/v2/silence/none")).status_code == 404
        assert (await posted(url, silence(actions, id="none"))).status_code == 404


async def test_alerts_cannot_be_posted(actions):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/api/v2/alerts", json=[])
    assert answer.status_code == 405
    assert "its own rules" in answer.json()


# Who may change something


async def test_with_a_token_only_who_shows_it_may_change_something(actions):
    async with listening(actions, token="a-web-token") as url:
        assert (await posted(url, silence(actions))).status_code == 401
        assert (await posted(url, silence(actions), Authorization="Bearer other")).status_code == 401
        made = await posted(url, silence(actions), Authorization="Bearer a-web-token", Host="sms.example.org")
        assert made.status_code == 200
        async with httpx.AsyncClient() as client:
            path = f"{url}/api/v2/silence/{made.json()['silenceID']}"
            assert (await client.delete(path)).status_code == 401
            assert (await client.delete(path, headers={"Authorization": "Bearer a-web-token"})).status_code == 200


async def test_without_a_token_no_page_in_a_browser_can_change_something(actions):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        assert (await posted(url, silence(actions), Host="rebound.example.org")).status_code == 403
        text = json.dumps(silence(actions))
        plain = await client.post(f"{url}/api/v2/silences", content=text, headers={"Content-Type": "text/plain"})
        assert plain.status_code == 415
        asked_first = await client.options(f"{url}/api/v2/silences", headers={"Origin": "https://evil.example.org"})
        assert "access-control-allow-origin" not in asked_first.headers
    assert actions.silences() == []


async def test_what_passes_on_for_others_is_a_program_on_this_machine(actions):
    karma = {"X-Forwarded-For": "203.0.113.7", "Via": "1.1 karma"}
    async with listening(actions) as url:
        assert (await posted(url, silence(actions), **karma)).status_code == 200


class CountingBoard(FakeAlertActions):
    """Notes for the alerts that are asked for how often somebody else had a turn before them."""

    def __init__(self, views: list[AlertView]) -> None:
        super().__init__(views)
        self.turns = 0
        self.seen = set[int]()

    def alerts(self) -> Iterator[AlertStatus]:
        for one in super().alerts():
            self.seen.add(self.turns)
            yield one


@pytest.mark.parametrize("path", ["alerts", "alerts/groups"])
async def test_asking_for_thousands_of_alerts_holds_up_nobody(path):
    now = SystemClock().now()
    actions = CountingBoard([rate(starts_at=now, as_of=now)] * 1_000)

    async def others() -> None:
        while True:
            actions.turns += 1
            await trio.sleep(0)

    async with listening(actions) as url, trio.open_nursery() as nursery:
        nursery.start_soon(others)
        assert await asked(url, f"/api/v2/{path}") != []
        nursery.cancel_scope.cancel()
    assert len(actions.seen) >= 5


async def test_a_part_of_the_silences_can_be_asked_for(actions):
    async with listening(actions) as url, httpx.AsyncClient() as client:
        for number in range(5):
            await posted(url, silence(actions, comment=str(number)))
        everything = await client.get(f"{url}/api/v2/silences")
        parts = [await client.get(f"{url}/api/v2/silences?limit=2&offset={offset}") for offset in (0, 2, 4, 6)]
        wrong = await client.get(f"{url}/api/v2/silences?limit=-1")
    assert [one for part in parts for one in part.json()] == everything.json()
    assert [len(part.json()) for part in parts] == [2, 2, 1, 0]
    assert {part.headers["x-total-count"] for part in (everything, *parts)} == {"5"}
    assert (wrong.status_code, wrong.json()) == (400, "limit: '-1' is not a whole number")
