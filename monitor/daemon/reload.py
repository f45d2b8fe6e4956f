"""Reloads the configuration without a restart: requests for it, reading the files, and applying them."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import trio

from monitor.config.monitor import Config
from monitor.config.watched_files import files_of, stamp
from monitor.daemon.account_client import hide_secrets, routee_client
from monitor.daemon.config_diff import check_is_possible, log_changes
from monitor.daemon.pipeline import Pipeline, PipelineConfig
from monitor.daemon.restore import reloaded_accounts, reloaded_dispatcher, returned
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.startup import log_damage
from monitor.daemon.systemd_status import SystemdStatus
from monitor.daemon.validate import SettingsWithTemplates, load
from monitor.runtime.clock import SystemClock
from monitor.runtime.environment_values import named
from monitor.runtime.errors import MonitorError, StoreError
from monitor.store.async_store import AsyncStore

CHECK_EVERY: Final = 3.0
"""Seconds between two checks of the files. They are taken up once two checks in a row have found the same, so that no half-written file is."""

log = logging.getLogger("monitor")


@dataclass(slots=True)
class Reloads:
    """Where a daemon's configuration comes from, and who asks for it to be read again. `ask` may be called at any time: what is asked for
    while nobody listens, or while a reload is under way, is done afterwards, once.

    ``taken_up`` is told of each configuration that the daemon goes on with: for what is set outside of it, such as the log.
    """

    path: Path
    environ: Mapping[str, str]
    taken_up: Callable[[Config], None] = lambda config: None
    check_every: float = CHECK_EVERY
    _wish: trio.Event = field(default_factory=trio.Event)

    def ask(self) -> None:
        """Read everything again."""
        self._wish.set()

    async def asked(self) -> None:
        """Until somebody asks, or has asked since this was last waited for."""
        await self._wish.wait()
        self._wish = trio.Event()

    def read(self) -> SettingsWithTemplates:
        """Reads the configuration files. Blocking. Raises InputError with every problem of every file."""
        return load(self.path, self.environ)

    async def watch(self, present: Callable[[], Config]) -> None:
        """Ask whenever a file has changed that the ``present`` configuration comes from, for as long as that wishes it so."""
        known = taken = await self._stamp(present())
        while True:
            await trio.sleep(self.check_every)
            config = present()
            if not config.reload.watch:
                taken = known = None
                continue
            found = await self._stamp(config)
            taken = found if taken is None else taken
            if found == known != taken:
                taken = found
                self.ask()
            known = found

    async def _stamp(self, config: Config) -> object:
        files = files_of(self.path, config, self.environ)
        return await trio.to_thread.run_sync(stamp, files, abandon_on_cancel=True)


class Reloader:
    """Puts what is written in force whenever somebody asks for it; where that cannot be, all stays as it is.

    ``present`` is the configuration that is in force. ``follow`` makes everything outside the pipeline follow another one.
    """

    def __init__(
        self,
        reloads: Reloads,
        store: AsyncStore,
        pipeline: Pipeline,
        key: bytes,
        present: Callable[[], RuntimeConfig],
        follow: Callable[[RuntimeConfig], None],
        status: SystemdStatus,
    ) -> None:
        self._reloads, self._store, self._pipeline, self._key = reloads, store, pipeline, key
        self._present, self._follow, self._status = present, follow, status

    async def run(self) -> None:
        """Reloads on every request until it is stopped."""
        health = self._pipeline.services.health
        while True:
            await self._reloads.asked()
            self._status.reloading()
            try:
                await self._reload()
            except MonitorError as error:
                self._refused(str(error))
            # Reading is much code over much that people write: whatever it raises, the daemon goes on with what it has.
            except Exception as error:
                log.exception("reading the configuration failed unexpectedly")
                self._refused(f"reading it failed ({type(error).__name__}); please report this")
            else:
                health.reload_failed()
            self._status.ready()

    def _refused(self, why: str) -> None:
        first, *others = named(why).splitlines()
        for line in (first, *others):
            log.error("the changed configuration has errors, the previous one stays in use: %s", line)
        more = f" (and {len(others)} more; the log has all)" if others else ""
        self._pipeline.services.health.reload_failed(first + more)
        self._pipeline.services.metrics.reloaded(successful=False)

    async def _reload(self) -> None:
        """Raises MonitorError, and then nothing has changed."""
        before = self._present()
        loaded = await trio.to_thread.run_sync(self._reloads.read, abandon_on_cancel=True)
        config = loaded.settings.config
        check_is_possible(before.config, config)
        hide_secrets(config)
        after = before.next(loaded)
        await _check_clients(after, before)
        found = await self._store.run(partial(returned, before=before.config, config=config, key=self._key))
        for damage in found.troubles:
            log_damage(damage)

        def reloaded() -> PipelineConfig:
            dispatcher = reloaded_dispatcher(config, self._pipeline.dispatcher)
            afresh = after.asks_otherwise(before)
            accounts = reloaded_accounts(self._pipeline.accounts, config, after.rules, after.templates, found, afresh)
            return PipelineConfig(accounts, dispatcher, config.retention)

        await self._pipeline.reload(reloaded)
        self._follow(after)
        with contextlib.suppress(StoreError):  # the pipeline says so, and makes up for it as soon as it can
            await self._pipeline.begin()
        self._reloads.taken_up(config)
        log_changes(before, after)


async def _check_clients(after: RuntimeConfig, before: RuntimeConfig) -> None:
    """Raises RouteeError where an account that is new or changed cannot have a client at all."""
    for account in after.config.accounts:
        if account not in before.config.accounts:
            async with routee_client(account, SystemClock()):
                pass
