"""Sessions of browsers, a listener that speaks TLS itself, and a token file that changes."""

import ssl
from pathlib import Path

import httpx
import pytest
from plain_client import served

from monitor.config.monitor import Config, Web
from monitor.config.settings import load
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.runtime.server_certificate import ServerCertificate
from tests.fakes.certificates import write_certificate
from tests.fakes.daemon_reading import AT_ONCE, Reading
from tests.fakes.forms import hidden_fields
from tests.fakes.waiting import guarded

WEB = "web: {token_file: web_token, protect_reads: true}\n"
HTML = {"accept": "text/html"}


def read(folder: Path, token: str) -> Config:
    """Returns the configuration with that content of the token file."""
    (folder / "web_token").write_text(token)
    (folder / "rules.yaml").write_text("rules: []")
    (folder / "monitor.yaml").write_text(AT_ONCE.replace("web: off\n", WEB))
    return load(folder / "monitor.yaml", {}).config


async def log_in(browser: httpx.AsyncClient, token: str) -> httpx.Response:
    form = await browser.get("/login")
    return await browser.post("/login", data=hidden_fields(form.text) | {"token": token})


@pytest.mark.parametrize("encrypted", [True, False])
async def test_a_changed_token_file_ends_every_session_for_good(tmp_path: Path, *, encrypted: bool) -> None:
    reading = Reading(tmp_path / "monitor.db")
    config = read(tmp_path, "the-first-token-of-all")
    assert isinstance(config.web, Web)
    harness = reading.harness
    app = ReloadableApp(config.web, config, harness.pipeline, harness.front, reading.reader)
    cert, key = write_certificate(tmp_path)
    tls = ServerCertificate.load(cert, key).context if encrypted else None
    trusting = ssl.create_default_context(cafile=cert)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    async with (
        served(app, tls=lambda: tls) as url,
        httpx.AsyncClient(base_url=url.replace("127.0.0.1", "localhost"), headers=HTML, verify=trusting) as browser,
    ):
        answer = await log_in(browser, "the-first-token-of-all")
        cookies = answer.headers.get_list("set-cookie")
        assert {"Secure" in cookie for cookie in cookies} == {encrypted}
        assert all("HttpOnly; SameSite=Strict" in cookie for cookie in cookies)
        assert (await browser.get("/rules")).status_code == 200
        app.reload(config)
        assert (await browser.get("/rules")).status_code == 200, "a reload without a new token ends nothing"
        with guarded():
            async with browser.stream("GET", "/events") as stream:
                pieces = stream.aiter_text()
                assert "retry:" in await anext(pieces)
                app.reload(read(tmp_path, "a-token-in-between-them"))
                assert "event: again" in "".join([piece async for piece in pieces])
        for token in ("another-token-of-the-day", "the-first-token-of-all"):
            app.reload(read(tmp_path, token))
            sent = await browser.get("/rules")
            assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/rules")
        await log_in(browser, "the-first-token-of-all")
        assert (await browser.get("/rules")).status_code == 200
    harness.store.close()
