"""Restores accounts from the store: at the start, and when this daemon takes one over from another."""

import logging
from collections.abc import Callable, Collection, Sequence

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.first_evaluations import FirstEvaluations
from monitor.daemon.pipeline import Pipeline
from monitor.daemon.restore import (
    accounts_to_restore,
    order_of,
    restored_dispatcher,
    restored_evaluator,
    views_of,
    without_messages,
)
from monitor.daemon.rule_sets import announced, judged_otherwise
from monitor.daemon.runtime_config import RuntimeConfig
from monitor.daemon.services import Services
from monitor.daemon.window_restore import NOTHING_READ, restored_or_empty
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, FirstPages, QuarantinedRecord, StoredState

log = logging.getLogger("monitor")


async def restored_pipeline(
    store: AsyncStore, present: RuntimeConfig, services: Services, key: bytes, held: Collection[str] | None = None
) -> Pipeline:
    """Returns the stored pipeline; `Pipeline.begin` was called. ``key`` hashes recipients. Raises StoreError.

    ``held`` are the accounts to restore (None: all), where others are adopted later (`adopt_accounts`): the daemon is not ready before.
    """
    config = present.config
    await store.assign_accounts([account.name for account in config.accounts])
    loaded = await store.load(held)
    await _set_aside(loaded, store, services)
    names = accounts_to_restore(config, loaded) if held is None else held
    accounts = [await _restored_account(store, name, loaded, present, services, key) for name in names]
    if held is None:
        services.health.searches(present.searches)
    dispatcher = restored_dispatcher(config, loaded)
    pipeline = Pipeline(store, accounts, dispatcher, config.retention, services, order_of(config))
    pipeline.judged_otherwise = await announced(store, present)
    await pipeline.begin()
    return pipeline


async def adopt_accounts(
    names: Sequence[str],
    store: AsyncStore,
    pipeline: Pipeline,
    present: Callable[[], RuntimeConfig],
    key: bytes,
    size: int | None = None,
) -> None:
    """Restores accounts whose leases this daemon has taken, and lets the pipeline adopt them. ``present`` returns the configuration in force.

    ``size`` is that of their journals in bytes, together; None if it is not known yet. Several take as many round trips and flushes as one:
    their windows are small. The one account may be large, and is read a page at a time from the beginning.

    A small account does not wait for a large one, unless several are restored already. A reload does not wait either: what was restored under
    an earlier configuration is restored again, and then the next reload waits. Raises StoreError; the pipeline has adopted none of the accounts
    then.
    """

    async def measured() -> int:
        return sum((await store.journal_sizes(names)).values()) if size is None else size

    async def restored() -> tuple[list[AccountPipeline], StoredState]:
        loaded = await store.load(names)
        await _set_aside(loaded, store, pipeline.services)
        first = await store.first_pages(names) if len(names) > 1 else dict.fromkeys(names, NOTHING_READ)
        services, now = pipeline.services, present()
        return [await _restored_account(store, one, loaded, now, services, key, first[one]) for one in names], loaded

    async with pipeline.restoring.turn(measured):
        before = present()
        found = await restored()
        async with pipeline.membership:
            accounts, loaded = found if present() is before else await restored()
            pipeline.judged_otherwise = await judged_otherwise(store, present())
            await pipeline.adopt(accounts, loaded)


async def _restored_account(
    store: AsyncStore,
    name: str,
    loaded: StoredState,
    present: RuntimeConfig,
    services: Services,
    key: bytes,
    pages: FirstPages = NOTHING_READ,
) -> AccountPipeline:
    config, now = present.config, services.clock.now()
    window, damage = await restored_or_empty(store, name, config, key, loaded, now, pages)
    if damage:
        log_damage(damage)
        loaded = without_messages(loaded, name, now)
    evaluator = restored_evaluator(window, config, present.rules, loaded, services.clock.now())
    views = views_of(evaluator, config, present.templates)
    first = FirstEvaluations.of(name, loaded.first_evaluations)
    return AccountPipeline(evaluator, views, stored_state=evaluator.account_state, first_evaluations=first)


def log_damage(damage: str) -> None:
    """Logs that an account's messages cannot be read."""
    log.error(
        "%s: what rules look at is fetched from Routee again; until then none of their alerts is reported as resolved",
        damage,
    )


async def _set_aside(loaded: StoredState, store: AsyncStore, services: Services) -> None:
    """Drops silences, and alerts of no account, that cannot be read, keeps them among the records set aside, and reports them."""
    now = services.clock.now()
    silences, alerts = loaded.unusable, loaded.unusable_alerts
    records = [
        *(QuarantinedRecord("", "silences", now, f"silence {one.id}: {one.why}", one.record) for one in silences),
        *(QuarantinedRecord("", "alerts", now, f"alert {one.fingerprint}: {one.why}", one.record) for one in alerts),
    ]
    if not records:
        return
    dropped, of_nobody = [one.id for one in silences], [one.fingerprint for one in alerts]
    await store.commit(Commit(dropped_silences=dropped, dropped_alerts_of_nobody=of_nobody, quarantined=records))
    for one in silences:
        _report(f"The stored silence {one.id[:40]} was set aside and silences nothing any more: {one.why}", services)
    for lost in alerts:
        _report(
            f"The stored alert {lost.fingerprint[:40]} was set aside, and counts as firing for an hour, in which it is found again: {lost.why}",
            services,
        )


def _report(said: str, services: Services) -> None:
    log.error("%s", said)
    services.health.quarantined(said)
