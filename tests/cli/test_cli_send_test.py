"""`send-test`: a sample through each channel of a receiver, and what became of it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest
from cli_folder import Folder

from monitor.cli.sample_alert import as_test
from monitor.config.monitor.services import SERVICES
from monitor.notify.render import Templates
from tests.fakes.alerts import notification_of, rate


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """A webhook's address and the bodies that it gets."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


def test_a_webhook_gets_a_sample_marked_as_a_test(folder: Folder, hook: tuple[str, list[bytes]]) -> None:
    url, bodies = hook
    folder.replace(folder.config, "http://127.0.0.1:9/secret-path", f"{url}/secret-path")
    folder.template.write_text('{"reason": {{ reason | tojson }}, "summary": {{ annotations.summary | tojson }}}')
    folder.replace(folder.template, "annotations.summary", "common_annotations")
    outcome = folder.invoke("send-test", "hook", "--rule", "OperatorFailureRate", "--json")
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.stdout) == [{"channel": "webhook/0", "ok": True, "why": ""}]
    sent = json.loads(bodies[0])
    assert sent["reason"] == "test"
    assert sent["summary"]["summary"] == "Cosmote: 34.2%"


def test_alertmanagers_payload_is_marked_and_its_resolve_follows(folder: Folder, hook: tuple[str, list[bytes]]) -> None:
    url, bodies = hook
    folder.replace(folder.config, "http://127.0.0.1:9/secret-path", f"{url}/secret-path")
    folder.replace(folder.config, ", template: body.json.j2", "")
    outcome = folder.invoke("send-test", "hook", "--rule", "OperatorFailureRate")
    assert outcome.stdout == "✓ hook webhook/0: sent, and resolved\n"
    first, last = map(json.loads, bodies)
    assert (first["status"], last["status"]) == ("firing", "resolved")
    for payload in (first, last):
        (alert,) = payload["alerts"]
        assert (
            alert["labels"].items() >= {"alertname": "OperatorFailureRate", "test": "true", "severity": "none"}.items()
        )
        assert alert["annotations"]["test"] == "This is a test of routee-monitor. Nothing is wrong."
    assert first["alerts"][0]["fingerprint"] == last["alerts"][0]["fingerprint"]
    assert first["groupKey"] == last["groupKey"]
    summaries = [payload["alerts"][0]["annotations"]["summary"] for payload in (first, last)]
    assert summaries[0] == "Cosmote: 34.2%"
    assert summaries[1] == "Cosmote: 10%", "the resolve shows a value that is back to normal, in the texts of the end"


@pytest.mark.parametrize("resolved", [False, True])
@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_told_that_it_is_a_test(name: str, resolved: bool) -> None:
    ended = {"status": "resolved", "ends_at": rate().as_of, "resolved_because": "recovered"}
    view = as_test(msgspec.structs.replace(rate(), **ended) if resolved else rate())
    notification = notification_of(view, reason="test", status="resolved" if resolved else "firing")
    fields = {"routing_key": "key", "chat_id": "1"}
    body = Templates().body(name, "application/json", notification, fields)
    silent = name == "pagerduty" and resolved  # an end has no text there
    assert ("test" in body.lower()) != silent


def test_a_channel_that_does_not_answer_is_69_without_its_secret_path(folder: Folder) -> None:
    outcome = folder.invoke("send-test", "hook")
    assert outcome.exit_code == 69
    assert outcome.stdout.startswith("✗ hook webhook/0: ")
    assert "secret-path" not in outcome.output


def test_the_console_shows_it(folder: Folder) -> None:
    outcome = folder.invoke("send-test", "ops")
    assert outcome.exit_code == 0
    assert "TestNotification" in outcome.stdout
    assert "✓ ops console/0: sent, and resolved" in outcome.stdout
    assert "example.org" not in outcome.stdout


def test_unknown_names_are_1(folder: Folder) -> None:
    outcome = folder.invoke("send-test", "opps")
    assert (outcome.exit_code, outcome.stderr) == (1, "there is no receiver 'opps'; did you mean 'ops'?\n")
    assert folder.invoke("send-test", "ops", "--rule", "Nothing").exit_code == 1
