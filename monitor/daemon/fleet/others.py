"""Reads what the store has of the accounts that other daemons hold, so that people see all alerts whichever daemon they ask."""

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

import trio

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.elsewhere import Elsewhere
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.restore import restoring_evaluator, views_of
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.dispatch.destinations import Key
from monitor.model.privacy import RecipientMask
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import Instant
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.runtime.pieces import Work, paced
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.accounts import parts_of
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import StoredState
from monitor.window import Window

log = logging.getLogger("monitor")
READ_EVERY: Final = 2.0
"""The least seconds between two reads."""
SHARE: Final = 20
"""A read that takes long is repeated after so many times as long, so that it takes no more than a twentieth of the store's time."""


class _Read(NamedTuple):
    """An account as it is shown, and what the store and the configuration had of it."""

    part: StoredState
    present: RuntimeConfig
    account: AccountPipeline


class OthersReader:
    """Keeps `Pipeline.elsewhere` up to date. ``elsewhere`` returns the accounts that are to be shown and not held here. ``rows_read`` is called
    with those whose rows could be read.

    Only accounts of which something has changed are made anew, and other tasks run in between: there may be hundreds.
    """

    def __init__(
        self,
        store: AsyncStore,
        pipeline: Pipeline,
        present: Callable[[], RuntimeConfig],
        key: bytes,
        elsewhere: Callable[[], Collection[str]],
        rows_read: Callable[[Collection[str]], object] = lambda names: None,
    ) -> None:
        self._store, self._pipeline, self._present = store, pipeline, present
        self._key, self._elsewhere, self._rows_read = key, elsewhere, rows_read
        self._read: dict[str, _Read] = {}
        self._shown = Elsewhere()
        self._trouble = ThrottledLog(log, "what other daemons hold", pipeline.services.clock, logging.ERROR)

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
            self._read = {}
            return
        services, damage = self._pipeline.services, dict[str, StoreDamaged]()
        try:
            parts = await services.pieces.do(parts_of(await self._store.load(names, rule_states=False), sorted(names)))
        except StoreDamaged:
            parts, damage = await self._readable(names)
        self._rows_read(names - damage.keys())
        changed = await services.pieces.do(self._making(parts, self._present(), services.clock.now()))
        if damage:
            name, why = next(reversed(damage.items()))
            self._trouble.arose(f"account {name} is shown as it was last: {why}")
        else:
            self._trouble.over()
        if changed or self._pipeline.elsewhere is not self._shown:
            self._show(await services.pieces.do(self._elsewhere_read()))

    def _show(self, elsewhere: Elsewhere) -> None:
        self._shown = elsewhere
        self._pipeline.show_elsewhere(elsewhere)

    async def _readable(self, names: Collection[str]) -> tuple[dict[str, StoredState], dict[str, StoreDamaged]]:
        """Returns the accounts that can be read, one by one, and of the others what was read of them last; and why those cannot. Raises
        StoreError."""
        parts, why = dict[str, StoredState](), dict[str, StoreDamaged]()
        for name in sorted(names):
            try:
                loaded = await self._store.load([name], rule_states=False)
                parts |= await self._pipeline.services.pieces.do(parts_of(loaded, [name]))
            except StoreDamaged as damage:
                why[name] = damage
                if name in self._read:
                    parts[name] = self._read[name].part
        return parts, why

    def _making(self, parts: Mapping[str, StoredState], present: RuntimeConfig, now: Instant) -> Work[bool]:
        """Makes those accounts anew of which the store has something else than before. Returns whether there are any, or some are gone."""
        made: dict[str, _Read] = {}
        for name, part in parts.items():
            known = self._read.get(name)
            if known is not None and known.present is present and (yield from _is_same(known.part, part)):
                made[name] = known
            else:
                made[name] = _Read(part, present, (yield from self._account(name, part, present, now)))
            yield
        before, self._read = self._read, made
        return before.keys() != made.keys() or any(before[name] is not one for name, one in made.items())

    def _account(self, name: str, part: StoredState, present: RuntimeConfig, now: Instant) -> Work[AccountPipeline]:
        config = present.config
        window = Window(name, RecipientMask(config.privacy.recipients, self._key))
        evaluator = yield from restoring_evaluator(window, config, present.rules, part, now)
        return AccountPipeline(evaluator, views_of(evaluator, config, present.templates))

    def _elsewhere_read(self) -> Work[Elsewhere]:
        accounts, groups, acks = {}, dict[Key, AggregationGroup](), dict[str, Ack]()
        for name, one in self._read.items():
            accounts[name] = one.account
            for group, pauses in paced(one.part.groups, AT_ONCE):
                groups[group.receiver, group.key] = group
                if pauses:
                    yield
            acks |= {ack.fingerprint: ack for ack in one.part.acks}
            yield
        return Elsewhere(accounts, groups, acks)


def _is_same(one: StoredState, other: StoredState) -> Work[bool]:
    """Returns whether two states are equal, in pieces: an account may have thousands of alerts and groups."""
    if replace(one, alerts=[], groups=[]) != replace(other, alerts=[], groups=[]):
        return False
    for some, others in ((one.alerts, other.alerts), (one.groups, other.groups)):
        if len(some) != len(others):
            return False
        for (mine, its), pauses in paced(zip(some, others, strict=True), AT_ONCE):
            if mine is not its and mine != its:
                return False
            if pauses:
                yield
    return True
