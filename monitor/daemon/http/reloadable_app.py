"""The listener's application: pages and APIs over the pipeline, rebuilt when a reload changes their settings."""

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.config.monitor import Config, Web
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.http.alert_pages import AlertPages
from monitor.daemon.http.alertmanager_api import AlertmanagerApi, ApiStatus
from monitor.daemon.http.app import make_app
from monitor.daemon.http.fair_queue import Dear
from monitor.daemon.http.own_api import OwnApi
from monitor.daemon.http.routing_yaml import original
from monitor.daemon.overview import Overview, overview
from monitor.daemon.pipeline import Pipeline
from monitor.runtime.clock import Instant, iso
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore


class ReloadableApp:
    """An application that can be put in another's place; each request stays with the one that it began with."""

    def __init__(self, web: Web, config: Config, pipeline: Pipeline, store: AsyncStore) -> None:
        services = pipeline.services
        self._pipeline, self._actions, self._store = pipeline, AlertActions(pipeline), store
        self._clock, self._health, self._metrics = services.clock, services.health, services.metrics
        self._about = ApiStatus(self._metrics.version, (), "", since=self._clock.now())
        self._dear, self._counting = Dear(), trio.Lock()
        self._app: ASGIApp = self._made(web, config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def take_up(self, config: Config) -> None:
        """Applies the configuration from now on."""
        if config.web is not None:
            self._app = self._made(config.web, config)

    def _made(self, web: Web, config: Config) -> ASGIApp:
        about = self._about_it(web, config)
        token = web.token.get_secret_value() if web.token else ""
        actions, clock, dear = self._actions, self._clock, self._dear
        apis = [
            *AlertPages(actions, clock, token, about.external_url, dear).routes(),
            *AlertmanagerApi(actions, about, clock, token, self._health.warnings, dear).routes(),
            *OwnApi(actions, clock, token, partial(self._status, config), dear).routes(),
        ]
        hosts = (web.host, urlsplit(about.external_url).hostname or "", *web.allowed_hosts)
        return make_app(
            self._health,
            self._metrics,
            token=token,
            protect_reads=web.protect_reads,
            hosts=hosts,
            apis=apis,
            dear=dear,
        )

    async def _status(self, config: Config) -> dict[str, Any]:
        """Returns the daemon's status; leaves out what only the store knows if the store cannot be read."""
        counts: dict[str, int] = {}
        outbox: dict[tuple[str, str], tuple[int, Instant]] = {}
        broken: list[str] = []
        try:
            async with self._counting:  # one at a time: the store is there for polls and notifications
                counts, outbox = await self._store.run(lambda store: (store.counts(), store.backlog()))
        except StoreError as error:
            broken = [str(error)]
        async with self._dear.alone():
            return self._overview(config, counts, outbox, broken)

    def _overview(
        self,
        config: Config,
        counts: dict[str, int],
        outbox: dict[tuple[str, str], tuple[int, Instant]],
        broken: list[str],
    ) -> dict[str, Any]:
        pipeline, health = self._pipeline, self._health
        stand = Overview(
            list(pipeline.cursors()),
            [(one.state, one.view) for one in self._actions.status().alerts()],
            pipeline.dispatcher.silences.all(),
            list(pipeline.dispatcher.acks.values()),
            counts,
            outbox,
        )
        about = {"running": True, "version": self._about.version, "since": iso(self._about.since)}
        trouble = {"warnings": [*health.stuck(), *health.unready(), *broken, *health.warnings()]}
        return about | overview(config, stand, self._clock.now()) | trouble

    def _about_it(self, web: Web, config: Config) -> ApiStatus:
        receivers = tuple(receiver.name for receiver in config.receivers)
        routing = original(config.route_tree(), receivers, config.inhibitions)
        return replace(self._about, receivers=receivers, routing=routing, external_url=web.external_url or "")
