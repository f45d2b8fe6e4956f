"""The same question to ElastAlert 2 and to routee-monitor: of which operator are there three times as many messages as an hour before?

Both run as whole processes, from their start until the answer is with a webhook. What serves the messages is in this process and is not counted.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from benchmarks.daemon.process import environment
from benchmarks.figure import Figure
from benchmarks.peers.elasticsearch import Elasticsearch
from benchmarks.peers.spike_traffic import HEIGHT, LEAST, SPAN, SPIKING, WINDOW, documents, sandbox_with_a_spike
from benchmarks.peers.whole_process import Measured, Rounds, Usage, compared, measured
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Instant, iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, serve
from tests.fakes.http import Answer, Asked, serving

PATIENCE: Final = 120.0
"""Seconds within which an answer has to come."""
ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = Path(__file__).with_name("elastalert.txt")
ELASTALERT: Final = ROOT / "build" / "peers" / "elastalert2"
"""Its venv, which is made on first use and kept."""


class MissingPeer(Exception):
    """Says why a peer cannot be measured here."""


@dataclass
class Webhook:
    """Takes the operators that it is told of, by either program."""

    operators: set[str] = field(default_factory=set)
    told: trio.Event = field(default_factory=trio.Event)

    async def handle(self, asked: Asked) -> Answer:
        """See `tests.fakes.http`."""
        body = asked.json
        if "alerts" in body:
            self.operators |= {alert["labels"]["operator"] for alert in body["alerts"]}
        else:
            self.operators.add(body["operator"])
        self.told.set()
        return Answer()


@dataclass(frozen=True)
class SpikeRounds:
    """What both used at one number of messages; ElastAlert 2 has no rounds if it was left out."""

    messages: int
    here: Rounds
    peer: Rounds


def spike_figures(few: SpikeRounds | None, many: SpikeRounds) -> list[Figure]:
    """Returns what both used at ``many``, the ratios, and, from the difference to ``few``, what each further message takes."""
    if not many.peer.usages:
        return many.here.figures()
    found = [*many.here.figures(), *many.peer.figures(), *compared(many.peer, many.here, cpu=20, memory=4)]
    if few is not None:
        more = many.messages - few.messages
        here, peer = (many.here.cpu - few.here.cpu) / more, (many.peer.cpu - few.peer.cpu) / more
        found += [
            Figure("routee-monitor: processor time of each further message", here * 1e6, "µs"),
            Figure("ElastAlert 2: processor time of each further document", peer * 1e6, "µs"),
            Figure("ElastAlert 2: times the processor time of each", peer / here, "times"),
        ]
    return found


async def spikes(messages: int, rounds: int, program: Path | None, compiled: Path) -> SpikeRounds:
    """Runs both in turn. Without its ``program`` ElastAlert 2 is left out. Raises RuntimeError if an answer is wrong.

    Our modules are compiled in the folder ``compiled``, by a run that is not counted; the other's are from their installation on.
    """
    sandbox = sandbox_with_a_spike(messages)
    here, peer = Rounds(f"routee-monitor, {messages:,} messages"), Rounds(f"ElastAlert 2, {messages:,} documents")
    async with trio.open_nursery() as nursery:
        routee: str = await nursery.start(serve, sandbox)
        elasticsearch = Elasticsearch(documents(sandbox) if program else [])
        async with serving(elasticsearch.handle) as search:
            environ = environment(compiled)
            await _monitor(routee, environ)
            for _ in range(rounds):
                here.add(await _monitor(routee, environ))
                if program is not None:
                    peer.add(await _elastalert_run(program, search, elasticsearch, messages, sandbox.now()))
        nursery.cancel_scope.cancel()
    return SpikeRounds(messages, here, peer)


@asynccontextmanager
async def _run(
    write: Callable[[Path, str], list[str]], environ: dict[str, str] | None = None
) -> AsyncIterator[tuple[Measured, Webhook]]:
    """Runs the command that ``write`` prepares in a folder, for the address of a webhook."""
    hook = Webhook()
    async with serving(hook.handle) as receiver:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with measured(write(folder, receiver), folder, environ) as process:
                yield process, hook


async def _answered(process: Measured, hook: Webhook, done: trio.Event) -> Usage:
    """Waits until ``done``, ends the process, and returns what it used. Raises RuntimeError if the answer is wrong or none came."""
    with trio.move_on_after(PATIENCE):
        while not done.is_set() and process.is_running:  # noqa: ASYNC110 - the end of a process sets no event
            await trio.sleep(0.02)
    usage = await trio.to_thread.run_sync(process.stop)
    if not done.is_set() or hook.operators != {SPIKING}:
        raise RuntimeError(
            f"a spike of {SPIKING} was expected, not of {hook.operators}: {process.log.read_text()[-2000:]}"
        )
    return usage


async def _monitor(routee: str, environ: dict[str, str]) -> Usage:
    def write(folder: Path, receiver: str) -> list[str]:
        (folder / "rules.yaml").write_text(json.dumps({"rules": [_rule()]}))
        (folder / "monitor.yaml").write_text(json.dumps(_config(routee, receiver)))
        return [sys.executable, "-m", "monitor", "run", "--config", "monitor.yaml", "--log-level", "error"]

    async with _run(write, environ) as (process, hook):
        return await _answered(process, hook, hook.told)


def _rule() -> dict[str, Any]:
    window = f"{WINDOW // MINUTE}m"
    return {
        "name": "Spike",
        "kind": "spike",
        "by": ["operator"],
        "window": window,
        "baseline": {"window": window, "ago": window},
        "above": f"{HEIGHT}x",
        "min_baseline": LEAST,
    }


def _config(routee: str, receiver: str) -> dict[str, Any]:
    name, secret = DEFAULT_CREDENTIALS
    account = {"name": "main", "application_id": name, "application_secret": secret}
    return {
        "accounts": [account | {"api_url": routee, "auth_url": routee, "requests_per_second": 1000}],
        "searches": [{"name": "all", "every": "30s", "resweep": [{"back": f"{SPAN // MINUTE}m", "every": "30s"}]}],
        "rules": ["rules.yaml"],
        "store": "sqlite:monitor.db",
        "receivers": [{"name": "ops", "webhook": [{"url": receiver}]}],
        "route": {"receiver": "ops", "group_by": ["alertname"], "group_wait": "0s"},
        "web": "off",
    }


async def _elastalert_run(
    program: Path, search: str, elasticsearch: Elasticsearch, messages: int, now: Instant
) -> Usage:
    def write(folder: Path, receiver: str) -> list[str]:
        (folder / "rules").mkdir()
        (folder / "rules" / "spike.yaml").write_text(json.dumps(_elastalert_rule(receiver)))
        (folder / "config.yaml").write_text(json.dumps(_elastalert_config(search)))
        start = iso((now - SPAN - HOUR) // SECOND * SECOND)
        return [str(program), "--config", "config.yaml", "--start", start]

    elasticsearch.begin()
    async with _run(write) as (process, hook):
        usage = await _answered(process, hook, elasticsearch.done)
    if elasticsearch.served != messages:
        raise RuntimeError(f"ElastAlert 2 has read {elasticsearch.served} of {messages} documents")
    return usage


def _elastalert_rule(receiver: str) -> dict[str, Any]:
    return {
        "name": "Spike",
        "type": "spike",
        "index": "sms",
        "timeframe": {"minutes": WINDOW // MINUTE},
        "spike_height": HEIGHT,
        "spike_type": "up",
        "threshold_ref": LEAST,
        "query_key": "operator",
        "filter": [],
        "alert": "post",
        "http_post_url": receiver,
    }


def _elastalert_config(search: str) -> dict[str, Any]:
    address = urlsplit(search)
    return {
        "rules_folder": "rules",
        "run_every": {"minutes": 30},
        "buffer_time": {"hours": 12},
        "es_host": address.hostname,
        "es_port": address.port,
        "es_conn_timeout": 60,
        "writeback_index": "elastalert_status",
        "alert_time_limit": {"days": 1},
    }


def installed_elastalert() -> Path:
    """Returns the program, installed from the package registry if it is not there yet. Raises MissingPeer."""
    program = ELASTALERT / "bin" / "elastalert"
    if program.exists():
        return program
    print("installing ElastAlert 2 into build/peers (550 MB) ...", file=sys.stderr, flush=True)
    for command in (
        [sys.executable, "-m", "venv", str(ELASTALERT)],
        [str(ELASTALERT / "bin" / "pip"), "install", "--quiet", "--require-virtualenv", "-r", str(PACKAGES)],
    ):
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            shutil.rmtree(ELASTALERT, ignore_errors=True)
            raise MissingPeer(f"ElastAlert 2 cannot be installed here: {done.stderr.strip()[-300:]}")
    return program
