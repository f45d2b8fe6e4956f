"""The frame of a page says nothing of the daemon to those who may not read."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.runtime.clock import HOUR
from tests.fakes.daemon_reading import Reading

TOKEN = "a-web-token-of-many-letters"
OF_THE_DAEMON = ("stale", "search all", "Last poll", "routee-monitor 0.", 'href="/metrics"')
"""What the frame says of the daemon: a warning, the poll, the version."""


@pytest.fixture
async def reading(tmp_path: Path) -> AsyncIterator[Reading]:
    """A daemon whose data is stale, of which the masthead warns."""
    made = Reading(tmp_path / "monitor.db")
    await made.poll(Cosmote=0)
    made.clock.at += HOUR
    yield made
    made.harness.store.close()


async def answers(reading: Reading, protect: bool, *asked: tuple[str, str], token: str = "") -> list[httpx.Response]:
    web = Web.model_validate({"token": TOKEN, "protect_reads": protect})
    pipeline = reading.harness.pipeline
    app = ReloadableApp(web, reading.harness.settings.config, pipeline, reading.harness.front, reading.reader)
    headers = {"accept": "text/html"} | ({"authorization": f"Bearer {token}"} if token else {})
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        return [await client.request(method, path) for method, path in asked]


STRANGERS = [
    ("GET", "/login"),
    ("POST", "/login"),
    ("PUT", "/login"),
    ("GET", "/callbacks/routee/a/b"),
    ("DELETE", "/readyz"),
]


async def test_no_page_says_anything_of_the_daemon_to_who_may_not_read(reading: Reading) -> None:
    for answer in await answers(reading, True, *STRANGERS, token="wrong"):
        assert "<main" in answer.text, answer.request.url
        assert [word for word in OF_THE_DAEMON if word in answer.text] == [], (answer.request.url, answer.status_code)


@pytest.mark.parametrize(("protect", "token"), [(True, TOKEN), (False, "")])
async def test_who_may_read_finds_it_on_every_page(reading: Reading, protect: bool, token: str) -> None:
    for answer in await answers(reading, protect, ("GET", "/login"), ("GET", "/nowhere"), ("GET", "/"), token=token):
        assert [word for word in OF_THE_DAEMON if word not in answer.text] == [], answer.request.url
