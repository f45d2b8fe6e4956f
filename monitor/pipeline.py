"""What happens to rows and cursors once polling has them: into the window, judged, dispatched, committed, applied.

Each poll ends in one transaction: its rows, its cursor, the alerts, the groups and the notifications to be sent stand in the
store together or not at all. Only then does the memory follow. One commit is made at a time.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

import msgspec
import trio

from monitor import builtin
from monitor.alert import Alert
from monitor.builtin import BuiltIn
from monitor.clock import HOUR, SECOND, Clock, Duration, Instant, iso
from monitor.dispatch import Dispatch, Told
from monitor.errors import RouteeError, StoreError
from monitor.finding import Finding
from monitor.judge import Judge, Outcome
from monitor.message import Batch
from monitor.metrics import Metrics
from monitor.routee.question import SetAside
from monitor.store.protocol import Aside, Commit, Cursor, Entry
from monitor.store.thread import StoreFront
from monitor.view import Views
from monitor.web.health import Health
from monitor.window import Reading, Unsaved

log = logging.getLogger("monitor")

ROWS_AT_ONCE = 20_000
"""So many changed rows at most wait in memory for the end of a poll; more are committed on the way, since they are true in any case."""
EXPIRE_EVERY: Duration = HOUR
EXPIRE_AT_ONCE = 50_000
"""So many rows are forgotten with one poll; forgetting a million at once would hold everything up."""
PATIENCE: Duration = 5 * SECOND
"""Until the groups are looked at again after the store has failed."""


@dataclass(slots=True)
class Desk:
    """One account's judge and views, with what is not committed yet."""

    judge: Judge
    views: Views
    asides: list[Aside] = field(default_factory=list)
    changed: int = 0
    expired_at: Instant = 0


@dataclass(slots=True)
class Surroundings:
    """What the pipeline reports to: when it is, what is counted, whether all is well, and whom to wake when there is news."""

    clock: Clock
    metrics: Metrics
    health: Health
    wake: Callable[[], None]


class Pipeline:
    """Takes what polling hands over, for all accounts. ``retention`` is how long messages are kept."""

    def __init__(
        self, store: StoreFront, desks: Iterable[Desk], dispatch: Dispatch, retention: Duration, around: Surroundings
    ) -> None:
        self.desks = {desk.judge.account: desk for desk in desks}
        self.dispatch = dispatch
        self._store = store
        self._retention = retention
        self._around = around
        self._turn = trio.Lock()
        self._news = trio.Event()
        self._next_at: Instant | None = None

    def take(self, account: str, search: str, batch: Batch, asides: tuple[SetAside, ...]) -> None:
        """Put a page into the account's window."""
        desk, now = self.desks[account], self._around.clock.now()
        desk.changed += desk.judge.window.upsert(batch, search)
        desk.asides += [Aside(account, search, now, aside.why, aside.record) for aside in asides]
        self._around.metrics.pages(account, search)
        if asides:
            self._around.metrics.set_aside(account, search, len(asides))

    async def relieve(self, account: str) -> None:
        """Commit rows that have come so far, where they are many."""
        if self.desks[account].changed >= ROWS_AT_ONCE:
            async with self._turn:
                await self._commit(self.desks[account], Outcome(), Told())

    async def complete(self, account: str, cursor: Cursor) -> None:
        """A poll or sweep is complete: judge, dispatch, commit, apply. Raises StoreError, and then nothing has happened but rows in memory."""
        async with self._turn:
            desk = self.desks[account]
            self._expire(desk, cursor.as_of)
            outcome = desk.judge.judge(cursor)
            await self._settle(desk, outcome, cursor)
            self._report(desk, outcome, cursor)

    async def tell(self, account: str, built_in: BuiltIn, finding: Finding) -> None:
        """Start or end a built-in alert."""
        async with self._turn:
            desk, outcome = self.desks[account], Outcome()
            desk.judge.tell(built_in, finding, self._around.clock.now(), outcome)
            if outcome.alerts:
                await self._settle(desk, outcome, None)

    async def drop_rules(self, account: str, rules: Iterable[str]) -> None:
        """End the alerts of rules that are gone."""
        async with self._turn:
            desk = self.desks[account]
            await self._settle(desk, desk.judge.drop(rules, self._around.clock.now()), None)

    async def flush_when_due(self) -> None:
        """Look at the groups again when their time has come, for as long as it runs."""
        while True:
            if not await self._is_due():
                continue
            try:
                async with self._turn:
                    await self._settle(next(iter(self.desks.values())), Outcome(), None)
            except StoreError:
                await self._around.clock.sleep(PATIENCE)

    async def _is_due(self) -> bool:
        """Wait until the next group is due, or (False) until a commit has changed when that is."""
        news, due, is_due = self._news, self._next_at, False
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await news.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            if due is None:
                await trio.sleep_forever()
            else:
                await self._around.clock.sleep(due - self._around.clock.now())
                is_due = True
                nursery.cancel_scope.cancel()
        return is_due

    async def _settle(self, desk: Desk, outcome: Outcome, cursor: Cursor | None) -> None:
        """Dispatch what the outcome brings, commit all of it, and apply it."""
        told = self.dispatch.look(self._alerts(desk, outcome), self._around.clock.now())
        self._keep_views(outcome, told)
        if cursor is not None or outcome.alerts or told.groups or told.dropped:
            await self._commit(desk, outcome, told, cursor)
        desk.judge.apply(outcome, cursor)
        self.dispatch.apply(told)
        self._forget_told()
        self._next_at = told.next_at
        self._news.set()
        self._news = trio.Event()
        self._log(desk, outcome)
        if told.outbox:
            self._around.wake()

    def _alerts(self, changed: Desk, outcome: Outcome) -> Iterator[tuple[Alert, Views, Reading | None]]:
        """All alerts, as they are once the outcome is applied."""
        for desk in self.desks.values():
            reading = Reading(desk.judge.window)
            fresh = outcome.alerts if desk is changed else {}
            for rule, alerts in desk.judge.alerts.items():
                for group, alert in alerts.items():
                    if (rule, group) not in fresh:
                        yield alert, desk.views, reading
            for new in fresh.values():
                if new is not None:
                    yield new, desk.views, reading

    def _keep_views(self, outcome: Outcome, told: Told) -> None:
        """Alerts remember how they were last shown."""
        shown = {view.fingerprint: view for view in told.views}
        for key, alert in outcome.alerts.items():
            if alert is not None and alert.fingerprint in shown:
                outcome.alerts[key] = msgspec.structs.replace(alert, view=shown[alert.fingerprint])

    async def _commit(self, desk: Desk, outcome: Outcome, told: Told, cursor: Cursor | None = None) -> None:
        judge, asides = desk.judge, desk.asides
        unsaved = judge.window.unsaved()
        desk.asides, desk.changed = [], 0
        commit = _rows(judge, unsaved)
        commit.asides = asides
        commit.cursors = [] if cursor is None else [cursor]
        commit.transitions = outcome.transitions
        commit.outbox, commit.groups = told.outbox, told.groups
        commit.dropped_groups = [(group.key, group.receiver) for group in told.dropped]
        _alerts_into(commit, judge, outcome)
        began = perf_counter()
        try:
            numbers = await self._store.commit(commit)
        except StoreError as error:
            judge.window.not_saved(unsaved)
            desk.asides = asides + desk.asides
            desk.changed += unsaved.count
            self._trouble(error)
            raise
        judge.window.saved(unsaved, numbers[0] if numbers else None)
        self._around.metrics.commit(perf_counter() - began)
        self._around.health.store()

    def _trouble(self, error: StoreError) -> None:
        log.error("%s", error)
        self._around.metrics.store_error()
        self._around.health.store(str(error))

    def _forget_told(self) -> None:
        """Resolved alerts that everyone has been told of need not be remembered."""
        believed = self.dispatch.told_fingerprints()
        for desk in self.desks.values():
            for rule, alerts in desk.judge.alerts.items():
                for group, alert in list(alerts.items()):
                    if alert.state == "resolved" and alert.fingerprint not in believed:
                        desk.judge.put(rule, group, None)

    def _expire(self, desk: Desk, as_of: Instant) -> None:
        """Forget what is older than the retention, a part with each poll until nothing is left of it."""
        if as_of - desk.expired_at >= EXPIRE_EVERY:
            forgotten = desk.judge.window.expire(as_of - self._retention, EXPIRE_AT_ONCE)
            desk.expired_at = desk.expired_at if forgotten else as_of

    def _report(self, desk: Desk, outcome: Outcome, cursor: Cursor) -> None:
        metrics, judge = self._around.metrics, desk.judge
        for rule, seconds in outcome.seconds.items():
            metrics.evaluation(rule, seconds)
        for rule in outcome.errors:
            metrics.rule_error(rule)
        metrics.watermark(judge.account, cursor.search, cursor.as_of)
        metrics.window(judge.account, judge.window.messages)
        present = [alert for alerts in judge.alerts.values() for alert in alerts.values()]
        metrics.alerts(judge.account, [*judge.rules, *builtin.BUILT_IN], present)
        self._around.health.polled(judge.account, cursor.search)

    def _log(self, desk: Desk, outcome: Outcome) -> None:
        for transition in outcome.transitions:
            if transition.what in ("fired", "escalated", "eased", "resolved"):
                log.info(
                    "%s %s at %s",
                    transition.rule,
                    transition.what,
                    iso(transition.at),
                    extra={"rule": transition.rule, "fingerprint": transition.fingerprint, "what": transition.what},
                )
        for error in desk.views.errors:
            log.warning("%s", error)
        desk.views.errors.clear()


def _rows(judge: Judge, unsaved: Unsaved) -> Commit:
    """What the store is to keep of the window."""
    account = judge.account
    return Commit(
        journal=[] if unsaved.blob is None else [(account, unsaved.blob)],
        cleaned=[(account, seq) for seq in unsaved.cleaned],
        entries=[Entry(account, *entry) for entry in unsaved.entries],
    )


def _alerts_into(commit: Commit, judge: Judge, outcome: Outcome) -> None:
    for (rule, group), alert in outcome.alerts.items():
        if alert is not None:
            commit.alerts.append(alert)
        elif (before := judge.alerts.get(rule, {}).get(group)) is not None:
            commit.dropped_alerts.append(before.fingerprint)


class AccountSink:
    """An account's end of the pipeline, as polling sees it."""

    def __init__(self, pipeline: Pipeline, account: str, around: Surroundings) -> None:
        self._pipeline = pipeline
        self._account = account
        self._around = around

    async def page(self, search: str, batch: Batch, asides: tuple[SetAside, ...]) -> None:
        """See `monitor.poll.Sink`."""
        self._pipeline.take(self._account, search, batch, asides)
        self._around.health.beat(f"search {search} of account {self._account}")
        await self._pipeline.relieve(self._account)

    async def complete(self, search: str, cursor: Cursor) -> None:
        """See `monitor.poll.Sink`."""
        await self._pipeline.complete(self._account, cursor)

    async def failed(self, search: str, error: RouteeError | StoreError) -> None:
        """See `monitor.poll.Sink`."""
        log.warning("search %s of account %s: %s", search, self._account, error)

    async def blind(self, search: str, since: Instant, reason: str) -> None:
        """See `monitor.poll.Sink`."""
        self._around.metrics.blind(self._account, search, True)
        why = f"search {search} of account {self._account} has not been polled completely since {iso(since)}: {reason}"
        await self._pipeline.tell(self._account, builtin.MONITOR_BLIND, self._finding(search, why))

    async def sighted(self, search: str) -> None:
        """See `monitor.poll.Sink`."""
        self._around.metrics.blind(self._account, search, False)
        over = builtin.over(account=self._account, search=search)
        await self._pipeline.tell(self._account, builtin.MONITOR_BLIND, over)

    async def gap(self, search: str, start: Instant, end: Instant) -> None:
        """See `monitor.poll.Sink`."""
        why = f"search {search} of account {self._account}: what changed from {iso(start)} to {iso(end)} cannot be fetched any more"
        await self._pipeline.tell(self._account, builtin.GAP_IN_HISTORY, self._finding(search, why))

    def _finding(self, search: str, why: str) -> Finding:
        return builtin.finding(why, account=self._account, search=search)
