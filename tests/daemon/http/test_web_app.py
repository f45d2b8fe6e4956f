from functools import partial

import pytest
from plain_client import ask, served
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.daemon.health import Health
from monitor.daemon.http.app import make_app
from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import MINUTE, SystemClock


@pytest.fixture
def health() -> Health:
    return Health(lambda: 0.0)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(SystemClock())


@pytest.fixture
def app(health, metrics):
    return partial(make_app, health, metrics)


async def test_health_goes_from_healthy_to_not_and_back(app, health):
    now = iter([0.0, 90.0, 90.0, 90.0])
    stalling = Health(lambda: next(now))
    async with served(make_app(stalling, Metrics(SystemClock()))) as url:
        stalling.expect("poll main/outbound", MINUTE)
        sick = await ask(url, "/healthz")
        stalling.beat("poll main/outbound")
        well = await ask(url, "/healthz")
    reason = "poll main/outbound: no progress for 1m30s, expected every 1m"
    assert (sick.status, sick.json) == (503, {"status": "not healthy", "reasons": [reason]})
    assert (well.status, well.json) == (200, {"status": "healthy", "reasons": []})


async def test_readiness_says_what_is_missing_until_nothing_is(app, health):
    async with served(app()) as url:
        starting = await ask(url, "/readyz")
        health.searches([("main", "outbound")])
        unpolled = await ask(url, "/readyz")
        health.polled("main", "outbound")
        ready = await ask(url, "/readyz")
        health.store("the disk is full")
        full = await ask(url, "/readyz")
    assert [each.status for each in (starting, unpolled, ready, full)] == [503, 503, 200, 503]
    assert unpolled.json["reasons"] == ["Search outbound of account main has not been polled yet"]
    assert ready.json == {"status": "ready", "reasons": []}
    assert full.json["reasons"] == ["The store cannot be written: the disk is full"]


async def test_metrics_are_text_or_openmetrics_as_the_scraper_asks(app, metrics):
    metrics.window("main", 1_000_000)
    async with served(app()) as url:
        text = await ask(url, "/metrics")
        openmetrics = await ask(url, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    for parse, reply in ((parse_text, text), (parse_openmetrics, openmetrics)):
        families = {family.name: family for family in parse(reply.body.decode())}
        assert [sample.value for sample in families["routee_monitor_window_messages"].samples] == [1_000_000]


async def test_head_is_the_get_without_its_body(app):
    async with served(app()) as url:
        reply = await ask(url, "/metrics", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")


async def test_what_is_not_there_and_what_is_not_allowed_is_json(app):
    async with served(app()) as url:
        missing = await ask(url, "/nowhere")
        wrong = await ask(url, "/metrics", method="POST")
    assert (missing.status, missing.json) == (404, {"error": "GET /nowhere: Not Found"})
    assert (wrong.status, wrong.json) == (405, {"error": "POST /metrics: Method Not Allowed"})
    assert "get" in wrong.headers["allow"]


async def test_a_failure_inside_is_json_that_tells_nothing(caplog, metrics):
    class Broken(Health):
        def stuck(self):
            raise RuntimeError("inner detail")

    async with served(make_app(Broken(lambda: 0.0), metrics)) as url:
        reply = await ask(url, "/healthz")
    assert (reply.status, list(reply.json)) == (500, ["error"])
    assert b"inner detail" not in reply.body
    assert "inner detail" in caplog.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/nowhere"])
async def test_every_answer_tells_browsers_to_be_careful(app, path):
    async with served(app(token="t0k3n", protect_reads=False)) as url:
        headers = (await ask(url, path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("shown", [None, "Bearer", "Bearer wrong", "Basic t0k3n", "t0k3n", "Bearer t0k3n2", "Bearer ü"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/nowhere"])
async def test_protected_reads_need_the_token(app, path, shown):
    headers = {"Authorization": shown} if shown else {}
    async with served(app(token="t0k3n", protect_reads=True)) as url:
        reply = await ask(url, path, **headers)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "bearer")
    said = reply.json["error"]
    is_token = shown is not None and shown.startswith("Bearer")
    assert said.startswith(
        "The token of the header 'Authorization: Bearer <token>' is not that of web.token"
        if is_token
        else "All pages need the header 'Authorization: Bearer <token>' with the token of web.token"
    )


@pytest.mark.parametrize("shown", ["Bearer t0k3n", "bearer t0k3n"])
async def test_the_token_opens_protected_reads(app, shown):
    async with served(app(token="t0k3n", protect_reads=True)) as url:
        assert (await ask(url, "/metrics", Authorization=shown)).status == 200


async def test_probes_answer_without_the_token_but_keep_the_reasons_to_those_who_have_it(app):
    async with served(app(token="t0k3n", protect_reads=True)) as url:
        stranger = await ask(url, "/readyz")
        friend = await ask(url, "/readyz", Authorization="Bearer t0k3n")
    assert (stranger.status, stranger.json) == (503, {"status": "not ready"})
    assert friend.json == {"status": "not ready", "reasons": ["The daemon is starting"]}


async def test_reads_are_open_where_only_changes_need_the_token(app):
    async with served(app(token="t0k3n")) as url:
        assert (await ask(url, "/metrics")).status == 200


def test_protection_without_a_token_is_refused(app):
    with pytest.raises(ValueError, match=r"web\.token_file"):
        app(protect_reads=True)


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/nowhere"])
@pytest.mark.parametrize(
    "host",
    ["rebound.example.org", "rebound.example.org:9465", "127.0.0.1.example.org", "", "[", "ours.example.org.evil.org"],
)
async def test_a_name_that_nobody_wrote_reads_nothing(app, path, host):
    async with served(app(hosts=["ours.example.org"])) as url:
        reply = await ask(url, path, Host=host)
    assert reply.status == 403
    assert "web.allowed_hosts" in reply.json["error"]


HOSTS = [
    "localhost",
    "LOCALHOST:1",
    "127.0.0.1:9465",
    "[::1]:9465",
    "10.1.2.3",
    "[fd00::1]",
    "Ours.example.org:80",
    "ours.example.org.",
]


@pytest.mark.parametrize("host", HOSTS)
async def test_addresses_and_names_that_were_written_read(app, host):
    async with served(app(hosts=["", "ours.example.org"])) as url:
        assert (await ask(url, "/metrics", Host=host)).status == 200


async def test_who_shows_the_token_may_use_any_name(app):
    async with served(app(token="t0k3n")) as url:
        assert (await ask(url, "/metrics", Host="any", Authorization="Bearer t0k3n")).status == 200
        assert (await ask(url, "/metrics", Host="any")).status == 403


async def test_a_failure_inside_is_a_page_for_a_browser(metrics):
    class Broken(Health):
        def stuck(self):
            raise RuntimeError("inner detail")

    async with served(make_app(Broken(lambda: 0.0), metrics)) as url:
        reply = await ask(url, "/healthz", Accept="text/html")
    assert (reply.status, reply.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert b"inner detail" not in reply.body
