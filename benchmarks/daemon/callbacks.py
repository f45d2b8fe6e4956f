"""Measures how many callbacks a second the daemon takes: a minute at 2,000 a second, with the starter rules, polled beside it; and what is left
of them after ``kill -9``.

The daemon has a process of its own. So have the one that pushes (`benchmarks.daemon.pushing`) and the one that asks for /healthz.
"""

import os
import re
import signal
import tempfile
import time
from pathlib import Path

from benchmarks.daemon.daemon_process import Daemon, configure, daemon
from benchmarks.daemon.probing import probing
from benchmarks.daemon.pushing import Pushed, message_id, pushing, result
from benchmarks.figure import Figure
from benchmarks.routee_process import routee_with
from monitor.daemon.validate import load
from monitor.daemon.window_restore import restored_window
from monitor.store.open import open_store

RATE = 2_000
SECONDS, QUICK_SECONDS = 60, 6
KILLED_AFTER = 4.0
_TAKEN = re.compile(rb'^routee_monitor_callbacks_total\{account="main",outcome="taken"\} (\S+)$', re.MULTILINE)


def run(quick: bool) -> list[Figure]:
    """Returns what was taken, how soon, what it cost the daemon, and what was lost when it was killed."""
    with tempfile.TemporaryDirectory() as name, routee_with(1) as url:
        figures = _for_a_minute(Path(name), url, QUICK_SECONDS if quick else SECONDS)
    with tempfile.TemporaryDirectory() as name, routee_with(1) as url:
        return figures + _killed(Path(name), url)


def _for_a_minute(folder: Path, url: str, seconds: int) -> list[Figure]:
    config = configure(folder, url)
    with daemon(config) as running:
        used = running.processor_seconds()
        with probing(running.address) as probes, pushing(running.address, RATE, seconds) as process:
            pushed = result(process)
        cpu, counted = running.processor_seconds() - used, _counted(running)
    total = RATE * seconds
    lost = len(set(pushed.taken) - _stored(config))
    return [
        Figure(
            f"callbacks a second that were answered 200, of {RATE:,} a second",
            _rate(pushed),
            "/s",
            at_least=0.99 * RATE,
        ),
        Figure(
            f"of {total:,}, not answered 200 ({_others(pushed)})", total - len(pushed.taken), "callbacks", at_most=0
        ),
        Figure(
            "answered 200, and not counted as taken in /metrics", len(pushed.taken) - counted, "callbacks", at_most=0
        ),
        Figure("answered 200, and not in the store afterwards", lost, "callbacks", at_most=0),
        Figure("from when a callback was due to its answer, in the middle", 1e3 * pushed.middle, "ms"),
        Figure("the same, 99 of 100 within", 1e3 * pushed.late, "ms"),
        *probes.figures(),
        Figure(
            "processor time of the daemon a callback, polls and rules included",
            1e3 * cpu / max(len(pushed.taken), 1),
            "ms",
        ),
    ]


def _killed(folder: Path, url: str) -> list[Figure]:
    """Kills the daemon while it is pushed to; returns what it had answered, and what of that a restart finds."""
    config = configure(folder, url)
    with daemon(config) as running, pushing(running.address, RATE, 3 * KILLED_AFTER) as process:
        time.sleep(KILLED_AFTER)
        os.kill(running.pid, signal.SIGKILL)
        pushed = result(process)
    with daemon(config):
        pass
    lost = len(set(pushed.taken) - _stored(config))
    return [
        Figure("kill -9: callbacks that were answered 200 before", len(pushed.taken), "callbacks", at_least=1),
        Figure("of these, not found after a restart", lost, "callbacks", at_most=0),
    ]


def _counted(running: Daemon) -> int:
    """Returns how many reports the daemon has counted as taken."""
    found = _TAKEN.search(running.get("/metrics")[1])
    assert found is not None
    return int(float(found[1]))


def _rate(pushed: Pushed) -> float:
    return len(pushed.taken) / pushed.seconds


def _others(pushed: Pushed) -> str:
    others = [f"{status}: {count}" for status, count in sorted(pushed.statuses.items()) if status != 200]
    return ", ".join(others) or "no other status"


def _stored(config: Path) -> set[int]:
    """Returns the numbers of the callbacks that a restart would find."""
    with open_store(config.parent / "monitor.db", read_only=True) as store:
        settings = load(config, {}).settings.config
        found = restored_window(store, "main", settings, store.secret("recipients"))
    columns = found.columns
    rows = [row for row in range(columns.length) if columns["kind"][row]]
    ids = (found.ids.decode(int(columns["high"][row]), int(columns["low"][row])).lower() for row in rows)
    return {number for number, one in ((int(one[:8], 16), one) for one in ids) if one == message_id(number)}
