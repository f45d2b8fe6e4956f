"""The daemon: everything wired together in one nursery.

    store → windows, alerts, groups      per account: Routee client → polling → pipeline → outbox
    outbox → delivery → channels         listener: health, metrics, APIs  timers: groups that are due, pruning, systemd

It starts with what the last commit left. What comes of the configuration (`monitor.daemon.runtime_config`) can be replaced while it runs; the
store, the windows, the outbox and the listener stay. When it is told to stop, polling ends at once, deliveries under way get a few
seconds, and then the store is closed.
"""

import contextlib
import functools
import gc
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import trio

from monitor.alerts.view import Views
from monitor.config.settings import Settings
from monitor.daemon import retention as housekeeping
from monitor.daemon.account_client import hide_secrets, routee_client
from monitor.daemon.account_tasks import AccountSupervisor, plan_of
from monitor.daemon.alertmanager_tasks import pushing
from monitor.daemon.catch_up import CatchUp
from monitor.daemon.channel_health import ChannelWatch
from monitor.daemon.health import Health
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.daemon.http.server import serve
from monitor.daemon.internal_errors import InternalErrors
from monitor.daemon.loading import SettingsWithTemplates
from monitor.daemon.metrics import Metrics
from monitor.daemon.pipeline import GROUPS, AccountPipeline, Pipeline, PipelineConfig, Services
from monitor.daemon.reload import Reloads, changes, check_is_possible
from monitor.daemon.restore import (
    accounts_of,
    continued_dispatch,
    renewed_desks,
    restored_dispatch,
    restored_judge,
    restored_or_empty,
    restored_window,
    returned,
    without_cursors,
)
from monitor.daemon.retention import dead_letters, keep_house
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.slack_actions import Buttons
from monitor.notify.channels.slack.channel import socket_apps
from monitor.notify.channels.slack.socket_mode import listen
from monitor.notify.outbox import Outbox, deliver
from monitor.notify.render import Templates
from monitor.runtime.clock import MINUTE, SECOND, Clock, SystemClock
from monitor.runtime.environment_values import named
from monitor.runtime.errors import MonitorError, StoreError
from monitor.runtime.guarded_clock import GuardedClock
from monitor.runtime.sd_notify import Systemd
from monitor.runtime.task_supervisor import TaskSpec, TaskSupervisor, until_told
from monitor.store.async_store import AsyncStore
from monitor.store.open import daemon_store
from monitor.store.protocol import Commit, QuarantinedRecord, UnusableSilence

__all__ = ["Running", "plan_of", "restored_judge", "restored_window", "routee_client", "run"]

log = logging.getLogger("monitor")

SLOWEST_LOOK = 5 * MINUTE
"""The groups are looked at again long before this has passed."""
DELIVERY = "delivery"
"""The name of all channels' loops together, where signs of life are collected."""
MOST_CHANGES = 20
"""So many changes of a reload are named in the log."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a started daemon hands back: where it listens (empty: nowhere) and its pipeline."""

    url: str
    pipeline: Pipeline


async def run(
    settings: Settings,
    templates: Templates,
    *,
    stop: trio.Event,
    clock: Clock | None = None,
    stream: TextIO = sys.stdout,
    systemd: Systemd | None = None,
    reloads: Reloads | None = None,
    live: Callable[[str], None] | None = None,
    task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until ``stop`` is set. Raises StoreError or ListenError where it cannot even start.

    ``live`` shows a line that changes: how much of the past has been read.
    ``reloads``: where the settings came from, and who asks for them to be read again; without it they stay as they are.
    """
    config, clock, systemd = settings.config, clock or GuardedClock(), systemd or Systemd()
    hide_secrets(config)
    async with daemon_store(config.store_path, clock.now()) as (store, damage):
        if damage is not None:
            log.error("%s", damage)
        generation = RuntimeConfig.first(SettingsWithTemplates(settings, templates), clock, stream)
        await _Daemon(generation, store, clock, systemd, reloads, live).run(stop, task_status)


class _Daemon:
    """The parts of one run. ``_present`` is the configuration that is in force."""

    def __init__(
        self,
        generation: RuntimeConfig,
        store: AsyncStore,
        clock: Clock,
        systemd: Systemd,
        reloads: Reloads | None,
        live: Callable[[str], None] | None,
    ) -> None:
        self._present, self._store, self._clock = generation, store, clock
        self._systemd, self._reloads = systemd, reloads
        self._metrics, self._health = Metrics(clock), Health()
        self._outbox: Outbox | None = None
        self._front: ReloadableApp | None = None
        self._internal_errors = InternalErrors(clock)
        self._around = Services(
            clock,
            self._metrics,
            self._health,
            self._wake,
            CatchUp(clock, live).reached,
            self._internal_errors.failed,
        )

    async def run(self, stop: trio.Event, task_status: trio.TaskStatus[Running]) -> None:
        gc.disable()  # what is restored stays: looking through it for garbage is in vain, now and later
        try:
            self._pipeline = pipeline = await self._restore()
        finally:
            gc.enable()
        gc.freeze()
        stop_listening = trio.Event()
        async with trio.open_nursery() as services:
            url = await self._listen(services, stop_listening)
            keep_going = self._internal_errors.keep_going
            deliver_to = functools.partial(deliver, observer=self._metrics, keep_going=keep_going)
            notifiers = self._present.notified.notifiers
            self._outbox = outbox = await services.start(
                deliver_to, self._store, notifiers, self._clock, name="deliver"
            )
            async with trio.open_nursery() as work:
                self._begin(work, outbox)
                self._systemd.ready(self._status())
                config = self._present.config
                log.info("watching %d searches with %d rules", len(config.searches), len(self._present.rules))
                task_status.started(Running(url, pipeline))
                await stop.wait()
                log.info("stopping")
                self._systemd.stopping("draining")
                work.cancel_scope.cancel()
            outbox.stop()
            stop_listening.set()
        log.info("stopped")

    def _wake(self) -> None:
        if self._outbox is not None:
            self._outbox.wake()

    # Starting

    async def _restore(self) -> Pipeline:
        """The pipeline as the last commit left it."""
        config = self._present.config
        loaded = await self._store.load()
        await self._set_aside(loaded.unusable)
        self._key = key = await self._store.secret("recipients")
        desks = []
        for account in accounts_of(config, loaded):
            restoring = functools.partial(restored_or_empty, account=account, config=config, key=key)
            window, trouble = await self._store.run(restoring)
            if trouble:
                log.error(
                    "%s: the last 7 days are fetched from Routee again; until then no alert is reported as resolved",
                    trouble,
                )
                loaded = without_cursors(loaded, account)
            judge = restored_judge(window, config, self._present.rules, loaded)
            views = Views(
                judge,
                self._present.templates,
                distinguish=len(config.accounts) > 1,
                time_zone=config.time_zone_of(account),
            )
            desks.append(AccountPipeline(judge, views, facts_kept=judge.facts))
        self._health.searches(self._present.searches)
        self._observe(desks)
        self._metrics.dead_letters(await dead_letters(self._store))
        pipeline = Pipeline(self._store, desks, restored_dispatch(config, loaded), config.retention, self._around)
        await pipeline.begin()
        return pipeline

    async def _set_aside(self, unusable: Sequence[UnusableSilence]) -> None:
        """Silences that cannot be kept do not silence any more; what they were stays among the records set aside."""
        if not unusable:
            return
        now = self._clock.now()
        asides = [
            QuarantinedRecord("", "silences", now, f"silence {one.id}: {one.why}", one.record) for one in unusable
        ]
        await self._store.commit(Commit(dropped_silences=[one.id for one in unusable], asides=asides))
        for one in unusable:
            said = f"The stored silence {one.id[:40]} was set aside and silences nothing any more: {one.why}"
            log.error("%s", said)
            self._health.set_aside(said)

    def _observe(self, desks: Iterable[AccountPipeline]) -> None:
        self._metrics.searches(self._present.searches)
        self._metrics.receivers(self._present.channels)
        self._metrics.reloaded(successful=True)
        for desk in desks:
            for cursor in desk.judge.cursors.values():
                self._metrics.watermark(cursor.account, cursor.search, cursor.as_of)

    async def _listen(self, nursery: trio.Nursery, stop: trio.Event) -> str:
        config = self._present.config
        if config.web is None:
            return ""
        self._front = ReloadableApp(config.web, config, self._pipeline, self._clock, self._health, self._metrics)
        serving = functools.partial(serve, self._front, config.web.listen, stop=stop)
        url: str = await nursery.start(serving, name="listener")
        log.info("listening on %s", url)
        return url

    def _begin(self, work: trio.Nursery, outbox: Outbox) -> None:
        """Start every task in ``work``."""
        health = self._health
        keep_going = self._internal_errors.keep_going
        self._roster = TaskSupervisor(work, keep_going)
        self._watching = AccountSupervisor(self._present.config, self._pipeline, self._around, keep_going)
        self._channels = self._channel_watch(outbox)
        self._assign(outbox)
        health.expect(DELIVERY, MINUTE)
        health.expect(GROUPS, SLOWEST_LOOK)
        health.expect(housekeeping.LOOP, housekeeping.SLOWEST)
        housekeeper = functools.partial(
            keep_house, self._store, self._clock, self._metrics, health, lambda: self._present.config.retention
        )
        tasks: dict[str, Callable[[], Awaitable[object]]] = {
            "groups": self._pipeline.flush_when_due,
            "channels": self._channels.run,
            housekeeping.LOOP: housekeeper,
            "systemd": self._tell_systemd,
        }
        if self._reloads is not None:
            tasks["reload"] = functools.partial(self._reload_when_asked, self._reloads, outbox)
            tasks["files"] = functools.partial(self._reloads.watch, lambda: self._present.config)
        for name, task in tasks.items():
            work.start_soon(keep_going, name, task, name=name)
        work.start_soon(self._internal_errors.tell, self._pipeline, name="internal errors")

    def _channel_watch(self, outbox: Outbox) -> ChannelWatch:
        health, metrics = self._health, self._metrics

        def report(failing: Mapping[tuple[str, str], str]) -> None:
            health.channels(failing)
            metrics.failing(failing)

        alive = functools.partial(health.beat, DELIVERY)
        channels = self._present.channels
        return ChannelWatch(self._pipeline, outbox, channels, self._clock, alive=alive, report=report)

    def _assign(self, outbox: Outbox) -> None:
        """Give out the duties that the configuration brings with it."""
        config = self._present.config
        pushers = pushing(
            config,
            lambda: self._present.settings,
            self._pipeline,
            outbox,
            self._clock,
            self._metrics,
            self._health,
        )
        self._roster.assign([*self._watching.duties(config), *pushers, *self._buttons()])

    def _buttons(self) -> Iterator[TaskSpec]:
        """Those that are pressed in Slack."""
        press = Buttons(self._pipeline, self._clock).press
        for number, (token, api_url) in enumerate(socket_apps(self._present.config)):
            listening = functools.partial(listen, token, api_url, press, self._clock)
            work = functools.partial(until_told, work=listening)
            yield TaskSpec(f"Slack's buttons {number}", (token, api_url), work)

    # Reloading

    async def _reload_when_asked(self, reloads: Reloads, outbox: Outbox) -> None:
        """Take up what is written whenever somebody asks for it; where it cannot be, all stays as it is."""
        while True:
            await reloads.asked()
            self._systemd.reloading()
            try:
                await self._reload(reloads, outbox)
            except MonitorError as error:
                self._refused(str(error))
            # Reading is much code over much that people write: whatever it raises, the daemon goes on with what it has.
            except Exception as error:
                log.exception("reading the configuration failed unexpectedly")
                self._refused(f"reading it failed ({type(error).__name__}); please report this")
            else:
                self._health.reload_failed()
            self._systemd.ready(self._status())

    def _refused(self, why: str) -> None:
        first, *others = named(why).splitlines()
        for line in (first, *others):
            log.error("the changed configuration has errors, the previous one stays in use: %s", line)
        more = f" (and {len(others)} more; the log has all)" if others else ""
        self._health.reload_failed(first + more)
        self._metrics.reloaded(successful=False)

    async def _reload(self, reloads: Reloads, outbox: Outbox) -> None:
        """Raises MonitorError, and then nothing has changed."""
        before = self._present
        loaded = await trio.to_thread.run_sync(reloads.read, abandon_on_cancel=True)
        config = loaded.settings.config
        check_is_possible(before.config, config)
        hide_secrets(config)
        after = before.next(loaded)
        await _check_clients(after, before)
        found = await self._store.run(functools.partial(returned, before=before.config, config=config, key=self._key))
        for trouble in found.troubles:
            log.error(
                "%s: the last 7 days are fetched from Routee again; until then no alert is reported as resolved",
                trouble,
            )

        def renewed() -> PipelineConfig:
            dispatch = continued_dispatch(config, self._pipeline.dispatch)
            anew = after.asks_otherwise(before)
            desks = renewed_desks(self._pipeline.desks, config, after.rules, after.templates, found, anew)
            return PipelineConfig(desks, dispatch, config.retention)

        await self._pipeline.renew(renewed)
        self._present = after
        self._take_up(outbox, before)
        with contextlib.suppress(StoreError):  # the pipeline complains of it, and makes up for it as soon as it can
            await self._pipeline.begin()
        reloads.taken_up(config)
        _log_changes(before, after)

    def _take_up(self, outbox: Outbox, before: RuntimeConfig) -> None:
        """Let everything follow the configuration that is in force now."""
        after = self._present
        self._health.reloaded(after.searches)
        self._observe(self._pipeline.desks.values())
        self._channels.watch(after.channels)
        outbox.assign(after.notified.notifiers)
        if self._front is not None:
            self._front.take_up(after.config)
        self._assign(outbox)

    # For people and supervisors

    async def _tell_systemd(self) -> None:
        """A line for `systemctl status`, and the watchdog, which is fed only while every loop makes progress."""
        pause = (self._systemd.watchdog or 20 * SECOND) / 2 / SECOND
        while True:
            stuck = self._health.stuck()
            if not stuck:
                self._systemd.alive()
            self._systemd.status(stuck[0] if stuck else self._status())
            await trio.sleep(min(pause, 10))

    def _status(self) -> str:
        desks = self._pipeline.desks.values()
        alerts = [alert for desk in desks for some in desk.judge.alerts.values() for alert in some.values()]
        firing = sum(alert.state == "firing" for alert in alerts)
        oldest = min((cursor.as_of for desk in desks for cursor in desk.judge.cursors.values()), default=None)
        lag = "" if oldest is None else f", {max(self._clock.now() - oldest, 0) // SECOND}s behind"
        return f"{len(self._present.config.searches)} searches, {firing} alerts firing{lag}"


async def _check_clients(after: RuntimeConfig, before: RuntimeConfig) -> None:
    """Raises RouteeError where an account that is new or changed cannot have a client at all."""
    for account in after.config.accounts:
        if account not in before.config.accounts:
            async with routee_client(account, SystemClock()):
                pass


def _log_changes(before: RuntimeConfig, after: RuntimeConfig) -> None:
    found = [str(change) for change in changes(before.settings, after.settings)]
    found += [] if after.templates is before.templates else ["templates changed"]
    more = f" and {len(found) - MOST_CHANGES} more" if len(found) > MOST_CHANGES else ""
    log.info("reloaded: %s%s", ", ".join(found[:MOST_CHANGES]) or "nothing has changed", more)
