"""`schema`, `healthcheck`, `sandbox`."""

import json
import signal
import socket
import subprocess

import jsonschema
import pytest
import yaml
from cli_folder import PROGRAM, RULES, Folder
from click.testing import CliRunner

from monitor.cli import cli


def test_schemas_are_json_schemas_of_what_people_write() -> None:
    for what, sample in (("config", {"accounts": []}), ("rules", yaml.safe_load(RULES)), ("tests", {})):
        schema = json.loads(CliRunner().invoke(cli, ["schema", what]).stdout)
        jsonschema.Draft202012Validator.check_schema(schema)
        if what == "rules":
            jsonschema.validate(sample, schema)
    assert CliRunner().invoke(cli, ["schema", "else"]).exit_code == 2


def test_healthcheck_finds_nobody(folder: Folder) -> None:
    outcome = folder.invoke("healthcheck", "--url", "http://127.0.0.1:1")
    assert outcome.exit_code == 69
    assert "is the daemon running?" in outcome.stderr


@pytest.mark.parametrize("url", ["file:///etc", "127.0.0.1:9465", "http://127.0.0.1:port", "http://["])
def test_healthcheck_asks_no_address_that_is_none(folder: Folder, url: str) -> None:
    outcome = folder.invoke("healthcheck", "--url", url)
    assert outcome.exit_code == 69
    assert f"No answer from {url}/healthz" in outcome.stderr


def test_healthcheck_cannot_guess_a_free_port(folder: Folder) -> None:
    outcome = folder.invoke("healthcheck")
    assert outcome.exit_code == 69
    assert "--url" in outcome.stderr
    folder.replace(folder.config, 'web: {listen: "127.0.0.1:0"}', "web: off")
    assert "web is off" in folder.invoke("healthcheck").stderr


@pytest.mark.e2e
def test_the_sandbox_says_how_to_use_it_and_ends_at_ctrl_c() -> None:
    command = [*PROGRAM, "sandbox", "--listen", "127.0.0.1:0", "--rate", "0", "--history", "1m", "--messages", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("The sandbox is at http://127.0.0.1:")
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            assert process.stderr is not None
            err = process.stderr.read()
            process.wait(20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "application_secret: sandbox-secret" in rest
    assert "/sandbox/incidents" in rest
    assert err == ""


def test_a_busy_address_is_69() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        outcome = CliRunner().invoke(
            cli, ["sandbox", "--listen", f"127.0.0.1:{busy.getsockname()[1]}", "--history", "1m"]
        )
    assert outcome.exit_code == 69
    assert "choose another with --listen" in outcome.stderr
    assert CliRunner().invoke(cli, ["sandbox", "--listen", "nowhere", "--history", "1m"]).exit_code == 69
