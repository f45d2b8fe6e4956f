"""Our own API for reading: what it answers, by its own OpenAPI document, and what it refuses."""

import re
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from plain_client import served
from pydantic import SecretStr
from starlette.routing import Route

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.runtime.clock import HOUR, MINUTE
from monitor.store.protocol import Commit, Pending
from tests.fakes.daemon_reading import Reading
from tests.store.store_samples import NOW, notification

DOCS = Path(__file__).parents[3] / "docs" / "api.md"
HOSTILE = "<script>alert(1)</script>\u202e☃'; DROP TABLE parcel; --"


@asynccontextmanager
async def api_of(reading: Reading, **web):
    config = reading.harness.settings.config
    token = {"token": SecretStr(web.pop("token"))} if "token" in web else {}
    made = Web.model_construct(**web, **token)
    app = ReloadableApp(made, config, reading.harness.pipeline, reading.harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
async def reading(tmp_path):
    made = Reading(tmp_path / "monitor.db")
    await made.fail()
    yield made
    made.harness.store.close()


def checked(document, path, answer):
    """The answer's JSON, which is what the document says of that path and status."""
    written = document["paths"][path][answer.request.method.lower()]["responses"]
    assert str(answer.status_code) in written, answer.text
    schema = written[str(answer.status_code)]["content"]["application/json"]["schema"]
    assert answer.headers["content-type"] == "application/json"
    validator = jsonschema.Draft202012Validator(
        schema | {"components": document["components"]},
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    validator.validate(answer.json())
    return answer.json()


async def test_every_answer_is_what_the_document_says(reading):
    store = reading.harness.store
    [alert] = (await reading.reader.alerts.page()).items
    [incident] = (await reading.reader.incidents.page()).items
    filled = {
        "/api/v1/rules/{name}": {"name": "Failing"},
        "/api/v1/rules/{name}/groups": {"name": "Failing"},
        "/api/v1/rules/{name}/evaluations": {"name": "Failing"},
        "/api/v1/alerts/{fingerprint}": {"fingerprint": alert.fingerprint},
        "/api/v1/incidents/{id}": {"id": incident.id},
        "/api/v1/campaigns/{trackingId}": {"trackingId": "c-1"},
        "/api/v1/alerts/{fingerprint}/acknowledgement": {"fingerprint": alert.fingerprint},
    }
    queries = {"/api/v1/rules/{name}/evaluations": {"label": "operator=Cosmote"}, "/api/v1/alerts": {"state": "firing"}}
    dead = store.notifications()[0].id
    store.rejected(dead, "channel_not_found", reading.clock.at)
    async with api_of(reading) as client:
        document = (await client.get("/api/v1/openapi.json")).json()
        jsonschema.Draft202012Validator.check_schema({"$defs": document["components"]["schemas"]})
        ack = f"/api/v1/alerts/{alert.fingerprint}/acknowledgement"
        checked(document, "/api/v1/alerts/{fingerprint}/acknowledgement", await client.post(ack, json={"by": "Ann"}))
        for path, operations in document["paths"].items():
            if "get" in operations:
                answer = await client.get(path.format(**filled.get(path, {})), params=queries.get(path, {}))
                assert answer.status_code == 200, (path, answer.text)
                found = checked(document, path, answer)
                assert found.get("items", True), f"{path}: an empty list shows little"
        checked(document, "/api/v1/alerts/{fingerprint}/acknowledgement", await client.delete(ack))
        retried = await client.post("/api/v1/dead-letters/retry", json={"id": dead})
        assert checked(document, "/api/v1/dead-letters/retry", retried) == {
            "waiting": 1,
            "superseded": 0,
            "unreadable": 0,
        }
        again = await client.post("/api/v1/dead-letters/retry", json={"id": dead})
        assert again.status_code == 404
        checked(document, "/api/v1/dead-letters/retry", again)


async def test_every_route_is_in_the_document(reading):
    config = reading.harness.settings.config
    app = ReloadableApp(Web.model_construct(), config, reading.harness.pipeline, reading.harness.front, reading.reader)
    async with api_of(reading) as client:
        document = (await client.get("/api/v1/openapi.json")).json()
    routes = {
        (route.path.replace(":path}", "}"), method.lower())
        for route in app._app.routes
        if isinstance(route, Route) and route.path.startswith("/api/v1/")
        for method in route.methods - {"HEAD"}
    }
    described = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert routes - {("/api/v1/openapi.json", "get")} == described


async def test_the_docs_name_every_operation_and_no_other(reading):
    async with api_of(reading) as client:
        document = (await client.get("/api/v1/openapi.json")).json()
    shown = set(re.findall(r"^\| `([A-Z]+) (/api/v1/[^`]+)` \|", DOCS.read_text("utf-8"), re.MULTILINE))
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert shown == described


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/alerts/0123/acknowledgement", {"GET", "HEAD", "POST", "DELETE"}),
        ("/api/v2/silences", {"GET", "HEAD", "POST"}),
        ("/api/v2/silence/0123", {"GET", "HEAD", "DELETE"}),
        ("/api/v1/rules", {"GET", "HEAD"}),
        ("/api/v1/dead-letters/retry", {"POST"}),
    ],
)
async def test_a_wrong_method_is_answered_with_the_right_ones(reading, path, allowed):
    async with api_of(reading) as client:
        answer = await client.patch(path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_times_shares_and_names_are_as_elsewhere(reading):
    async with api_of(reading) as client:
        [rule] = (await client.get("/api/v1/rules", params={"search": "failing"})).json()["items"]
        groups = (await client.get("/api/v1/rules/Failing/groups", params={"limit": 1})).json()
        series = (await client.get("/api/v1/delivery/series", params={"for": "10m", "step": "1m"})).json()
    assert rule["evaluatedAsOf"].endswith("Z")
    assert rule["states"] == {"firing": 1, "pending": 0, "blind": 0, "notEnoughData": 0, "inactive": 1}
    assert (groups["total"], groups["limit"], groups["items"][0]["value"]) == (2, 1, 0.5)
    assert series["step"] == 60.0
    assert sum(point["messages"] for point in series["points"]) == 60


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/v1/rules?limt=5", "'limt' is not known here; did you mean 'limit'?"),
        ("/api/v1/rules?limit=0", "limit: '0' is not a whole number from 1 to 200"),
        ("/api/v1/rules?limit=201", "limit: '201' is not a whole number from 1 to 200"),
        ("/api/v1/rules?limit=٣", "limit: '٣' is not a whole number from 1 to 200"),
        ("/api/v1/rules?limit=5&limit=6", "limit: may be given once"),
        ("/api/v1/rules?offset=-1", "offset: '-1' is not a whole number from 0 to 1000000000"),
        ("/api/v1/rules?state=fireing", "state: 'fireing' is not known; did you mean 'firing'?"),
        ("/api/v1/alerts?search=" + "x" * 501, "search: is longer than 500 characters"),
        ("/api/v1/alerts?" + "&".join(["state=firing"] * 21), "state: may be given at most 20 times"),
        ("/api/v1/history?since=yesterday", "since: 'yesterday' is not a time; write it like 2026-11-21T17:07:04Z"),
        ("/api/v1/history?outcome=lost", "outcome: 'lost' is not known; possible: waiting, sent, dead, superseded"),
        ("/api/v1/rules/Failing/evaluations", "Failing groups by operator"),
        ("/api/v1/rules/Failing/evaluations?label=operator", "label: 'operator' should be written like"),
        ("/api/v1/delivery/series?where=operatr=x", "where: 'operatr' is not known here; did you mean 'operator'?"),
        ("/api/v1/delivery/series?for=7d&step=1s", "the span should have 1 to 720 steps"),
        ("/api/v1/delivery/map?for=8d", "for: is at most 7d"),
        ("/api/v1/openapi.json?x=1", ""),
    ],
)
async def test_what_is_wrong_is_refused_with_a_reason(reading, path, said):
    async with api_of(reading) as client:
        answer = await client.get(path)
    if said:
        assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.text
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/rules/None",
        "/api/v1/rules/None/groups",
        "/api/v1/rules/None/evaluations",
        "/api/v1/alerts/0123",
        "/api/v1/incidents/none",
        "/api/v1/campaigns/none",
        f"/api/v1/campaigns/{quote(HOSTILE)}",
        f"/api/v1/alerts/{quote(HOSTILE)}",
        "/api/v1/alerts/%00%ff%ed%a0%80",
        "/api/v1/delivery/map?account=none",
        "/api/v1/delivery/series?account=none",
    ],
)
async def test_what_is_not_there_is_said_not_to_be(reading, path):
    async with api_of(reading) as client:
        answer = await client.get(path)
    assert (answer.status_code, "error" in answer.json()) == (404, True)


async def test_a_page_far_behind_the_end_is_empty(reading):
    async with api_of(reading) as client:
        for path in ("rules", "alerts", "history", "incidents", "campaigns", "searches", "receivers", "dead-letters"):
            answer = (await client.get(f"/api/v1/{path}?offset=1000000000")).json()
            assert (answer["items"], answer["offset"]) == ([], 1_000_000_000)


async def test_hostile_text_is_data(tmp_path):
    reading = Reading(tmp_path / "monitor.db")
    for _ in range(3):
        await reading.poll(**{HOSTILE: 9})
    async with api_of(reading) as client:
        groups = (await client.get("/api/v1/rules/Failing/groups", params={"search": HOSTILE.upper()})).json()
        answer = await client.get("/api/v1/delivery/series", params={"where": f"operator={HOSTILE}"})
        history = (await client.get("/api/v1/history", params={"receiver": HOSTILE})).json()
    assert [one["labels"]["operator"] for one in groups["items"]] == [HOSTILE]
    assert answer.json()["where"] == {"operator": HOSTILE}
    assert sum(point["messages"] for point in answer.json()["points"]) == 30
    assert history["total"] == 0
    reading.harness.store.close()


async def test_reads_need_the_token_where_they_are_protected(reading):
    async with api_of(reading, token="secret", protect_reads=True) as client:
        for path in ("/api/v1/openapi.json", "/api/v1/rules", "/api/v1/history"):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers={"authorization": "Bearer secret"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "should be a JSON object"),
        (b"{", "is not JSON"),
        (b'{"idd": 1}', "'idd' is not known here; did you mean 'id'?"),
        (b'{"id": true}', "id: should be the number"),
        (b'{"id": 1.5}', "id: should be the number"),
        (b'{"id": -1}', "id: should be the number"),
        (b'{"receiver": 5}', "receiver: should be text"),
    ],
)
async def test_a_retry_that_cannot_be_read_changes_nothing(reading, body, said):
    async with api_of(reading) as client:
        answer = await client.post(
            "/api/v1/dead-letters/retry", content=body, headers={"content-type": "application/json"}
        )
    assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.text


async def test_who_may_not_change_anything_retries_nothing(reading):
    store = reading.harness.store
    store.commit(Commit(outbox=[Pending("slack/0", notification("k1"))]))
    [row] = [one for one in store.notifications() if one.channel == "slack/0"]
    store.rejected(row.id, "no", NOW)
    async with api_of(reading, token="secret") as client:
        refused = await client.post("/api/v1/dead-letters/retry", json={})
        plain = await client.post(
            "/api/v1/dead-letters/retry", content=b"{}", headers={"authorization": "Bearer secret"}
        )
        assert (refused.status_code, plain.status_code) == (401, 415)
        assert store.dead_letters() == {("ops", "slack/0"): 1}
        done = await client.post("/api/v1/dead-letters/retry", json={}, headers={"authorization": "Bearer secret"})
    assert done.json() == {"waiting": 1, "superseded": 0, "unreadable": 0}
    assert reading.harness.woken


async def test_an_alert_is_answered_after_it_is_over(reading):
    [alert] = (await reading.reader.alerts.page()).items
    for _ in range(7):
        await reading.poll(Cosmote=0)
    reading.clock.at += HOUR
    await reading.harness.pipeline.flush()
    async with api_of(reading) as client:
        answer = (await client.get(f"/api/v1/alerts/{alert.fingerprint}")).json()
        alerts = (await client.get("/api/v1/alerts")).json()
    assert (answer["state"], answer["because"], answer["present"]) == ("resolved", "recovered", None)
    assert [one["what"] for one in answer["events"]] == ["pending", "fired", "resolved"]
    assert alerts["total"] == 0


async def test_notifications_are_found_by_every_name_of_their_alert(reading):
    await reading.fail()
    [alert] = (await reading.reader.alerts.page()).items
    async with api_of(reading) as client:
        for name in (alert.fingerprint, alert.label_fingerprint, alert.label_fingerprint[:5]):
            found = (await client.get("/api/v1/notifications", params={"fingerprint": name})).json()
            assert found == (await client.get("/api/v1/history", params={"fingerprint": name})).json()
            assert [one["fingerprint"] for item in found["items"] for one in item["alerts"]] == [alert.fingerprint]


async def test_a_store_that_cannot_be_read_is_said(reading):
    reading.harness.store.close()
    async with api_of(reading) as client:
        answer = await client.get("/api/v1/history")
        rules = await client.get("/api/v1/rules")
    assert (answer.status_code, "error" in answer.json(), rules.status_code) == (503, True, 200)
    reading.clock.at += MINUTE
