"""Wires the daemon's parts together: what exists once, which tasks run, and what follows the configuration.

    store → windows, alerts, groups      per account: Routee client → polling → pipeline → outbox
    outbox → delivery → channels         listener: health, metrics, APIs  timers: groups that are due, pruning, systemd

The daemon starts from the last commit (`monitor.daemon.startup`). A reload (`monitor.daemon.reload`) replaces what is built from the
configuration (`monitor.daemon.runtime_config`); the store, the windows, the outbox and the listener stay. When the daemon is stopped, polling ends
at once, and deliveries under way get a few seconds.
"""

import gc
import logging
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from monitor.config.settings import Settings
from monitor.daemon import flush_timer, retention
from monitor.daemon.account_tasks import AccountSupervisor
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.alertmanager_tasks import pushing
from monitor.daemon.callback_inbox import CallbackInbox
from monitor.daemon.catch_up import CatchUp
from monitor.daemon.channel_health import DELIVERY, ChannelWatch
from monitor.daemon.delivery_counters import MOST_PAIRS
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.daemon.health import Health
from monitor.daemon.internal_errors import InternalErrors
from monitor.daemon.metrics import Metrics
from monitor.daemon.past_work import work_through_the_past
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.reload import Reloader, Reloads
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.services import Services
from monitor.daemon.slack_actions import button_tasks
from monitor.daemon.startup import restored_pipeline
from monitor.daemon.systemd_status import SystemdStatus
from monitor.daemon.unread_messages import unread_messages
from monitor.model.plurals import plural
from monitor.model.privacy import RecipientMask
from monitor.notify.outbox import Outbox, deliver
from monitor.runtime.clock import MINUTE, Clock
from monitor.runtime.dataclass import dataclass
from monitor.runtime.sd_notify import Systemd
from monitor.runtime.task_supervisor import TaskSpec, TaskSupervisor, run_until
from monitor.store.async_store import AsyncStore
from monitor.window.malloc_trim import trim_heap

if TYPE_CHECKING:
    from monitor.daemon.fleet.async_leases import AsyncLeases
    from monitor.daemon.fleet.member import FleetMember
    from monitor.daemon.http.reloadable_app import ReloadableApp

log = logging.getLogger("monitor")
_LONG_FIRST_POLLS: Final = 10.0
"""Seconds after which the pages are compiled although the first polls are not through."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started daemon: the URL that it listens on (empty: none) and its pipeline."""

    url: str
    pipeline: Pipeline


class Daemon:
    """The parts of one run. ``_present`` is the configuration in force."""

    def __init__(
        self, present: RuntimeConfig, store: AsyncStore, clock: Clock, live: Callable[[str], None] | None
    ) -> None:
        self._present, self._store, self._clock = present, store, clock
        self._metrics, self._health, self._outbox = Metrics(clock), Health(), Outbox()
        self._internal_errors = InternalErrors(clock)
        self._counted: set[str] = set()
        """The held accounts whose pairs of country and operator have their counters."""
        self._catch_up, failed = CatchUp(clock, live), self._internal_errors.failed
        self._services = Services(clock, self._metrics, self._health, self._outbox.wake, self._catch_up.reached, failed)
        self._app: ReloadableApp | None = None
        self._tasks: TaskSupervisor | None = None
        self._unpolled = UnpolledAccounts()
        self._member: FleetMember | None = None
        self._has_listened = trio.Event()
        self.has_begun = False
        """Whether the start was complete."""

    async def run(
        self, systemd: Systemd, reloads: Reloads | None, stop: trio.Event, task_status: trio.TaskStatus[Running]
    ) -> None:
        """Runs until ``stop`` is set. Raises StoreError or ListenError if it cannot start."""
        if not await self._restored_before(stop):
            log.info("stopping")
            systemd.stopping("draining")
            if self._member is not None:
                await self._member.close()
            log.info("stopped")
            return
        try:
            await self._run(systemd, reloads, stop, task_status)
        finally:
            if self._member is not None:
                await self._member.close()
        log.info("stopped")

    async def _run(
        self, systemd: Systemd, reloads: Reloads | None, stop: trio.Event, task_status: trio.TaskStatus[Running]
    ) -> None:
        status = SystemdStatus(systemd, self._pipeline, lambda: self._present)
        stop_listening = trio.Event()
        async with trio.open_nursery() as services:
            url = await self._listen(services, stop_listening)
            await services.start(self._deliver, name="deliver")
            async with trio.open_nursery() as work:
                self._begin(work, status)
                if self._member is not None:  # each account is polled as soon as it is adopted
                    await self._member.start(services, stop)
                    self._health.searches(self._held_searches)
                if not stop.is_set():  # otherwise it was stopped while it still started
                    self._begin_following(work, status, reloads)
                    status.ready()
                    log.info("%s", watched(self._present.settings))
                    self.has_begun = True
                    task_status.started(Running(url, self._pipeline))
                await stop.wait()
                log.info("stopping")
                status.stopping()
                if self._member is not None:
                    self._member.settle()
                work.cancel_scope.cancel()
            self._tasks = None
            self._outbox.stop()
            stop_listening.set()

    # Starting

    async def _restored_before(self, stop: trio.Event) -> bool:
        """Restores the daemon; returns False if it is to stop before that is done. Raises StoreError."""
        failed: list[Exception] = []

        async def restore() -> None:
            try:
                await self._restore()
            except Exception as error:  # noqa: BLE001 - it is raised below as it is, and not as one of a group
                failed.append(error)

        await run_until(stop, restore)
        for error in failed:
            raise error
        return not stop.is_set()

    async def _restore(self) -> None:
        found, leases = self._store.leases(), None
        if found is not None:
            from monitor.daemon.fleet.async_leases import AsyncLeases

            leases = AsyncLeases(found)
        try:
            await self._restore_parts(leases)
        except BaseException:
            if leases is not None:
                await leases.withdraw()
            raise

    async def _restore_parts(self, leases: "AsyncLeases | None") -> None:
        gc.disable()  # restored objects stay alive, so collecting garbage among them is useless, now and later
        try:
            self._key = await self._store.secret("recipients")
            self._browser_key = await self._store.secret("browsers")
            if leases is not None:
                self._store.hold({})
            held = None if leases is None else ()
            self._pipeline = await restored_pipeline(self._store, self._present, self._services, self._key, held)
            self._health.unread_messages(lambda: unread_messages(self._pipeline.accounts.values()))
            self._metrics.dead_letters(await self._store.dead_letters())
            self._inbox = CallbackInbox(self._pipeline, self._store, self._privacy)
            self._accounts = AccountSupervisor(
                self._present.config, self._pipeline, self._internal_errors.keep_going, self._works, self._unpolled
            )
            if leases is not None:
                from monitor.daemon.fleet.member import FleetMember

                self._member = FleetMember(
                    leases,
                    self._store,
                    self._pipeline,
                    self._outbox.gate,
                    self._inbox,
                    self._accounts,
                    lambda: self._present,
                    self._key,
                    self._accounts_changed,
                    self._unpolled,
                    self._read_logouts,
                    self._outbox.ending,
                )
            self._observe()
        finally:
            gc.enable()
        gc.freeze()

    def _privacy(self) -> RecipientMask:
        return RecipientMask(self._present.config.privacy.recipients, self._key)

    async def _deliver(self, task_status: trio.TaskStatus[Outbox] = trio.TASK_STATUS_IGNORED) -> None:
        await deliver(
            self._store,
            self._present.notifiers.by_channel,
            self._clock,
            outbox=self._outbox,
            observer=self._metrics,
            keep_going=self._internal_errors.keep_going,
            task_status=task_status,
        )
        await self._has_listened.wait()
        if self._member is not None:  # only now nothing is under way for any account, and nobody can ask for a change
            self._member.leave()

    async def _listen(self, nursery: trio.Nursery, stop: trio.Event) -> str:
        config = self._present.config
        if config.web is None:
            self._has_listened.set()
            return ""
        from monitor.daemon.http.reloadable_app import ReloadableApp
        from monitor.daemon.http.server import serve
        from monitor.daemon.read.daemon_reader import DaemonReader

        reader = DaemonReader(self._pipeline, self._store, lambda: self._present.settings, self._outbox)
        fleet = None if self._member is None else self._member.described
        app = self._app = ReloadableApp(
            config.web, config, self._pipeline, self._store, reader, self._inbox, fleet, self._browser_key
        )
        await app.logouts.read()
        listen = partial(
            serve,
            app,
            config.web.listen,
            stop=stop,
            callbacks=lambda: app.callbacks,
            tls=app.tls,
            answered=self._metrics.answered,
        )

        async def listen_until_stopped(task_status: trio.TaskStatus[str]) -> None:
            await listen(task_status=task_status)
            self._has_listened.set()

        url: str = await nursery.start(listen_until_stopped, name="listener")
        log.info("listening on %s", url)
        return url

    async def _read_logouts(self) -> None:
        if self._app is not None:
            await self._app.logouts.read()

    def _begin(self, work: trio.Nursery, status: SystemdStatus) -> None:
        """Starts the tasks that work for accounts in ``work``."""
        keep_going, health = self._internal_errors.keep_going, self._health
        self._tasks = TaskSupervisor(work, keep_going)
        self._channels = ChannelWatch(self._pipeline, self._outbox, self._present.channels)
        self._assign()
        health.expect(DELIVERY, MINUTE)
        health.expect(flush_timer.GROUPS, flush_timer.SLOWEST)
        health.expect(retention.LOOP, retention.SLOWEST)
        prune = partial(
            retention.run_retention,
            self._store,
            self._clock,
            self._metrics,
            health,
            lambda: self._present.config.retention,
        )
        tasks: dict[str, Callable[[], Awaitable[object]]] = {
            "groups": partial(flush_timer.flush_when_due, self._pipeline),
            "channels": self._channels.run,
            "past": partial(work_through_the_past, self._pipeline),
            "callbacks": self._inbox.run,
            "rules on what was pushed": self._inbox.evaluate,
            retention.LOOP: prune,
            "systemd": status.run,
        }
        if self._app is not None:
            tasks["logouts"] = self._app.logouts.run
        if self._member is not None:
            tasks["fleet"] = self._member.follow
        for name, task in tasks.items():
            work.start_soon(keep_going, name, task, name=name)
        work.start_soon(self._internal_errors.watch, self._pipeline, name="internal errors")

    def _begin_following(self, work: trio.Nursery, status: SystemdStatus, reloads: Reloads | None) -> None:
        """Starts the tasks that show what other daemons hold, and follow the files of the configuration, in ``work``."""
        tasks: dict[str, Callable[[], Awaitable[object]]] = {}
        if self._member is not None:
            tasks["accounts of others"] = self._member.read_others
            tasks["accounts left to others"] = self._member.probe
            tasks["rules of others"] = self._member.announce_rules
            tasks["removed accounts"] = self._member.look_for_removed
        if reloads is not None:
            reloader = Reloader(
                reloads, self._store, self._pipeline, self._key, lambda: self._present, self._follow, status
            )
            tasks["reload"] = reloader.run
            tasks["files"] = partial(reloads.watch, lambda: self._present.config)
        for name, task in tasks.items():
            work.start_soon(self._internal_errors.keep_going, name, task, name=name)
        if self._app is not None:
            work.start_soon(self._prepare_pages, name="pages")

    async def _prepare_pages(self) -> None:
        """Compiles the pages' templates once the first polls are through, which need the processor more, or are long in coming."""
        from monitor.daemon.http import html_pages

        with trio.move_on_after(_LONG_FIRST_POLLS):
            await self._health.first_polls.wait()
        await trio.to_thread.run_sync(html_pages.prepare, abandon_on_cancel=True)
        trim_heap()

    # Following the configuration

    def _follow(self, present: RuntimeConfig) -> None:
        """Applies the configuration to everything outside the pipeline."""
        self._present = present
        self._unpolled.reconsider()
        self._health.reloaded(self._held_searches)
        self._observe()
        self._channels.watch(present.channels)
        self._outbox.assign(present.notifiers.by_channel)
        if self._app is not None:
            self._app.reload(present.config)
        self._assign()

    def _observe(self) -> None:
        self._metrics.receivers(self._present.channels)
        self._metrics.rules(rule.name for rule in self._present.settings.rules)
        self._metrics.reloaded(successful=True)
        self._observe_accounts()

    def _observe_accounts(self) -> None:
        self._catch_up.keep(self._pipeline.accounts)
        self._metrics.searches(self._held_searches)
        held = self._pipeline.accounts
        for name in held.keys() - self._counted:
            self._metrics.delivery.begin(name, held[name].pairs(MOST_PAIRS))
        self._counted = set(held)
        for cursor in self._pipeline.cursors():
            self._metrics.watermark(cursor.account, cursor.search, cursor.as_of)

    # Following the accounts that this daemon holds

    def _works(self, account: str) -> bool:
        return self._member is None or self._member.works(account)

    @property
    def _held_searches(self) -> list[tuple[str, str]]:
        return [search for search in self._present.searches if search[0] in self._pipeline.accounts]

    def _accounts_changed(self) -> None:
        left = self._unpolled.left_to_others
        self._health.accounts(self._held_searches, [search for search in self._present.searches if search[0] in left])
        try:
            self._observe_accounts()
        except Exception as error:  # noqa: BLE001 - whatever it is of one account, the tasks of all have to follow
            self._services.internal_error("the metrics of the accounts", error)
        self._assign()

    def _assign(self) -> None:
        """Has the tasks follow the configuration and the accounts, while there are tasks."""
        if self._tasks is not None:
            self._tasks.assign(self._configured_tasks())

    def _configured_tasks(self) -> Iterator[TaskSpec]:
        """Yields the tasks that the configuration determines."""
        config = self._present.config
        yield from self._accounts.specs(config)
        yield from pushing(config, lambda: self._present.settings, self._pipeline, self._outbox)
        if config.report is not None:
            from monitor.daemon.morning_report import report_task  # with all that makes and renders reports

            yield report_task(config.report, lambda: self._present.settings, self._pipeline)
        yield from button_tasks(config, AlertActions(self._pipeline), self._clock)


def watched(settings: Settings) -> str:
    """Returns for example ``watching 2 searches with 20 rules (3 more are switched off)``."""
    searches, enabled = len(settings.config.searches), sum(rule.enabled for rule in settings.rules)
    off = len(settings.rules) - enabled
    more = f" ({off} more {'is' if off == 1 else 'are'} switched off)" if off else ""
    return f"watching {searches} {'search' if searches == 1 else 'searches'} with {plural(enabled, 'rule')}{more}"
