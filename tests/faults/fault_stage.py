"""The whole daemon between a local Routee and a webhook, on a clock that jumps: what goes wrong for hours takes a moment."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
import trio.testing
from e2e_folder import Written, account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_stage import put_operator, routee, running, values
from e2e_turns import recount

from monitor.daemon.main import Running
from monitor.runtime.clock import MINUTE, SECOND, Clock, Duration, Instant, TrioClock, parse_iso
from monitor.simulation.sandbox import Sandbox
from tests.fakes.listener import ask

NOW = parse_iso("2026-11-21T10:00:00Z")
FAILING = {"name": "Failing", "kind": "rate", "by": ["operator"], "window": "1h", "above": "20%"}
SEARCH = {"name": "all", "every": "30s", "resweep": [{"back": "30m", "every": "5m"}]}
ROUTE = {"group_by": ["alertname", "operator"], "group_wait": "1s", "group_interval": "30s"}
PATIENCE: Duration = 20 * MINUTE
"""So long after a trouble everything is told: five minutes at most pass between two tries of a channel."""


@dataclass
class Stage:
    """Before the trouble one operator's failing was told (``Ends``) and another's (``GoesOn``)."""

    clock: Clock
    sandbox: Sandbox
    told: Hook
    daemon: Running

    async def passes(self, duration: Duration) -> None:
        """Let so much time pass."""
        await trio.sleep(duration / SECOND)

    async def until(self, true: Callable[[], object], what: str, within: Duration = PATIENCE) -> None:
        """Look every five seconds."""
        end = trio.current_time() + within / SECOND
        while not true():
            assert trio.current_time() < end, f"waited in vain for {what}"
            await trio.sleep(5)

    async def asked(self, path: str) -> tuple[int, str]:
        """What the listener answers."""
        answer = await ask(self.daemon.url, path)
        return answer.status, answer.body

    def changes(self) -> None:
        """What happens while nobody may be able to see: one operator recovers, another begins to fail."""
        put_operator(self.sandbox, "Ends", failed=0)
        put_operator(self.sandbox, "Begins", failed=5)

    @property
    def is_blind(self) -> bool:
        """Whether the webhook's owner was told so, and not of its end."""
        return any(("alertname", "MonitorBlind") in alert for alert in self.told.firing())

    async def is_well_again(self, *, exact: bool = True) -> None:
        """The true state is told, each thing once, and the values are exact (or not asked for)."""
        await self.until(lambda: self.told.failing() == {"GoesOn", "Begins"}, "the true state to be told")
        await self.until(lambda: not self.is_blind, "the end of the blindness")
        await self.passes(6 * MINUTE)  # a sweep, too
        assert self.told.names("firing")["Failing"] == 3
        assert self.told.names("resolved")["Failing"] == 1
        assert len(self.told.taken) == len(self.told.told), "nothing is told twice"
        end = self._polled()
        if exact:
            assert values(self.daemon, end) == recount(self.sandbox, end)
        assert (await self.asked("/readyz"))[0] == 200

    def _polled(self) -> Instant:
        return self.daemon.pipeline.accounts["main"].evaluator.coverage.cursors["all"].as_of


def configured(folder: Path, url: str, told: Hook, **more: Any) -> Path:
    """A configuration that looks every 30 seconds."""
    given: Written = {
        "accounts": [account(url)],
        "searches": [SEARCH],
        "receivers": receivers(told.url),
        "route": ROUTE,
    }
    return write(folder, more.pop("rules", [FAILING]), **(given | more))


@asynccontextmanager
async def staged(
    folder: Path, *, clock: Clock | None = None, world: Clock | None = None, begun: bool = True, **more: Any
) -> AsyncIterator[Stage]:
    """A daemon that has told of two operators (unless not ``begun``). ``world`` is Routee's time, where it is not the daemon's ``clock``.

    For a loop with trio's MockClock.
    """
    clock = clock or TrioClock(NOW)
    sandbox = Sandbox(world or clock)
    for operator, failed in {"Ends": 5, "GoesOn": 5, "Begins": 0, "Calm": 0}.items():
        put_operator(sandbox, operator, failed=failed)
    async with routee(sandbox) as url, hook() as told:
        told.now = clock.now
        async with running(configured(folder, url, told, **more), clock) as daemon:
            stage = Stage(clock, sandbox, told, daemon)
            if begun:
                await stage.until(lambda: told.failing() == {"Ends", "GoesOn"}, "two operators to be told")
            yield stage
