"""The listener's application: pages and APIs over the pipeline, rebuilt when a reload changes their settings."""

import logging
import secrets
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from monitor.config.monitor import Config, Web
from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.callback_inbox import CallbackInbox
from monitor.daemon.delivery_actions import DeliveryActions
from monitor.daemon.http.alert_pages import AlertPages
from monitor.daemon.http.alertmanager_api import AlertmanagerApi, ApiStatus
from monitor.daemon.http.app import make_app
from monitor.daemon.http.callbacks import CallbackApi
from monitor.daemon.http.campaign_pages import CampaignPages
from monitor.daemon.http.delivery_pages import DeliveryPages
from monitor.daemon.http.event_streams import EventStreams
from monitor.daemon.http.fair_queue import ExpensiveQueue
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.incident_pages import IncidentPages
from monitor.daemon.http.login_pages import LoginPages
from monitor.daemon.http.logouts import Logouts
from monitor.daemon.http.masthead import masthead_of
from monitor.daemon.http.now_page import NowPage
from monitor.daemon.http.own_api import OwnApi
from monitor.daemon.http.read_api import ReadApi
from monitor.daemon.http.routing_yaml import routing_as_yaml
from monitor.daemon.http.rule_pages import RulePages
from monitor.daemon.http.sessions import BrowserSessions
from monitor.daemon.http.silence_pages import SilencePages
from monitor.daemon.overview import Overview, overview
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.model.privacy import RecipientMask
from monitor.runtime.checkpoints import with_checkpoints
from monitor.runtime.clock import SECOND, Instant, iso
from monitor.runtime.errors import StoreBusy, StoreError
from monitor.store.async_store import AsyncStore

log = logging.getLogger("monitor")


class ReloadableApp:
    """An application that a reload can replace; each request stays with the one that it began with."""

    def __init__(
        self,
        web: Web,
        config: Config,
        pipeline: Pipeline,
        store: AsyncStore,
        reader: DaemonReader,
        inbox: CallbackInbox | None = None,
        fleet: Callable[[], dict[str, Any]] | None = None,
        key: bytes = b"",
    ) -> None:
        """``fleet`` returns the daemons that share the store, as JSON has them. ``key`` is the store's, for what browsers are given."""
        services = pipeline.services
        self._inbox = inbox or CallbackInbox(pipeline, store, RecipientMask)
        self._fleet = fleet
        self._reader, self._delivery = reader, DeliveryActions(store, services)
        self._pipeline, self._actions = pipeline, AlertActions(pipeline)
        self._clock, self._health, self._metrics = services.clock, services.health, services.metrics
        self._api_status = ApiStatus(self._metrics.version, (), "", since=self._clock.now())
        self._expensive, self._from_store = ExpensiveQueue(), ExpensiveQueue()
        self._sessions = BrowserSessions(
            wrong=self._metrics.wrong_token,
            wall=self._clock.now,
            key=key or secrets.token_bytes(32),
            may_forget=lambda: self._clock.may_forget,
        )
        self.logouts = Logouts(self._sessions, store)
        self._tls = web.tls
        self._access = ("", False)
        self._streams = EventStreams(lambda: pipeline.news, self._clock)
        self._app = self._build(web, config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes of everything that is answered now."""
        return self._app.routes

    def tls(self) -> ssl.SSLContext | None:
        """Returns with what new connections speak TLS; None: they do not."""
        return None if self._tls is None else self._tls.certificate.context

    def reload(self, config: Config) -> None:
        """Applies the configuration from now on. Open connections keep the certificate with which they began."""
        if config.web is not None:
            self._tls = config.web.tls
            self._app = self._build(config.web, config)

    def _warn_of_certificate(self) -> None:
        why = "" if self._tls is None else self._tls.certificate.warning(self._clock.now() / SECOND)
        if why:
            log.warning("web.tls.cert_file: %s", why)

    def _build(self, web: Web, config: Config) -> Starlette:
        self._warn_of_certificate()
        api_status = self._api_status_of(web, config)
        token = web.token.get_secret_value() if web.token else ""
        self._sessions.end_others(token)
        if (access := (token, web.protect_reads)) != self._access:
            self._access = access
            self._streams.end_all()
        actions, clock, expensive = self._actions, self._clock, self._expensive
        masthead = partial(masthead_of, config, self._pipeline, self._health, api_status.version, self._fleet)
        html = HtmlPages(urlsplit(api_status.external_url).path.rstrip("/"), masthead)
        callback_secrets = {
            account.name: account.callback_secret.get_secret_value()
            for account in config.accounts
            if account.callback_secret is not None
        }
        self._metrics.pushed_to(callback_secrets)
        hosts = web.names(api_status.external_url)
        self.callbacks = CallbackApi(self._inbox, callback_secrets, self._metrics, hosts)
        apis = [
            *self.callbacks.routes(),
            *html.routes(),
            *LoginPages(token, api_status.external_url, html, self.logouts.stored).routes(),
            *self._streams.routes(),
            *NowPage(config, actions, self._reader, html, expensive, self._fleet).routes(),
            *AlertPages(actions, clock, token, api_status.external_url, expensive, html, self._reader).routes(),
            *RulePages(self._reader, html, expensive).routes(),
            *CampaignPages(self._reader, html, expensive).routes(),
            *IncidentPages(self._reader, html).routes(),
            *SilencePages(actions, clock, token, api_status.external_url, expensive, html).routes(),
            *DeliveryPages(
                self._reader,
                self._delivery.retry_dead_letters,
                token,
                api_status.external_url,
                expensive,
                html,
            ).routes(),
            *AlertmanagerApi(actions, api_status, clock, token, self._health.warnings, expensive).routes(),
            *OwnApi(actions, clock, token, partial(self._status, config), expensive).routes(),
            *ReadApi(self._reader, self._delivery, token, api_status.version, self._from_store).routes(),
        ]
        return make_app(
            self._health,
            self._metrics,
            token=token,
            protect_reads=web.protect_reads,
            hosts=hosts,
            apis=apis,
            expensive=expensive,
            sessions=self._sessions,
            external_url=api_status.external_url,
            html=html,
            fleet=self._fleet,
        )

    async def _status(self, config: Config) -> dict[str, Any]:
        """Returns the daemon's status; leaves out what only the store knows if the store cannot be read."""
        counts: dict[str, int] = {}
        outbox: dict[tuple[str, str], tuple[int, Instant]] = {}
        broken: list[str] = []
        try:
            counts, outbox = await self._reader.reads.run(lambda store: (store.counts(), store.backlog()))
        except StoreBusy:
            raise
        except StoreError as error:
            broken = [str(error)]
        async with self._expensive.alone():
            return await self._overview(config, counts, outbox, broken)

    async def _overview(
        self,
        config: Config,
        counts: dict[str, int],
        outbox: dict[tuple[str, str], tuple[int, Instant]],
        broken: list[str],
    ) -> dict[str, Any]:
        pipeline, health = self._pipeline, self._health
        snapshot = Overview(
            list(pipeline.known_cursors()),
            [(one.state, one.view) async for one in with_checkpoints((await self._actions.status()).alerts())],
            pipeline.dispatcher.silences.all(),
            list({**pipeline.elsewhere.acks, **pipeline.dispatcher.acks}.values()),
            counts,
            outbox,
            {(one.account, one.name): health.trouble_of(one.account, one.name) for one in config.searches},
            self._reader.searches.unread(),
        )
        process = {"running": True, "version": self._api_status.version, "since": iso(self._api_status.since)}
        known = health.beside_searches()
        unread = [why for why in broken if not any(why in one for one in known)]
        fleet = {} if self._fleet is None else {"fleet": self._fleet()}
        overall = overview(config, snapshot, self._clock.now())
        return process | overall | fleet | {"warnings": [*known, *unread]}

    def _api_status_of(self, web: Web, config: Config) -> ApiStatus:
        receivers = tuple(receiver.name for receiver in config.receivers)
        routing = routing_as_yaml(config.route_tree(), receivers, config.inhibitions)
        return replace(self._api_status, receivers=receivers, routing=routing, external_url=web.external_url or "")
