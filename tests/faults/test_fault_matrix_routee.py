"""The rows of docs/faults.md about Routee: five minutes of each fault, and everything is told right afterwards."""

from pathlib import Path
from typing import Any

import pytest
import trio.testing

from monitor.runtime.clock import MINUTE
from tests.faults.fault_stage import staged

IDLE = 0.005
"""Seconds of nothing happening after which the clock jumps: bytes and threads on their way take no time."""

BLINDING: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "502 as HTML": {"kind": "html"},
    "503": {"kind": "status", "status": 503},
    "504": {"kind": "status", "status": 504},
    "429 without end": {"kind": "status", "status": 429},
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 20},
    "a storm of 401": {"kind": "status", "status": 401},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "connections reset": {"kind": "cut", "at": 0},
    "answers cut short": {"kind": "cut", "at": 0.5},
    "answers that drip": {"kind": "drip", "bytes": 10, "seconds": 10.0},
    "answers that never come": {"kind": "delay", "seconds": 3600.0},
    "half of the JSON": {"kind": "truncated"},
    "JSON that is no page": {"kind": "wrong_types", "where": "page"},
    "no token": {"kind": "status", "status": 503, "endpoint": "token"},
}
"""Nothing can be seen meanwhile: MonitorBlind, and nothing else, is told."""

SEEN_THROUGH: dict[str, dict[str, Any]] = {
    "every third answer a 500": {"kind": "status", "status": 500, "share": 0.3},
    "expired tokens": {"kind": "expired_tokens", "count": 3},
    "a slow Routee": {"kind": "delay", "seconds": 3.0},
    "short pages": {"kind": "short_pages", "items": 7},
    "duplicate records": {"kind": "page_drift", "shift": 3, "count": 4},
    "missing records": {"kind": "page_drift", "shift": -3, "count": 4},
    "records of wrong types": {"kind": "wrong_types", "where": "records", "count": 4},
}
"""Nobody notices."""


@pytest.mark.parametrize("fault", BLINDING)
async def test_what_nobody_can_see_through_is_told_as_blindness_and_nothing_else(
    tmp_path: Path, fault: str, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = IDLE
    options = BLINDING[fault]
    async with staged(tmp_path) as stage:
        if options.get("endpoint") == "token":
            stage.sandbox.fault("expired_tokens")
        stage.sandbox.fault(**options)
        before = len(stage.told.told)
        stage.changes()
        await stage.passes(5 * MINUTE)
        assert {labels(each)["alertname"] for each in stage.told.told[before:]} == {"MonitorBlind"}
        assert (await stage.asked("/healthz"))[0] == 200, "a restart would not help"
        stage.sandbox.faults.clear()
        await stage.is_well_again()


def labels(told: Any) -> dict[str, str]:
    """Those of a notification's one alert."""
    [entry] = told.payload["alerts"]
    return dict(entry["labels"])


@pytest.mark.parametrize("fault", SEEN_THROUGH)
async def test_what_can_be_seen_through_is_not_even_noticed(
    tmp_path: Path, fault: str, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = IDLE
    async with staged(tmp_path) as stage:
        stage.sandbox.fault(**SEEN_THROUGH[fault])
        stage.changes()
        await stage.until(lambda: stage.told.failing() == {"GoesOn", "Begins"}, "the change to be told", 5 * MINUTE)
        stage.sandbox.faults.clear()
        # A record whose messageId alone is unreadable is known by its smsId, and stays beside the whole one that comes later.
        await stage.is_well_again(exact=fault != "records of wrong types")
        assert not stage.told.names("firing")["MonitorBlind"]
