"""Measures what floods of bad and of good requests do to /healthz and to the polls.

The daemon polls each second and has the starter rules, six days of traffic and a token. Each flood lasts some seconds, on 50
connections, as fast as it is answered; then comes the next one.
"""

import re
import tempfile
import time
from pathlib import Path

from benchmarks.daemon.daemon_process import Daemon, configure, daemon
from benchmarks.daemon.flooding import KINDS, Statuses, flooding
from benchmarks.daemon.probing import probing
from benchmarks.figure import Figure
from benchmarks.routee_process import routee_with

MESSAGES, QUICK_MESSAGES = 100_000, 10_000
SECONDS, QUICK_SECONDS = 10.0, 4.0
SEARCH = {"name": "all", "every": "1s", "resweep": []}
_POLLS = re.compile(rb'^routee_monitor_polls_total\{.*outcome="complete".*\} (\S+)$', re.MULTILINE)


def run(quick: bool) -> list[Figure]:
    """Returns, for each flood, how often it was answered, how soon /healthz was, and whether the polls kept their interval."""
    seconds = QUICK_SECONDS if quick else SECONDS
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name, routee_with(QUICK_MESSAGES if quick else MESSAGES) as url:
        web = {"protect_reads": True}
        with daemon(configure(Path(name), url, web, searches=[SEARCH])) as running:
            for kind in KINDS:
                figures += _during(running, kind, seconds)
            figures.append(Figure("the most memory of the daemon", running.most_memory(), "MB", at_most=400))
    return figures


def _during(running: Daemon, kind: str, seconds: float) -> list[Figure]:
    before, began = _polls(running), time.perf_counter()
    with probing(running.address) as probes, flooding(running.address, kind) as statuses:
        time.sleep(seconds)
    polls, lasted = _polls(running) - before, time.perf_counter() - began
    return [
        Figure(f"{kind}: answers ({_shown(statuses)})", sum(statuses.values()) / lasted, "/s"),
        *probes.figures(f" during {kind}"),
        Figure(f"polls during {kind}, which are due each second", polls / lasted, "/s", at_least=0.8),
    ]


def _polls(running: Daemon) -> float:
    """Returns how many polls were complete so far. Asks again while the listener is crowded."""
    for _ in range(100):
        status, body = running.get("/metrics")
        if status == 200:
            return sum(float(one) for one in _POLLS.findall(body))
        time.sleep(0.1)
    raise RuntimeError("/metrics was never answered")


def _shown(statuses: Statuses) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items())) or "none"
