"""The daemon: everything wired together in one nursery.

    store → windows, alerts, groups      per account: Routee client → polling → pipeline → outbox
    outbox → delivery → channels         listener: health, metrics        timers: groups that are due, pruning, systemd

It starts with what the last commit left. When it is told to stop, polling ends at once, deliveries under way get a few
seconds, and then the store is closed.
"""

import functools
import gc
import logging
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TextIO

import trio

from monitor.accounts import hide_secrets, routee_client
from monitor.alertmanagers import pushers
from monitor.buttons import Buttons
from monitor.channels import ChannelWatch
from monitor.clock import HOUR, MINUTE, SECOND, Clock, SystemClock
from monitor.complaint import Complaint
from monitor.config import Config, Search
from monitor.deliver import Outbox, deliver
from monitor.errands import run_errands
from monitor.errors import StoreError
from monitor.intake import AccountSink
from monitor.metrics import Metrics, PollOutcome
from monitor.notify.slack_socket import listen
from monitor.pipeline import Desk, Pipeline, Surroundings
from monitor.poll import Round, SearchPlan, poll_search
from monitor.receivers import notified, socket_apps
from monitor.render import Templates
from monitor.restore import (
    accounts_of,
    restored_dispatch,
    restored_judge,
    restored_or_empty,
    restored_window,
    without_cursors,
)
from monitor.sd_notify import Systemd
from monitor.settings import Settings
from monitor.store.opening import open_daemon_store
from monitor.store.protocol import HISTORY_KEPT
from monitor.store.thread import StoreFront
from monitor.view import Views
from monitor.web.alert_pages import AlertPages
from monitor.web.app import make_app
from monitor.web.health import Health
from monitor.web.original import original
from monitor.web.server import serve
from monitor.web.v1 import OwnApi
from monitor.web.v2 import About, AlertmanagerApi

__all__ = ["Running", "plan_of", "restored_judge", "restored_window", "routee_client", "run"]

log = logging.getLogger("monitor")

LOCK_PATIENCE = SECOND
"""Another program's lock on the store is waited for so long at a time: nothing else gets at the store meanwhile, nor does a stop."""
SLOWEST_PAGE = 10 * MINUTE
"""A search that has not so much as read a page for so long, and three intervals, is stuck."""
DELIVERY = "delivery"
"""The name of all channels' loops together, where signs of life are collected."""

MOST_DEAD = 5_000
"""So many dead letters that a store holds are counted: each is read for that."""


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
    task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until ``stop`` is set. Raises StoreError or ListenError where it cannot even start."""
    config, clock, systemd = settings.config, clock or SystemClock(), systemd or Systemd()
    hide_secrets(config)
    opening = functools.partial(open_daemon_store, config.store_path, clock.now(), busy_timeout=LOCK_PATIENCE)
    store, mishap = await trio.to_thread.run_sync(opening)
    if mishap is not None:
        log.error("%s", mishap)
    front = StoreFront(store)
    try:
        await _Daemon(settings, templates, front, clock, stream, systemd).run(stop, task_status)
    finally:
        with trio.CancelScope(shield=True):
            await front.close()


class _Daemon:
    """The parts of one run."""

    def __init__(
        self,
        settings: Settings,
        templates: Templates,
        store: StoreFront,
        clock: Clock,
        stream: TextIO,
        systemd: Systemd,
    ) -> None:
        self._config, self._rules = settings.config, settings.rules
        self._templates, self._store, self._clock = templates, store, clock
        self._stream, self._systemd = stream, systemd
        self._metrics, self._health = Metrics(clock), Health()
        self._outbox: Outbox | None = None
        self._around = Surroundings(clock, self._metrics, self._health, self._wake)

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
            channels = notified(self._config, self._templates, self._clock, self._stream)
            deliver_to = functools.partial(deliver, observer=self._metrics)
            self._outbox = await services.start(deliver_to, self._store, channels, self._clock, name="deliver")
            watch = self._channel_watch(self._outbox)
            async with AsyncExitStack() as clients, trio.open_nursery() as work:  # polling ends before its clients do
                await self._start_polling(work, clients)
                work.start_soon(pipeline.flush_when_due, name="groups")
                work.start_soon(watch.run, name="channels")
                self._start_pushing(work, self._outbox)
                work.start_soon(self._keep_house, name="housekeeping")
                work.start_soon(self._tell_systemd, name="systemd")
                self._systemd.ready(self._status())
                log.info("watching %d searches with %d rules", len(self._config.searches), len(self._rules))
                task_status.started(Running(url, pipeline))
                await stop.wait()
                log.info("stopping")
                self._systemd.stopping("draining")
                work.cancel_scope.cancel()
            self._outbox.stop()
            stop_listening.set()
        log.info("stopped")

    def _wake(self) -> None:
        if self._outbox is not None:
            self._outbox.wake()

    def _channel_watch(self, outbox: Outbox) -> ChannelWatch:
        health, metrics = self._health, self._metrics
        health.expect(DELIVERY, MINUTE)

        def report(failing: Mapping[tuple[str, str], str]) -> None:
            health.channels(failing)
            metrics.failing(failing)

        alive = functools.partial(health.beat, DELIVERY)
        channels = [(one.name, channel) for one in self._config.receivers for channel, _ in one.channels]
        return ChannelWatch(self._pipeline, outbox, channels, self._clock, alive=alive, report=report)

    # Starting

    async def _restore(self) -> Pipeline:
        """The pipeline as the last commit left it."""
        config = self._config
        loaded = await self._store.load()
        key = await self._store.secret("recipients")
        desks = []
        for account in accounts_of(config, loaded):
            restoring = functools.partial(restored_or_empty, account=account, config=config, key=key)
            window, trouble = await self._store.run(restoring)
            if trouble:
                log.error("%s: Routee is asked for the last 7 days again, no alert is told as over before", trouble)
                loaded = without_cursors(loaded, account)
            judge = restored_judge(window, config, self._rules, loaded)
            desks.append(
                Desk(judge, Views(judge, self._templates, distinguish=len(config.accounts) > 1), facts_kept=judge.facts)
            )
        self._observe_from_start(desks)
        self._metrics.dead_letters(await self._dead_letters())
        pipeline = Pipeline(self._store, desks, restored_dispatch(config, loaded), config.retention, self._around)
        await pipeline.begin()
        return pipeline

    def _observe_from_start(self, desks: list[Desk]) -> None:
        searches = [(search.account, search.name) for search in self._config.searches]
        self._metrics.searches(searches)
        self._metrics.receivers((one.name, channel) for one in self._config.receivers for channel, _ in one.channels)
        self._health.searches(searches)
        for desk in desks:
            for cursor in desk.judge.cursors.values():
                self._metrics.watermark(cursor.account, cursor.search, cursor.as_of)

    async def _listen(self, nursery: trio.Nursery, stop: trio.Event) -> str:
        web = self._config.web
        if web is None:
            return ""
        token = web.token.get_secret_value() if web.token else ""
        about = _about(self._config, self._metrics.version)
        apis = [
            *AlertPages(self._pipeline, self._clock, token, about.external_url).routes(),
            *AlertmanagerApi(self._pipeline, about, self._clock, token).routes(),
            *OwnApi(self._pipeline, self._clock, token).routes(),
        ]
        app = make_app(self._health, self._metrics, token=token, protect_reads=web.protect_reads, apis=apis)
        url: str = await nursery.start(functools.partial(serve, app, web.listen, stop=stop), name="listener")
        log.info("listening on %s", url)
        return url

    async def _start_polling(self, nursery: trio.Nursery, clients: AsyncExitStack) -> None:
        for account in self._config.accounts:
            observe = functools.partial(self._metrics.request, account.name)
            client = await clients.enter_async_context(routee_client(account, self._clock, observe))
            sink = AccountSink(self._pipeline, account.name, self._around)
            judge = self._pipeline.desks[account.name].judge
            nursery.start_soon(run_errands, judge, client, self._clock, name=f"errands of account {account.name}")
            for search in self._config.searches:
                if search.account == account.name:
                    self._health.expect(_loop(search), SLOWEST_PAGE + 3 * search.every)
                    cursor = self._pipeline.desks[account.name].judge.cursors.get(search.name)
                    polling = functools.partial(
                        poll_search, plan_of(search), client, sink, self._clock, cursor, observer=_Polls(self, search)
                    )
                    nursery.start_soon(polling, name=_loop(search))

    def _start_pushing(self, nursery: trio.Nursery, outbox: Outbox) -> None:
        """Alertmanagers, and the buttons that are pressed in Slack."""
        for pusher in pushers(self._config, self._rules, self._pipeline, outbox, self._clock, self._metrics):
            nursery.start_soon(pusher.run, lambda: self._pipeline.news, name=f"push to {' '.join(pusher.name)}")
        for number, (token, api_url) in enumerate(socket_apps(self._config)):
            listening = functools.partial(
                listen, token, api_url, Buttons(self._pipeline, self._clock).press, self._clock
            )
            nursery.start_soon(listening, name=f"Slack's buttons {number}")

    # Timers

    async def _keep_house(self) -> None:
        """Forget what is old, and keep the metrics of the outbox true."""
        pruned_at = 0
        trouble = Complaint(log, "housekeeping in the store", self._clock, logging.ERROR)
        while True:
            try:
                now = self._clock.now()
                if now - pruned_at >= HOUR:
                    await self._store.prune(now - self._config.retention, now - HISTORY_KEPT)
                    self._metrics.dead_letters(await self._dead_letters())
                    pruned_at = now
                self._metrics.backlog(await self._store.backlog())
            except StoreError as error:
                trouble.arose(str(error))
                self._metrics.store_error()
            else:
                trouble.over()
            await trio.sleep(5)

    async def _dead_letters(self) -> Counter[tuple[str, str]]:
        """How many the store holds by receiver and channel."""
        count = min((await self._store.counts()).get("dead", 0), MOST_DEAD)
        dead = await self._store.parcels("dead", count) if count else []
        return Counter((parcel.notification.receiver, parcel.channel) for parcel in dead)

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
        return f"{len(self._config.searches)} searches, {firing} alerts firing{lag}"

    def finished(self, search: Search, figures: Round) -> None:
        """A poll or sweep of a search is over."""
        self._health.beat(_loop(search))
        if figures.kind == "poll":
            outcome: PollOutcome = "complete" if figures.outcome == "ok" else "failed"
            self._metrics.poll(search.account, search.name, outcome, figures.seconds)


@dataclass(frozen=True, slots=True)
class _Polls:
    """Tells the daemon of the rounds of one search."""

    daemon: _Daemon
    search: Search

    def finished(self, figures: Round) -> None:
        """See `monitor.poll.Observer`."""
        self.daemon.finished(self.search, figures)


def _loop(search: Search) -> str:
    return f"search {search.name} of account {search.account}"


def _about(config: Config, version: str) -> About:
    """What the API says of a daemon with that configuration."""
    receivers = tuple(receiver.name for receiver in config.receivers)
    routing = original(config.route_tree(), receivers, config.inhibitions)
    return About(version, receivers, routing, (config.web.external_url or "") if config.web is not None else "")


def plan_of(search: Search) -> SearchPlan:
    """A search as polling takes it."""
    resweeps = tuple((sweep.back, sweep.every) for sweep in search.resweep)
    return SearchPlan(search.account, search.name, search.question, search.every, resweeps, search.settle)
