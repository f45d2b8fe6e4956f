"""Measures the time from a status change in the API to the request at a webhook, with the daemon in this process, polling every second."""

import functools
import json
import math
import random
import statistics
import tempfile
from pathlib import Path

import trio

from benchmarks.figure import Figure
from monitor.config.settings import load
from monitor.daemon.main import run as run_daemon
from monitor.notify.render import Templates
from monitor.runtime.clock import SECOND, SystemClock, iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, Sandbox, serve
from tests.fakes.http import Answer, Asked, serving

EVERY = 1.0


class _Webhook:
    """A webhook that sets an event for each operator of which it is notified."""

    def __init__(self) -> None:
        self.arrived: dict[str, trio.Event] = {}

    async def handle(self, asked: Asked) -> Answer:
        """See `tests.fakes.http`."""
        for alert in asked.json["alerts"]:
            self.arrived[alert["labels"]["operator"]].set()
        return Answer()


def run(quick: bool) -> list[Figure]:
    """Returns figures over trials that begin at random times within the interval."""
    delays = sorted(trio.run(_trials, 5 if quick else 30))
    return [
        Figure("a change visible until the webhook is told, median", statistics.median(delays), "s"),
        Figure("the same, the longest", delays[-1], "s", at_most=EVERY + 1),
        Figure("the same, 90th percentile", delays[math.ceil(len(delays) * 0.9) - 1], "s"),
    ]


async def _trials(count: int) -> list[float]:
    sandbox, hook, stop = Sandbox(SystemClock()), _Webhook(), trio.Event()
    async with trio.open_nursery() as nursery:
        routee = await nursery.start(serve, sandbox)
        async with serving(hook.handle) as receiver:
            with tempfile.TemporaryDirectory() as folder:
                settings = load(_configure(Path(folder), routee, receiver), {})
                await nursery.start(functools.partial(run_daemon, settings, Templates(), stop=stop))
                delays = [await _trial(sandbox, hook, f"operator {i}") for i in range(count)]
                stop.set()
                await trio.sleep(1)
                nursery.cancel_scope.cancel()
    return delays


async def _trial(sandbox: Sandbox, hook: _Webhook, operator: str) -> float:
    """Returns the seconds until the webhook is notified that a message of this operator has failed."""
    await trio.sleep(random.uniform(0, EVERY))
    hook.arrived[operator] = arrived = trio.Event()
    now, name = sandbox.now(), operator.replace(" ", "-")
    sandbox.put(
        {"smsId": name, "messageId": name, "operator": operator, "status": {"status": "Failed", "date": iso(now)}}
    )
    began = trio.current_time()
    await arrived.wait()
    return trio.current_time() - began


def _configure(folder: Path, routee: str, receiver: str) -> Path:
    name, secret = DEFAULT_CREDENTIALS
    account = {
        "name": "main",
        "application_id": name,
        "application_secret": secret,
        "api_url": routee,
        "auth_url": routee,
    }
    rule = {
        "name": "Failed",
        "kind": "count",
        "match": {"status": "Failed"},
        "by": ["operator"],
        "window": "10m",
        "above": 0,
    }
    config = {
        "accounts": [account],
        "searches": [{"name": "all", "every": f"{int(EVERY * SECOND) // SECOND}s"}],
        "rules": ["rules.yaml"],
        "store": "sqlite:monitor.db",
        "receivers": [{"name": "ops", "webhook": [{"url": receiver}]}],
        # Two routes: within a minute one route notifies at most 20 new groups one by one, and waits with the others.
        "route": {
            "receiver": "ops",
            "group_by": ["operator"],
            "group_wait": "0s",
            "routes": [{"matchers": ['operator=~".*[02468]"'], "receiver": "ops"}],
        },
        "web": "off",
    }
    (folder / "rules.yaml").write_text(json.dumps({"rules": [rule]}))
    path = folder / "monitor.yaml"
    path.write_text(json.dumps(config))
    return path
