"""Reads what the store has of the accounts that other daemons hold, so that people see all alerts whichever daemon they ask."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import trio

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.elsewhere import Elsewhere
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.restore import restored_evaluator, views_of
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import Instant
from monitor.runtime.errors import StoreError
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import StoredState
from monitor.window import Window

READ_EVERY: Final = 2.0
"""The least seconds between two reads."""
SHARE: Final = 20
"""A read that takes long is repeated after so many times as long, so that it takes no more than a twentieth of the store's time."""


class OthersReader:
    """Keeps `Pipeline.elsewhere` up to date. ``elsewhere`` returns the accounts that are to be shown and not held here."""

    def __init__(
        self,
        store: AsyncStore,
        pipeline: Pipeline,
        present: Callable[[], RuntimeConfig],
        key: bytes,
        elsewhere: Callable[[], Collection[str]],
    ) -> None:
        self._store, self._pipeline, self._present = store, pipeline, present
        self._key, self._elsewhere = key, elsewhere
        self._loaded: tuple[frozenset[str], StoredState, RuntimeConfig] | None = None
        self._shown = Elsewhere()

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            began, names, pause = trio.current_time(), frozenset(self._elsewhere()), READ_EVERY
            with suppress(StoreError):  # what was read last is shown until the store can be read again
                await self.read(names)
                pause = max(READ_EVERY, SHARE * (trio.current_time() - began))
            with trio.move_on_after(pause):
                while names == frozenset(self._elsewhere()):
                    await self._pipeline.news.wait()

    async def read(self, names: frozenset[str]) -> None:
        """Reads the accounts once. Raises StoreError."""
        if not names:
            if self._pipeline.elsewhere.accounts:
                self._show(Elsewhere())
            self._loaded = None
            return
        loaded, present = await self._store.load(names, rule_states=False), self._present()
        if self._loaded != (names, loaded, present) or self._pipeline.elsewhere is not self._shown:
            self._loaded = names, loaded, present
            self._show(self._made(names, loaded, present, self._pipeline.services.clock.now()))

    def _show(self, elsewhere: Elsewhere) -> None:
        self._shown = elsewhere
        self._pipeline.show_elsewhere(elsewhere)

    def _made(self, names: Collection[str], loaded: StoredState, present: RuntimeConfig, now: Instant) -> Elsewhere:
        config, accounts = present.config, {}
        for name in sorted(names):
            window = Window(name, RecipientMask(config.privacy.recipients, self._key))
            evaluator = restored_evaluator(window, config, present.rules, loaded, now)
            accounts[name] = AccountPipeline(evaluator, views_of(evaluator, config, present.templates))
        groups = {(group.receiver, group.key): group for group in loaded.groups}
        return Elsewhere(accounts, groups, {ack.fingerprint: ack for ack in loaded.acks})
