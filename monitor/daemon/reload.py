"""Reloads the configuration without a restart: requests for it, reading the files, and applying them."""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Final

import trio

from monitor.config.monitor import Config
from monitor.config.watched_files import files_of, stamp
from monitor.daemon.account_client import routee_client
from monitor.daemon.config_diff import check_is_possible, log_changes
from monitor.daemon.file_reader import FileReader, FilesUnread
from monitor.daemon.hidden_secrets import hide_secrets
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.pipeline_commits import PipelineConfig
from monitor.daemon.restore import RestoredState, order_of, reloaded_accounts, reloaded_dispatcher, state_for_reload
from monitor.daemon.rule_sets import announced
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.startup import log_damage
from monitor.daemon.systemd_status import SystemdStatus
from monitor.daemon.validate import SettingsWithTemplates, load
from monitor.model.announced_rules import AnnouncedRules
from monitor.model.format import number
from monitor.runtime.clock import SystemClock
from monitor.runtime.dataclass import dataclass
from monitor.runtime.environment_values import named
from monitor.runtime.errors import MonitorError, StoreError
from monitor.store.async_store import AsyncStore

CHECK_EVERY: Final = 3.0
"""Seconds between two checks of the files. A change is loaded once two checks in a row find the same, so that no half-written file is."""

MOST_LOGGED: Final = 100
"""The most errors of changed files that are logged. There may be a hundred thousand, and each line is written while nothing else runs."""
AGAIN: Final = 60.0
"""Seconds after which files that did not answer are read again, if they are watched."""
_UNREAD: Final = "the configuration was not read, the previous one stays in use: %s"
_STAYS: Final = "the changed configuration has errors, the previous one stays in use: %s"

log = logging.getLogger("monitor")


@dataclass(slots=True)
class Reloads:
    """Where a daemon's configuration comes from, and the requests to reload it.

    `request` may be called at any time. Requests that come while nobody waits, or during a reload, lead to one more reload. ``on_reloaded`` is
    called with each configuration that was applied, for settings outside of the daemon, such as the log.
    """

    path: Path
    environ: Mapping[str, str]
    on_reloaded: Callable[[Config], None] = lambda config: None
    check_every: float = CHECK_EVERY
    _files: FileReader = field(default_factory=FileReader)
    _watched: FileReader = field(default_factory=lambda: FileReader(most=1))
    _requested: trio.Event = field(default_factory=trio.Event)
    _unwatched: bool = False
    _unread_at: float | None = None
    """When a reload ended because the files did not answer; None if the latest one was read."""

    def request(self) -> None:
        """Requests a reload."""
        self._requested.set()

    async def wait(self) -> None:
        """Waits until a reload is requested, or was since the last wait."""
        await self._requested.wait()
        self._requested = trio.Event()

    async def read(self) -> SettingsWithTemplates:
        """Reads the configuration files in a thread. Raises InputError with every problem of every file, and FilesUnread."""
        self._unread_at = None
        try:
            return await self._files.run(partial(load, self.path, self.environ))
        except FilesUnread:
            self._unread_at = trio.current_time()
            raise

    async def watch(self, present: Callable[[], Config]) -> None:
        """Requests a reload whenever a file of the ``present`` configuration has changed, while the configuration enables that; and again after
        `AGAIN` if the files did not answer."""
        known = taken = await self._stamp(present(), None)
        while True:
            await trio.sleep(self.check_every)
            config = present()
            if not config.reload.watch:
                taken = known = None
                continue
            found = await self._stamp(config, known)
            taken = found if taken is None else taken
            if found == known != taken or self._is_to_read_again:
                taken = found
                self.request()
            known = found

    @property
    def _is_to_read_again(self) -> bool:
        return self._unread_at is not None and not self._unwatched and trio.current_time() - self._unread_at >= AGAIN

    async def _stamp(self, config: Config, known: object) -> object:
        """Returns the stamp of the files; ``known`` if one does not answer: the log says so once, until they do again."""
        try:
            found = await self._watched.run(lambda: stamp(files_of(self.path, config, self.environ)))
        except FilesUnread as error:
            if not self._unwatched:
                log.error("whether the files of the configuration have changed is not known: %s", error)
            self._unwatched = True
            return known
        if self._unwatched:
            log.info("the files of the configuration are looked at again")
        self._unwatched = False
        return found


@dataclass(frozen=True, slots=True)
class _Reload:
    """A reload that is ready to be applied: the configuration in force, the next one, and what the store holds for its accounts."""

    before: RuntimeConfig
    after: RuntimeConfig
    found: RestoredState


class Reloader:
    """Applies the changed configuration on request; if it has errors, everything stays as it is.

    ``present`` returns the configuration in force. ``follow`` applies another one to everything outside the pipeline.
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
        while True:
            await self._reloads.wait()
            self._status.reloading()
            try:
                await self._reload()
            except FilesUnread as error:
                log.error(_UNREAD, error)
                self._pipeline.services.health.reload_failed(str(error), was_read=False)
                self._pipeline.services.metrics.reloaded(successful=False)
            except MonitorError as error:
                self._refused(str(error))
            # Whatever reading the files raises, the daemon continues with the previous configuration.
            except Exception as error:
                log.exception("reading the configuration failed unexpectedly")
                self._refused(f"reading it failed ({type(error).__name__}); please report this")
            self._status.ready()

    async def _reload(self) -> None:
        loaded = await self._reloads.read()  # before anything waits for this: files may take their time
        async with self._pipeline.membership:
            changed = await self._prepared(loaded)
            await self._put_in_force(changed)

    async def _put_in_force(self, changed: _Reload) -> None:
        """Applies a configuration that was read and checked. Whatever fails here, the daemon goes on."""
        health = self._pipeline.services.health
        try:
            await self._apply(changed)
        except Exception as error:
            log.exception("the changed configuration may be in use only in part")
            health.reload_failed(
                f"it may be in use only in part ({type(error).__name__}); restart the daemon, and please report this"
            )
            self._pipeline.services.metrics.reloaded(successful=False)
        else:
            health.reload_failed()

    def _refused(self, why: str) -> None:
        first, *others = named(why).splitlines()
        for line in (first, *others[: MOST_LOGGED - 1]):
            log.error(_STAYS, line)
        if (unlogged := len(others) + 1 - MOST_LOGGED) > 0:
            log.error(_STAYS, f"{number(unlogged)} more errors: `routee-monitor check` shows them all")
        where = "`routee-monitor check` shows them" if unlogged > 0 else "the log has all"
        more = f" (and {number(len(others))} more; {where})" if others else ""
        self._pipeline.services.health.reload_failed(first + more)
        self._pipeline.services.metrics.reloaded(successful=False)

    async def _prepared(self, loaded: SettingsWithTemplates) -> _Reload:
        """Checks what was read against what is in force, and changes nothing. Raises MonitorError."""
        before = self._present()
        config = loaded.settings.config
        check_is_possible(before.config, config)
        hide_secrets(config)
        after = before.next(loaded)
        await _check_clients(after, before)
        held, now = tuple(self._pipeline.accounts), self._pipeline.services.clock.now()
        found = await state_for_reload(self._store, before.config, config, self._key, now, held)
        return _Reload(before, after, found)

    async def _apply(self, changed: _Reload) -> None:
        before, after, found = changed.before, changed.after, changed.found
        config = after.config
        for damage in found.troubles:
            log_damage(damage)
        otherwise = await self._judged_otherwise(after)

        def reloaded() -> PipelineConfig:
            self._pipeline.judged_otherwise = otherwise
            dispatcher = reloaded_dispatcher(config, self._pipeline.dispatcher)
            afresh = after.changed_searches(before)
            accounts = reloaded_accounts(self._pipeline.accounts, config, after.rules, after.templates, found, afresh)
            return PipelineConfig(accounts, dispatcher, config.retention, order_of(config))

        await self._pipeline.reload(reloaded)
        self._follow(after)
        with contextlib.suppress(StoreError):  # the pipeline logs it, and makes up for it as soon as it can
            await self._pipeline.begin()
        self._reloads.on_reloaded(config)
        log_changes(before, after)

    async def _judged_otherwise(self, after: RuntimeConfig) -> Mapping[str, Sequence[AnnouncedRules]]:
        """Announces the rules. If the store is away, nothing can be committed by them until it is back, and announced again."""
        try:
            return await announced(self._store, after)
        except StoreError:
            return dict.fromkeys(self._pipeline.accounts, ())


async def _check_clients(after: RuntimeConfig, before: RuntimeConfig) -> None:
    """Raises RouteeError if a new or changed account cannot have a client at all."""
    for account in after.config.accounts:
        if account not in before.config.accounts:
            async with routee_client(account, SystemClock()):
                pass
