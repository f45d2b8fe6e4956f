"""No secret comes out: not in logs at any level, answers, metrics, the store, a backup, a process list, or what commands print."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio
from click.testing import CliRunner
from e2e_canaries import Canaries, configuration, models, parrot, secret_places
from e2e_process import daemon

from monitor.cli import cli
from monitor.config.monitor import Config, load_config
from monitor.runtime.postgresql_address import PostgresqlAddress
from tests.fakes.listener import ask
from tests.fakes.postgresql import PostgresqlServer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

RULES = {
    "rules": [
        {"name": "Failing", "kind": "rate", "by": ["operator"], "window": "1h", "above": "20%"},
        {"name": "LowBalance", "kind": "balance", "below": 50},
    ]
}
PATHS = ("/", "/healthz", "/readyz", "/metrics", "/api/v2/status", "/api/v2/alerts", "/api/v2/alerts/groups")
PATHS += ("/api/v2/receivers", "/api/v2/silences", "/api/v1/nothing", "/callbacks/routee/main")
BODIES = (b"{", b"{}", b"[1]", b"x" * 300_000)
"""Callbacks that are refused."""
COMMANDS = (
    "check",
    "check --online",
    "search all",
    "track m1",
    "campaign c1",
    "explain Failing --json",
    "explain Nothing",
    "alerts --json",
    "alerts --notifications",
    "alerts --dead-letters",
    "ack operator=Cosmote",
    "silence list",
    "silence add operator=Cosmote --for 1h --comment x",
    "routes show",
    "routes test severity=warning",
    "render ops",
    "render ops --json --alert Failing",
    "send-test ops",
    "backtest --since 1h",
    "backtest --since 1h --from-api",
    "healthcheck",
    "backup copy.db",
)


def test_every_secret_of_the_configuration_has_its_canary(tmp_path: Path) -> None:
    """A new secret needs its canary in e2e_canaries.py."""
    canaries = Canaries()
    configuration("http://127.0.0.1:9", canaries, tmp_path)
    assert set(canaries.planted) == secret_places()


def test_what_is_a_secret_can_stand_in_a_file_and_is_hidden_from_the_log() -> None:
    """`Written.secrets` is what `hide_secrets` and the ``*_file`` twins go by."""
    listed = {(model.__name__, name) for model in models(Config) for name in model.secrets}
    assert listed == secret_places()


def test_neither_settings_nor_their_dumps_show_secrets(tmp_path: Path) -> None:
    canaries = Canaries()
    path = written(tmp_path, configuration("http://127.0.0.1:9", canaries, tmp_path))
    config = load_config(path, {})
    shown = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {vars(config)}"
    assert canaries.found_in(shown.encode()) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Apprise imports
async def test_nothing_that_the_daemon_emits_or_keeps_has_a_secret_in_it(tmp_path: Path) -> None:
    canaries = Canaries()
    async with parrot(canaries) as world:
        whole = configuration(world.url, canaries, tmp_path)
        del whole["store_password"]
        config = written(tmp_path, whole | {"store": "sqlite:monitor.db"})
        async with daemon(config, level="debug") as process:
            await process.watching()
            await until(lambda: {"hook", "slack", "api"} <= set(world.asked), "everybody to be told")
            await until(lambda: world.asked.get("search", 0) > 4, "Routee to be asked")
            await until(lambda: process.said("was not sent") or process.said("tried again"), "a refusal to be logged")
            secret = canaries.planted["Account", "callback_secret"][0]
            said = [await push(process.url, f"?secret={secret}{wrong}", body) for wrong in ("", "x") for body in BODIES]
            listed = Path(f"/proc/{process.process.pid}/cmdline").read_bytes()
            said += [str(await ask(process.url, path)).encode() for path in PATHS]
            backup = str(tmp_path / "copy.db")
            printed = [
                await trio.to_thread.run_sync(command, line.replace("copy.db", backup), config, process.url)
                for line in COMMANDS
            ]
            assert await process.stop() == 0
    logged = json.dumps([process.logged, process.noise]).encode()
    assert b"***" in logged, "something had to be hidden"
    kept = b"".join(
        file.read_bytes() for file in tmp_path.iterdir() if file.suffix != ".yaml" and file != tmp_path / "web_token"
    )
    assert b"Failing" in kept, "the store was read"
    assert (tmp_path / "copy.db").stat().st_size > 10_000, "so was a backup"
    for what in (logged, listed, kept, *said, *printed):
        assert canaries.found_in(what) == [], what[:20_000]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Apprise imports
async def test_nor_has_it_the_password_of_a_store_in_postgresql(
    tmp_path: Path, postgresql: PostgresqlAddress, postgresql_server: PostgresqlServer
) -> None:
    canaries = Canaries()
    async with parrot(canaries) as world:
        whole = configuration(world.url, canaries, tmp_path)
        postgresql_server.administer(
            f"CREATE ROLE canary LOGIN PASSWORD '{whole['store_password']}'", "GRANT monitor TO canary"
        )
        address = replace(postgresql, user="canary", password="")
        config = written(tmp_path, whole | {"store": str(address)})
        async with daemon(config, level="debug") as process:
            await process.watching()
            listed = Path(f"/proc/{process.process.pid}/cmdline").read_bytes()
            said = [str(await ask(process.url, path)).encode() for path in PATHS]
            printed = [
                await trio.to_thread.run_sync(command, line, config, process.url)
                for line in ("check", "status", "backup copy.db")
            ]
            postgresql_server.administer("ALTER ROLE canary PASSWORD 'another'")
            postgresql_server.cut_sessions(postgresql)
            await until(lambda: process.said("cannot be opened"), "the refusal to be logged")
            assert await process.stop() == 0
    assert b"pg_dump" in printed[-1]
    for what in (json.dumps([process.logged, process.noise]).encode(), listed, *said, *printed):
        assert canaries.found_in(what) == [], what[:20_000]
    postgresql_server.administer("REASSIGN OWNED BY canary TO monitor", database=postgresql.database)
    postgresql_server.administer("DROP OWNED BY canary", database=postgresql.database)
    postgresql_server.administer("DROP OWNED BY canary", "DROP ROLE canary")


async def push(url: str, query: str, body: bytes) -> bytes:
    """What the daemon answers to a callback."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/callbacks/routee/main{query}", content=body)
    return f"{answer.status_code} {dict(answer.headers)} {answer.text}".encode()


def command(line: str, config: Path, url: str) -> bytes:
    """What a command prints, with everything that it is willing to tell."""
    words = line.split()
    more = ["--url", url] if words[0] in ("ack", "silence", "healthcheck") else []
    more += [] if words[0] in ("routes", "silence", "healthcheck", "ack") else ["--log-level", "debug"]
    done = CliRunner().invoke(cli, [*words, *more, "--config", str(config)])
    assert done.exit_code in (0, 1, 69), (line, done.output)
    return f"{line}: {done.exit_code}\n{done.output}".encode()


WRONG = (
    ("accounts", 0, "application_secret"),
    ("accounts", 0, "application_id"),
    ("accounts", 0, "callback_secret"),
    ("receivers", 0, "slack", 0, "token"),
    ("receivers", 0, "slack", 0, "app_token"),
    ("receivers", 0, "slack", 1, "webhook_url"),
    ("receivers", 0, "webhook", 0, "url"),
    ("receivers", 0, "webhook", 0, "secret"),
    ("receivers", 0, "webhook", 0, "headers"),
    ("receivers", 0, "webhook", 0, "fields"),
    ("receivers", 0, "alertmanager", 0, "bearer_token"),
    ("receivers", 0, "apprise", 0, "url"),
    ("web", "token_file"),
    ("store_password",),
)
"""Secrets that are to stand in a wrong place or form."""


@pytest.mark.parametrize("path", WRONG, ids=lambda path: ".".join(map(str, path)))
def test_an_error_in_the_configuration_repeats_no_secret(tmp_path: Path, path: tuple[str | int, ...]) -> None:
    for number, spoil in enumerate(("list", "mapping", "key", "shape")):
        canaries = Canaries()
        folder = tmp_path / str(number)
        folder.mkdir()
        whole = configuration("http://127.0.0.1:9", canaries, folder)
        inner = whole
        for step in path[:-1]:
            inner = inner[step]  # type: ignore[index]  # a path of the configuration above
        value, key = inner[path[-1]], str(path[-1])  # type: ignore[index]  # the same
        if key == "token_file":
            value = (folder / "web_token").read_text()
        if spoil == "key":
            inner[f"{key}x"] = inner.pop(key)
        else:
            wrong = {"list": [value], "mapping": {"is": value}, "shape": f" {value} \n second {value}"}
            inner[key] = wrong[spoil]
        config = written(folder, whole)
        done = CliRunner().invoke(cli, ["check", "--log-level", "debug", "--config", str(config)])
        assert done.exit_code == 78 or spoil == "shape", done.output
        assert canaries.found_in(done.output.encode()) == [], done.output


def written(folder: Path, config: object) -> Path:
    """Into ``monitor.yaml``, with rules beside it."""
    (folder / "rules.yaml").write_text(json.dumps(RULES))
    path = folder / "monitor.yaml"
    path.write_text(json.dumps(config))
    return path
