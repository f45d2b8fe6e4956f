"""kill -9 while an incident is open: it goes on as the same one, nothing is sent twice but what had no receipt yet, and its end is sent."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import hook
from e2e_process import daemon
from e2e_stage import put_operator, routee
from e2e_store import opened, waiting

from monitor.runtime.clock import SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.http import Answer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

SHARE = {"kind": "rate", "window": "1h", "above": "20%", "severity": "critical", "incident": {"by": ["country"]}}
RULES = [
    SHARE | {"name": "OperatorFails", "by": ["operator", "country"]},
    SHARE | {"name": "CountryFails", "by": ["country"], "above": "60%"},
]
SEARCH = {"name": "all", "every": "1s", "resweep": [{"back": "5m", "every": "1s"}]}
NEVER_IN_TIME = 600.0
"""Seconds until an answer for which nobody waits: the daemon is killed before."""


def incidents(config: Path) -> set[str]:
    """The incidents of the alerts in the store."""
    with opened(config) as store:
        return {alert.incident.id for alert in store.load().alerts if alert.incident is not None}


@pytest.mark.timeout(300)
async def test_an_incident_outlives_two_kills(tmp_path: Path, store_in: dict[str, Any]) -> None:
    sandbox = Sandbox(SystemClock())
    async with routee(sandbox) as url, hook() as told:
        config = write(
            tmp_path,
            RULES,
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=receivers(told.url),
            route={"group_wait": "0s", "group_interval": "2s"},
            flapping="off",
            **store_in,
        )

        def firing(rule: str) -> int:
            return sum(("alertname", rule) in alert for alert in told.firing())

        for operator in ("Vodafone", "Nova"):
            put_operator(sandbox, operator, failed=0)
        put_operator(sandbox, "Cosmote", failed=10)
        told.answer = lambda asked: Answer(delay=NEVER_IN_TIME)
        async with daemon(config) as life:
            await until(lambda: told.taken, "the incident to be sent")
            await life.kill()  # it was taken, and its receipt is not written
        (unwritten,) = told.taken
        assert [row.notification.key for row in waiting(config)] == [unwritten.id]
        first = incidents(config)
        assert len(first) == 1

        told.answer = lambda asked: Answer()
        async with daemon(config) as life:
            await until(lambda: len(told.taken) == 2, "what had no receipt to be sent again")
            put_operator(sandbox, "Vodafone", failed=10)
            await until(lambda: firing("CountryFails") == 1 and firing("OperatorFails") == 2, "the incident to grow")
            await until(lambda: not waiting(config), "the receipts")
            await life.kill()
        assert incidents(config) == first
        assert (told.taken[1].id, told.taken[1].body) == (unwritten.id, unwritten.body)

        async with daemon(config) as life:
            for operator in ("Cosmote", "Vodafone"):
                put_operator(sandbox, operator, failed=0)
            await until(lambda: not told.firing(), "the end of all alerts")
            await until(lambda: not waiting(config), "the receipts")
            assert await life.stop() == 0

    assert {id_: times for id_, times in Counter(one.id for one in told.taken).items() if times > 1} == {
        unwritten.id: 2
    }
    payloads = [one.payload for one in told.told]
    assert {payload["groupLabels"]["incident"] for payload in payloads} == first
    assert len({payload["groupKey"] for payload in payloads}) == 1
    assert [payload["status"] for payload in payloads].count("resolved") == 1
    assert payloads[-1]["status"] == "resolved"
    episodes = told.episodes()
    assert len(episodes) == 3, "two operators and their country, each once"
    assert all(episode.end is not None for episode in episodes)
