"""Measures for how long a storm holds the daemon's event loop: thousands of alerts of one rule that begin, go on and end at once.

The daemon runs in this process, and takes the messages as if it had read them of Routee. Each step of each task is timed as in `loop`.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import trio

from benchmarks.daemon.loop import LONG, HeldLoop
from benchmarks.figure import Figure
from benchmarks.routee_process import routee_with
from monitor.daemon.account_sink import AccountSink
from monitor.daemon.main import Running, import_listener
from monitor.daemon.main import run as run_daemon
from monitor.daemon.validate import load
from monitor.model.batch import batch_of
from monitor.runtime.clock import Instant, SystemClock
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS
from monitor.store.protocol import Cursor

ALERTS, QUICK_ALERTS = 30_000, 3_000
PAGE: Final = 1_000
PATIENCE: Final = 300.0
POLLS_WHILE_IT_LASTS: Final = 5
FLUSHED_AFTER: Final = 3.0
"""Seconds: in this time the groups of `ROUTE` are notified."""
ROUTE: Final = {"receiver": "ops", "group_by": ["..."], "group_wait": "1s", "group_interval": "1s"}
RULE: Final = {
    "name": "Bad",
    "kind": "count",
    "match": {"status": ["Failed"]},
    "by": ["label"],
    "window": "1h",
    "above": 0,
}


def run(quick: bool) -> list[Figure]:
    """Returns how long the loop was held while the storm was taken in, told and over."""
    alerts = QUICK_ALERTS if quick else ALERTS
    with tempfile.TemporaryDirectory() as name, routee_with(100, 0) as url:
        _configure(Path(name), url)
        held = trio.run(_watch, Path(name), alerts)
    of = f"a storm of {alerts:,} alerts of one rule"
    return [
        Figure(f"the longest time that the loop is held by {of}", 1e3 * held.longest, "ms", at_most=1e3 * LONG),
        Figure("steps of more than 20 ms meanwhile", held.over(LONG), ""),
        Figure("steps of more than 50 ms meanwhile", held.over(0.05), ""),
        Figure("processor time of all steps", sum(held.steps), "s"),
    ]


async def _watch(folder: Path, alerts: int) -> HeldLoop:
    settings, stop, held = load(folder / "monitor.yaml", {}), trio.Event(), HeldLoop()
    import_listener()  # as the command does before its loop begins
    async with trio.open_nursery() as nursery:
        running: Running = await nursery.start(partial(run_daemon, settings.settings, settings.templates, stop=stop))
        await _until_polled(running)
        trio.lowlevel.add_instrument(held)
        await _storm(running, alerts)
        trio.lowlevel.remove_instrument(held)
        stop.set()
    longest = ", ".join(f"{name} {ms} ms" for name, ms in held.by_task.most_common(6))
    print(f"the longest: {longest}", file=sys.stderr, flush=True)
    return held


async def _until_polled(running: Running) -> None:
    """Waits for the only poll of Routee in this hour."""
    with trio.fail_after(PATIENCE):
        while True:
            await trio.sleep(0.2)
            if any(running.pipeline.cursors()):
                return


async def _storm(running: Running, alerts: int) -> None:
    """Lets all of the alerts begin, go on for some polls, and end."""
    clock, pipeline = SystemClock(), running.pipeline
    sink = AccountSink(pipeline, pipeline.accounts["main"])

    async def poll(status: str = "") -> None:
        rows = _rows(alerts if status else 0, status, clock.now())
        while page := list(islice(rows, PAGE)):
            await sink.page("all", batch_of(page), ())
        await sink.complete("all", Cursor("main", "all", clock.now(), 0))
        await trio.sleep(FLUSHED_AFTER)

    await poll("Failed")
    firing = sum(alert.state == "firing" for alert in pipeline.every_alert())
    assert firing >= alerts, f"only {firing} alerts fire"
    for _ in range(POLLS_WHILE_IT_LASTS):
        await poll()
    await poll("Delivered")
    assert not any(alert.state == "firing" and alert.rule == RULE["name"] for alert in pipeline.every_alert())


def _rows(count: int, status: str, reported: Instant) -> Iterator[dict[str, Any]]:
    return ({"messageId": f"storm-{i}", "label": f"L{i}", "date": reported, "status": status} for i in range(count))


def _configure(folder: Path, url: str) -> None:
    name, secret = DEFAULT_CREDENTIALS
    account = {"name": "main", "application_id": name, "application_secret": secret, "api_url": url, "auth_url": url}
    config = {
        "accounts": [account],
        "searches": [{"name": "all", "account": "main", "every": "1h", "resweep": []}],
        "rules": ["rules.yaml"],
        "receivers": [{"name": "ops", "webhook": [{"url": "http://127.0.0.1:9/"}]}],
        "route": ROUTE,
        "store": "sqlite:monitor.db",
        "web": False,
    }
    (folder / "monitor.yaml").write_text(json.dumps(config))
    (folder / "rules.yaml").write_text(json.dumps({"rules": [RULE]}))
