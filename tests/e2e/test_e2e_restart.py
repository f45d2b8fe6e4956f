"""Restarts: what was pending, firing or waiting to be told goes on as if nothing had happened; changed rules take effect."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from e2e_folder import Written, account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_process import daemon
from e2e_stage import EACH_ALONE, FAILING, SEARCH, fast_clock, put_operator, routee, running, until_polled
from e2e_store import opened, transitions, waiting

from monitor.daemon.main import Running
from monitor.model.alert import Alert
from monitor.runtime.clock import MINUTE, SECOND, Clock, Instant, SystemClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.http import Answer
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

LATE = 40 * SECOND
"""A poll's interval, and some for a busy machine, at sixty times the world's pace."""


class Town:
    """Everything that outlives a restart of the daemon."""

    def __init__(
        self, folder: Path, clock: Clock, sandbox: Sandbox, url: str, told: Hook, store_in: dict[str, Any]
    ) -> None:
        self.clock, self.sandbox, self.told = clock, sandbox, told
        self._folder, self._url, self._store_in = folder, url, store_in

    def started(self, *rules: Written) -> AbstractAsyncContextManager[Running]:
        """The daemon with those rules."""
        return running(self.config(*rules), self.clock)

    def config(self, *rules: Written, every: str = "30s") -> Path:
        """The configuration with those rules."""
        return write(
            self._folder,
            list(rules),
            accounts=[account(self._url)],
            searches=[SEARCH | {"every": every}],
            receivers=receivers(self.told.url),
            route=EACH_ALONE,
            **self._store_in,
        )

    def alerts(self, state: str) -> list[Alert]:
        """What the store has."""
        with opened(self._folder / "monitor.yaml") as store:
            return [alert for alert in store.load().alerts if alert.state == state]

    async def until_past(self, moment: Instant) -> None:
        """Until the clock has passed it."""
        await until(lambda: self.clock.now() > moment, "time to pass")


@pytest.fixture
async def town(tmp_path: Path, store_in: dict[str, Any]) -> AsyncIterator[Town]:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, hook() as told:
        told.now = clock.now
        yield Town(tmp_path, clock, sandbox, url, told, store_in)


async def test_a_pending_alert_fires_when_its_time_has_passed_since_before_the_restart(town: Town) -> None:
    rule = FAILING | {"for": "3m"}
    async with town.started(rule):
        put_operator(town.sandbox, "Cosmote", failed=5)
        await until(lambda: town.alerts("pending"), "the alert to be pending")
    [pending] = town.alerts("pending")
    await town.until_past(pending.pending_at + 2 * MINUTE)
    async with town.started(rule):
        await until(lambda: town.told.told, "the alert to be told")
    [firing] = town.alerts("firing")
    assert firing.firing_at is not None
    assert pending.pending_at + 3 * MINUTE <= firing.firing_at <= pending.pending_at + 3 * MINUTE + LATE


async def test_a_firing_alert_that_was_told_is_not_told_again_and_resolves_after_the_restart(town: Town) -> None:
    put_operator(town.sandbox, "Cosmote", failed=5)
    async with town.started(FAILING):
        await until(lambda: town.told.told, "the alert to be told")
    async with town.started(FAILING) as daemon:
        await until_polled(daemon, town.clock.now() + MINUTE)
        assert len(town.told.taken) == 1
    put_operator(town.sandbox, "Cosmote", failed=0)
    async with town.started(FAILING):
        await until(lambda: len(town.told.taken) == 2, "the end to be told")
    [episode] = town.told.episodes()
    assert episode.end is not None


async def test_time_to_keep_firing_is_not_begun_anew(town: Town) -> None:
    rule = FAILING | {"keep_firing_for": "3m"}
    put_operator(town.sandbox, "Cosmote", failed=5)
    async with town.started(rule) as daemon:
        await until(lambda: town.told.told, "the alert to be told")
        put_operator(town.sandbox, "Cosmote", failed=0)
        await until_polled(daemon, town.clock.now() + SECOND)
    [firing] = town.alerts("firing")
    last = firing.held[0].last
    assert last is not None
    await town.until_past(last + 2 * MINUTE)
    async with town.started(rule):
        await until(lambda: town.told.names("resolved")["Failing"], "the end to be told")
    [episode] = town.told.episodes()
    assert episode.end is not None
    assert last + 3 * MINUTE <= episode.end <= last + 3 * MINUTE + LATE


async def test_what_could_not_be_told_before_the_restart_is_told_once_after_it(town: Town) -> None:
    town.told.answer = lambda asked: Answer(503)
    put_operator(town.sandbox, "Cosmote", failed=5)
    async with town.started(FAILING):
        await until(lambda: town.told.refused, "the webhook to refuse")
    assert waiting(town.config(FAILING))
    town.told.answer = lambda asked: Answer()
    async with town.started(FAILING) as daemon:
        await until(lambda: town.told.taken, "the alert to be told")
        await until_polled(daemon, town.clock.now() + MINUTE)
    assert len(town.told.taken) == 1
    assert not waiting(town.config(FAILING))


async def test_a_rule_that_is_gone_ends_its_alert(town: Town) -> None:
    put_operator(town.sandbox, "Cosmote", failed=5)
    other = FAILING | {"name": "Other"}
    async with town.started(FAILING, other):
        await until(lambda: len(town.told.firing()) == 2, "both rules to be told")
    async with town.started(other):
        await until(lambda: len(town.told.firing()) == 1, "one to be over")
    assert town.told.names("resolved") == {"Failing": 1}
    assert [each.because for each in transitions(town.config(other)) if each.what == "resolved"] == ["removed"]
    with opened(town.config(other)) as store:
        [over] = store.outbox_rows(limit=1)
    [view] = over.notification.alerts
    assert (view.status, view.resolved_because) == ("resolved", "removed")


async def test_a_rule_with_another_threshold_takes_over_its_alerts(town: Town) -> None:
    put_operator(town.sandbox, "Stays", failed=6)
    put_operator(town.sandbox, "Ends", failed=3)
    async with town.started(FAILING):
        await until(lambda: len(town.told.firing()) == 2, "both operators to be told")
    async with town.started(FAILING | {"above": "50%"}) as daemon:
        await until(lambda: len(town.told.firing()) == 1, "one to be over")
        await until_polled(daemon, town.clock.now() + MINUTE)
    assert town.told.names("firing") == {"Failing": 2}
    assert [dict(each.labels)["operator"] for each in town.told.episodes()] == ["Ends", "Stays"]


async def test_a_rule_that_groups_differently_ends_the_old_groups(town: Town) -> None:
    put_operator(town.sandbox, "Cosmote", failed=5)
    async with town.started(FAILING):
        await until(lambda: town.told.firing(), "the operator to be told")
    async with town.started(FAILING | {"by": ["country"]}):
        await until(lambda: town.told.names("resolved")["Failing"], "the operator's alert to be over")
        await until(lambda: town.told.names("firing")["Failing"] == 2, "the country to be told")
    [alert] = town.told.firing()
    assert dict(alert) == {"alertname": "Failing", "country": "GR", "severity": "warning"}


async def test_sigterm_ends_in_time_while_routee_and_the_webhook_hang(tmp_path: Path, store_in: dict[str, Any]) -> None:
    sandbox = Sandbox(SystemClock())
    put_operator(sandbox, "Cosmote", failed=5)
    async with routee(sandbox) as url, hook() as told:
        town = Town(tmp_path, SystemClock(), sandbox, url, told, store_in)
        told.answer = lambda asked: Answer(fault="hang")
        async with daemon(town.config(FAILING, every="1s")) as process:
            await process.watching()
            await until(lambda: told.refused, "the webhook to be asked")
            asked = sandbox.requests["search"]
            sandbox.fault("delay", seconds=3_600.0)
            await until(lambda: sandbox.requests["search"] > asked, "Routee to be asked")
            assert await process.stop(within=10) == 0
            assert not process.noise
    assert len(waiting(tmp_path / "monitor.yaml")) == 1
