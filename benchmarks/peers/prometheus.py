"""Prometheus evaluates the same rules over a loopback exporter's series; what it takes beyond scraping them is what evaluating takes."""

import json
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import trio

from benchmarks.figure import Figure
from benchmarks.peers.rules_here import Evaluations
from benchmarks.peers.steady_groups import FULL, MESSAGES, QUICK, Scale, expected, failed, group_names, share_rules
from benchmarks.peers.whole_process import Rounds, Usage, measured
from tests.fakes.http import Answer, Asked, serving

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0
EVALUATIONS: Final = 6
"""How many evaluations are measured together, and scraping alone for as long."""


@dataclass(frozen=True)
class Evaluating:
    """What Prometheus took for one evaluation: ``cpu`` seconds of the processor beyond scraping, ``elapsed`` seconds by its own metrics."""

    cpu: float
    elapsed: float
    usage: Usage


async def evaluating(quick: bool) -> list[Figure]:
    """Returns the processor time of an evaluation by either, and their ratio. Raises RuntimeError if their alerts differ."""
    scale = QUICK if quick else FULL
    here = await _here(quick)
    what = f"{scale.rules} rules x {scale.groups:,} groups"
    ours = statistics.median(here.seconds) * 1e3
    low, high = min(here.seconds) * 1e3, max(here.seconds) * 1e3
    figures = [Figure(f"routee-monitor, {what}: processor time of an evaluation ({low:.3g} to {high:.3g})", ours, "ms")]
    if shutil.which("prometheus") is None:
        print("left out: Prometheus, which is not installed here", file=sys.stderr, flush=True)
        return figures
    found = [await _prometheus(scale) for _ in range(1 if quick else 2)]
    cpu = [one.cpu * 1e3 for one in found]
    theirs = statistics.median(cpu)
    peer = Rounds("Prometheus, start to end", [one.usage for one in found])
    elapsed = statistics.median(one.elapsed for one in found) * 1e3
    return [
        *figures,
        Figure(f"Prometheus: processor time of an evaluation ({min(cpu):.3g} to {max(cpu):.3g})", theirs, "ms"),
        Figure("Prometheus: an evaluation takes, by its own metrics", elapsed, "ms"),
        Figure("Prometheus: times the processor time of an evaluation", theirs / ours, "times"),
        peer.figures()[1],
    ]


async def _here(quick: bool) -> Evaluations:
    command = [sys.executable, "-m", "benchmarks.peers.rules_here", "quick" if quick else "full"]
    done = await trio.run_process(command, capture_stdout=True, cwd=ROOT)
    found = msgspec.json.decode(done.stdout, type=Evaluations)
    _check("routee-monitor", set(found.alerts), QUICK if quick else FULL)
    return found


def _check(program: str, alerts: set[tuple[str, str]], scale: Scale) -> None:
    if alerts != expected(scale):
        raise RuntimeError(
            f"{program} has {len(alerts)} alerts, other ones than the {len(expected(scale))} that are expected"
        )


async def _prometheus(scale: Scale) -> Evaluating:
    with tempfile.TemporaryDirectory() as name:
        async with serving(Exporter(scale).handle) as target:
            folder, address = Path(name), _free_address()
            _write(folder, scale, target, ruled=False)
            command = [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
                "--web.enable-lifecycle",
            ]
            with measured(command, folder) as process:
                async with httpx.AsyncClient(base_url=f"http://{address}", timeout=PATIENCE) as client:
                    cpu, elapsed = await _measure(client, scale, lambda: _write(folder, scale, target, ruled=True))
                usage = await trio.to_thread.run_sync(process.stop)
    return Evaluating(cpu, elapsed, usage)


async def _measure(client: httpx.AsyncClient, scale: Scale, add_rules: Callable[[], None]) -> tuple[float, float]:
    """Returns the processor time of an evaluation beyond scraping, and the time that it took; see `Evaluating`."""
    await _until(lambda: _is_ready(client))
    await trio.sleep(scale.longest + 2)  # until the longest window is full
    span = EVALUATIONS * scale.every
    scraping = (await _used(client, span)) / span
    add_rules()
    (await client.post("/-/reload")).raise_for_status()
    await _until(lambda: _has_alerts(client, scale))
    before, began = await _metrics(client), time.perf_counter()
    await trio.sleep(span)
    after, seconds = await _metrics(client), time.perf_counter() - began
    evaluations = after[_COUNT] - before[_COUNT]
    cpu = after[_CPU] - before[_CPU] - scraping * seconds
    return cpu / evaluations, (after[_SUM] - before[_SUM]) / evaluations


_CPU: Final = "process_cpu_seconds_total"
_COUNT: Final = "prometheus_rule_group_duration_seconds_count"
_SUM: Final = "prometheus_rule_group_duration_seconds_sum"


async def _used(client: httpx.AsyncClient, span: float) -> float:
    before = await _metrics(client)
    await trio.sleep(span)
    return (await _metrics(client))[_CPU] - before[_CPU]


async def _metrics(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    with trio.fail_after(PATIENCE):
        while not await holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await trio.sleep(0.2)


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).is_success
    except httpx.TransportError:
        return False


async def _has_alerts(client: httpx.AsyncClient, scale: Scale) -> bool:
    """Returns whether every alert that is expected fires. Raises RuntimeError if others do too."""
    answer: dict[str, Any] = (await client.get("/api/v1/alerts")).json()
    alerts = answer["data"]["alerts"]
    found = {(one["labels"]["alertname"], one["labels"]["group"]) for one in alerts if one["state"] == "firing"}
    if len(found) < len(expected(scale)):
        return False
    _check("Prometheus", found, scale)
    return True


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    return f"{host}:{port}"


def _write(folder: Path, scale: Scale, target: str, *, ruled: bool) -> None:
    """Writes the configuration, which is YAML because JSON is."""
    rules = [
        {
            "alert": one.name,
            "expr": f"increase(failed_total[{one.window}s]) / increase(messages_total[{one.window}s]) > {one.above / 100}",
        }
        for one in share_rules(scale)
    ]
    group = {"name": "shares", "interval": f"{scale.every}s", "rules": rules}
    (folder / "rules.yml").write_text(json.dumps({"groups": [group] if ruled else []}))
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "sms", "static_configs": [{"targets": [target.removeprefix("http://")]}]}],
        "rule_files": ["rules.yml"],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))


class Exporter:
    """Shows two counters of each group, which rise steadily with time."""

    def __init__(self, scale: Scale) -> None:
        self._groups = [(name, failed(position)) for position, name in enumerate(group_names(scale))]
        self._began = trio.current_time()

    async def handle(self, asked: Asked) -> Answer:
        """See `tests.fakes.http`."""
        seconds = trio.current_time() - self._began
        lines = ["# TYPE messages_total counter"]
        lines += [f'messages_total{{group="{name}"}} {MESSAGES * seconds}' for name, _ in self._groups]
        lines += ["# TYPE failed_total counter"]
        lines += [f'failed_total{{group="{name}"}} {each * seconds}' for name, each in self._groups]
        headers = {"content-type": "text/plain; version=0.0.4"}
        return Answer(body="\n".join([*lines, ""]).encode(), headers=headers)
