"""Measures the time from a status change in the API to the request at a webhook, with the daemon in this process, polling every second."""

import functools
import json
import math
import random
import statistics
import sys
import tempfile
from pathlib import Path

import httpx
import trio

from benchmarks.figure import Figure, median_of
from benchmarks.routee_process import routee_with
from monitor.config.settings import load
from monitor.daemon.main import run as run_daemon
from monitor.notify.render import Templates
from monitor.runtime.clock import SECOND, SystemClock, iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS
from tests.fakes.http import Answer, Asked, serving

EVERY = 1.0
RATES = (0, 1_000)
"""Messages a second beside the trials."""
SETTLING = 75.0
"""Seconds of such traffic before the first trial: by then the overlap of the polls, a minute, is full."""
FEW = 5


class _Webhook:
    """A webhook that sets an event for each operator of which it is notified."""

    def __init__(self) -> None:
        self.arrived: dict[str, trio.Event] = {}
        self.body = b""

    async def handle(self, asked: Asked) -> Answer:
        """See `tests.fakes.http`."""
        self.body = asked.body
        for alert in asked.json["alerts"]:
            arrived = self.arrived.get(alert["labels"].get("operator"))
            if arrived is None:  # the daemon's own alert, if the machine is too slow for it
                print(alert["labels"], alert["annotations"], file=sys.stderr)
            else:
                arrived.set()
        return Answer()


def run(quick: bool) -> list[Figure]:
    """Returns figures over trials that begin at random times within the interval: with no other traffic, and with 1,000 messages a second."""
    return [figure for rate in RATES for figure in _figures(rate, FEW if quick else 30)]


def _figures(rate: int, trials: int) -> list[Figure]:
    with routee_with(1, rate=60 * rate) as routee:
        settling = SETTLING if rate and trials > FEW else 0.0
        delays, request = trio.run(_trials, routee, trials, settling)
    delays.sort()
    of = f", {rate:,} messages a second" if rate else ""
    return [
        median_of(f"a change visible until the webhook is told{of}", delays, "s"),
        Figure("the same, the longest", delays[-1], "s", at_most=EVERY + 0.5),
        Figure("the same, 90th percentile", delays[math.ceil(len(delays) * 0.9) - 1], "s"),
        Figure(
            "the least to expect: half an interval, two requests at Routee and one to the webhook",
            EVERY / 2 + 3 * request,
            "s",
        ),
    ]


async def _trials(routee: str, count: int, settling: float) -> tuple[list[float], float]:
    """Returns the delays, and the seconds that a client without anything else takes for one request to the webhook."""
    hook, stop = _Webhook(), trio.Event()
    async with trio.open_nursery() as nursery, serving(hook.handle) as receiver, httpx.AsyncClient() as client:
        with tempfile.TemporaryDirectory() as folder:
            settings = load(_configure(Path(folder), routee, receiver), {})
            await nursery.start(functools.partial(run_daemon, settings, Templates(), stop=stop))
            await trio.sleep(settling)
            delays = [await _trial(client, routee, hook, f"operator {i}") for i in range(count)]
            request = await _requests(client, receiver, hook.body)
            stop.set()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    return delays, request


async def _requests(client: httpx.AsyncClient, receiver: str, body: bytes) -> float:
    seconds = []
    for _ in range(20):
        began = trio.current_time()
        (await client.post(receiver, content=body)).raise_for_status()
        seconds.append(trio.current_time() - began)
    return statistics.median(seconds)


async def _trial(client: httpx.AsyncClient, routee: str, hook: _Webhook, operator: str) -> float:
    """Returns the seconds until the webhook is notified that a message of this operator has failed."""
    await trio.sleep(random.uniform(0, EVERY))
    hook.arrived[operator] = arrived = trio.Event()
    now, name = SystemClock().now(), operator.replace(" ", "-")
    status = {"status": "Failed", "date": iso(now)}
    record = {"smsId": name, "messageId": name, "operator": operator, "label": "trial", "status": status}
    (await client.post(f"{routee}/sandbox/messages", json=record)).raise_for_status()
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
        "requests_per_second": 100,
    }
    rule = {
        "name": "Failed",
        "kind": "count",
        "where": {"label": "trial"},
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
