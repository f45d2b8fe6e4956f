"""What happens to rows and cursors once polling has them: into the window, judged, dispatched, committed, applied.

Each poll ends in one transaction: its rows, its cursor, the alerts, the groups and the notifications to be sent stand in the
store together or not at all. Only then does the memory follow. One commit is made at a time.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import msgspec
import trio

from monitor.alerts.evaluator import EvaluationResult, RuleEvaluator, ViewContext
from monitor.alerts.view import Views
from monitor.daemon.changes import Changes, alerts_of, is_news, keep_views, put_alerts, put_groups, put_rows
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.dispatch.dispatcher import Dispatcher, DispatchPlan
from monitor.dispatch.edits import SuppressionEdits
from monitor.dispatch.status import AlertStatus, StatusSnapshot
from monitor.model import builtin_alerts as builtin
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.alert import Alert, Transition
from monitor.model.builtin_alerts import BuiltIn
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.finding import Finding
from monitor.model.message import Batch, Unread
from monitor.model.routee_query import SetAside
from monitor.routing.acknowledgements import Ack, acknowledge, acknowledged, unacknowledged
from monitor.routing.silences import Silence, make_room
from monitor.runtime.clock import HOUR, SECOND, Clock, Duration, Instant, iso
from monitor.runtime.errors import InternalError, NothingThere, StoreError
from monitor.runtime.guarded_clock import may_forget
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, Cursor, QuarantinedRecord
from monitor.window.membership import Membership

log = logging.getLogger("monitor")

ROWS_AT_ONCE = 20_000
"""So many changed rows at most wait in memory for the end of a poll; more are committed on the way, since they are true in any case."""
EXPIRE_EVERY: Duration = HOUR
EXPIRE_AT_ONCE = 50_000
"""So many rows are forgotten with one poll; forgetting a million at once would hold everything up."""
GROUPS = "groups of alerts"
"""The name of the loop that looks at groups when they are due, where signs of life are collected."""
LONGEST_WAIT: Duration = 10 * SECOND
"""Until it is looked at the clock again, which may be set while nothing is due."""
PATIENCE: Duration = 5 * SECOND
"""Until the groups are looked at again after the store has failed."""


@dataclass(slots=True)
class AccountPipeline:
    """One account's judge and views, with what is not committed yet."""

    judge: RuleEvaluator
    views: Views
    asides: list[QuarantinedRecord] = field(default_factory=list)
    changed: int = 0
    expired_at: Instant = 0
    facts_kept: AccountState = NOTHING_KNOWN


@dataclass(slots=True)
class Services:
    """What the pipeline reports to: when it is, what is counted, whether all is well, whom to wake when there is news, and how much of
    the past a search has read (account, search, share)."""

    clock: Clock
    metrics: Metrics
    health: Health
    wake: Callable[[], None]
    reached: Callable[[str, str, float], None] = lambda account, search, share: None
    internal_error: Callable[[str, Exception], str] = lambda task, error: str(InternalError(error))
    """Told of what fails unexpectedly, and in which task; gives the sentence for people."""


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What of the pipeline comes of the configuration: an account's desk by its name, who is told, how long messages are kept."""

    desks: dict[str, AccountPipeline]
    dispatch: Dispatcher
    retention: Duration


class Pipeline:
    """Takes what polling hands over, for all accounts. ``retention`` is how long messages are kept."""

    def __init__(
        self,
        store: AsyncStore,
        desks: Iterable[AccountPipeline],
        dispatch: Dispatcher,
        retention: Duration,
        around: Services,
    ) -> None:
        self.desks = {desk.judge.account: desk for desk in desks}
        self.dispatch = dispatch
        self._store = store
        self._retention = retention
        self._around = around
        self._turn = trio.Lock()
        self._news = trio.Event()
        self.next_look: Instant | None = None
        """When the groups are looked at again if nothing happens; None: not before something does."""
        self._begin_is_due = False
        self._store_trouble = ThrottledLog(log, "the store", around.clock, logging.ERROR)

    def membership(self, account: str) -> Membership:
        """Which searches have which messages of an account."""
        return self.desks[account].judge.window.membership

    def take(
        self, account: str, search: str, batch: Batch, asides: tuple[SetAside, ...], origin: ReadOrigin = SOMEWHERE
    ) -> None:
        """Put a page into the account's window."""
        desk, now = self.desks[account], self._around.clock.now()
        if search not in desk.judge.searches:
            return  # it was taken out of the configuration while this page was on its way
        desk.changed += desk.judge.window.upsert(batch, search, origin)
        desk.asides += [QuarantinedRecord(account, search, now, aside.why, aside.record) for aside in asides]
        desk.asides += [_noted(account, search, now, one) for one in batch.unread]
        self._around.metrics.pages(account, search)
        for one in batch.unread:
            self._around.metrics.unread(account, search, one.field, one.count)
        if asides:
            self._around.metrics.set_aside(account, search, len(asides))

    def note_campaign(self, account: str, tracking_id: str, unread: Sequence[Unread]) -> None:
        """What of a campaign's own state could not be read. It is no search's, but the account's."""
        desk, now = self.desks[account], self._around.clock.now()
        for one in unread:
            why = f"the campaign's {one.field} cannot be read, so it counts as missing; the rest of the answer is used"
            record = f'{{"campaignTrackingId": {json.dumps(tracking_id)}, "{one.field}": {one.value}}}'
            desk.asides.append(QuarantinedRecord(account, "", now, why, record, seen=one.count))
            self._around.metrics.unread(account, "", one.field, one.count)

    async def relieve(self, account: str) -> None:
        """Commit rows that have come so far, where they are many."""
        if self.desks[account].changed >= ROWS_AT_ONCE:
            async with self._turn:
                await self._commit(self.desks[account], Commit())

    async def complete(self, account: str, cursor: Cursor, read: CompleteRead | None = None) -> None:
        """A poll or sweep is complete: judge, dispatch, commit, apply. Raises StoreError, and then nothing has happened but rows in memory.

        ``read`` is what it has read: messages that it would have returned, and did not, leave the search first.
        """
        async with self._turn:
            desk = self.desks[account]
            if cursor.search not in desk.judge.searches:
                return
            if read is not None:
                desk.changed += desk.judge.window.conclude(read)
            self._expire(desk, cursor.as_of)
            outcome = desk.judge.judge(cursor)
            await self._settle(desk, outcome, cursor)
            self._report(desk, outcome, cursor)

    async def tell(self, account: str, built_in: BuiltIn, finding: Finding) -> None:
        """Start or end a built-in alert. Raises StoreError, and then nothing has happened."""
        async with self._turn:
            desk, outcome = self.desks[account], EvaluationResult()
            if desk.judge.is_gone(built_in.name, finding.group):
                return
            desk.judge.tell(built_in, finding, self._around.clock.now(), outcome)
            if outcome.alerts:
                await self._settle(desk, outcome)

    async def begin(self) -> None:
        """After a restart or a reload: end the alerts of what is gone from the configuration, and look at all groups. Raises StoreError,
        and then `flush_when_due` does it as soon as it can be done."""
        async with self._turn:
            for desk in self.desks.values():
                await self._settle(desk, desk.judge.drop_gone(self._around.clock.now()))
            self._begin_is_due = False

    async def renew(self, renewed: Callable[[], PipelineConfig]) -> None:
        """Go on under another configuration, from the moment at which ``renewed`` is called: between two commits. `begin` comes after it."""
        async with self._turn:
            basis = renewed()
            self.desks, self.dispatch, self._retention = basis.desks, basis.dispatch, basis.retention
            self._begin_is_due = True

    # What people ask for. Each raises StoreError, and then nothing has happened.

    async def put_silence(self, silence: Silence) -> None:
        """Add a silence, or replace the one with its id. Raises ValueError where there are too many."""

        def edits() -> SuppressionEdits:
            known, now = self.dispatch.silences.all(), self._around.clock.now()
            return SuppressionEdits(silences=[silence], dropped_silences=make_room(known, silence, now))

        await self._edit(edits)

    async def expire_silence(self, silence_id: str) -> None:
        """End a silence now; one that is over stays as it is. Raises NothingThere."""
        await self._edit(lambda: SuppressionEdits(silences=self._expired(silence_id)))

    async def acknowledge(self, fingerprint: str, by: str, comment: str = "", until: Instant | None = None) -> Ack:
        """Take on an alert that fires; a later acknowledgement replaces the one before. Raises NothingThere, and ValueError where it makes no
        sense."""
        made: list[Ack] = []

        def edits() -> SuppressionEdits:
            made.append(acknowledge(self._firing(fingerprint), by, comment, self._around.clock.now(), until))
            return SuppressionEdits(acks=made)

        await self._edit(edits)
        return made[0]

    async def unacknowledge(self, fingerprint: str) -> None:
        """Take an acknowledgement back. Raises NothingThere."""

        def edits() -> SuppressionEdits:
            if fingerprint not in self.dispatch.acks:
                raise NothingThere(f"there is no acknowledgement of an alert {fingerprint}")
            return SuppressionEdits(dropped_acks=[fingerprint])

        await self._edit(edits)

    def stock(self) -> StatusSnapshot:
        """How alerts, groups and silences stand."""
        well = not self._around.health.stuck()
        return StatusSnapshot(
            self.dispatch, self._alerts(None, EvaluationResult(), None), self._around.clock.now(), well=well
        )

    def standing(self) -> list[AlertStatus]:
        """Every alert that is pending or fires, or is over but not yet told so everywhere."""
        return list(self.stock().alerts())

    async def kept(self) -> tuple[dict[str, int], dict[tuple[str, str], tuple[int, Instant]]]:
        """How much there is in the store, and what waits in the outbox, see `monitor.store.protocol`. Raises StoreError."""
        return await self._store.run(lambda store: (store.counts(), store.backlog()))

    async def _edit(self, edits: Callable[[], SuppressionEdits]) -> None:
        async with self._turn:
            await self._settle(self._any_desk, EvaluationResult(), edits=edits())

    def _expired(self, silence_id: str) -> list[Silence]:
        known, now = self.dispatch.silences.get(silence_id), self._around.clock.now()
        if known is None:
            raise NothingThere(f"there is no silence {silence_id}")
        if known.state(now) == "expired":
            return []
        starts_at = min(known.starts_at, now)
        return [msgspec.structs.replace(known, starts_at=starts_at, ends_at=now, updated_at=now)]

    def _firing(self, fingerprint: str) -> Alert:
        for desk in self.desks.values():
            for alerts in desk.judge.alerts.values():
                for alert in alerts.values():
                    if alert.state == "firing" and alert.fingerprint == fingerprint:
                        return alert
        raise NothingThere(f"no alert {fingerprint} fires")

    @property
    def news(self) -> trio.Event:
        """Set once alerts may have changed, and then another one. Take it before looking: then nothing is missed."""
        return self._news

    @property
    def first_account(self) -> str:
        """The account under which alerts are kept that are about none."""
        return self._any_desk.judge.account

    def firing(self, built_in: BuiltIn) -> Iterator[tuple[str, dict[str, str]]]:
        """Each of these alerts that fires: the account under which it is kept, and its group."""
        for account, desk in self.desks.items():
            for group, alert in desk.judge.alerts.get(built_in.name, {}).items():
                if alert.state == "firing":
                    yield account, dict(group)

    @property
    def _any_desk(self) -> AccountPipeline:
        return next(iter(self.desks.values()))

    # Timers

    async def flush_when_due(self) -> None:
        """Look at the groups again when their time has come, for as long as it runs."""
        while True:
            self._around.health.beat(GROUPS)
            if not self._begin_is_due and not await self._is_due():
                continue
            try:
                await (self.begin() if self._begin_is_due else self.flush())
            except StoreError:
                await self._around.clock.sleep(PATIENCE)

    async def flush(self) -> None:
        """Look at the groups, whatever has happened. Raises StoreError, and then nothing has happened."""
        async with self._turn:
            await self._settle(self._any_desk, EvaluationResult())

    async def _is_due(self) -> bool:
        """Wait until the next group is due, or (False) until a commit has changed when that is."""
        news, due, is_due = self._news, self.next_look, False
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await news.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            now = self._around.clock.now()
            wait = LONGEST_WAIT if due is None else min(due - now, LONGEST_WAIT)
            await self._around.clock.sleep(wait)
            is_due = due is not None and self._around.clock.now() >= due
            nursery.cancel_scope.cancel()
        return is_due

    async def _settle(
        self,
        desk: AccountPipeline,
        outcome: EvaluationResult,
        cursor: Cursor | None = None,
        edits: SuppressionEdits | None = None,
    ) -> None:
        """Dispatch what the outcome brings and what people ask for, commit all of it, and apply it."""
        alerts, well = self._alerts(desk, outcome, cursor), not self._around.health.stuck()
        told = self.dispatch.look(alerts, self._around.clock.now(), edits, well=well)
        self._log_template_errors()
        changes: Changes = {account: {} for account in self.desks} | {desk.judge.account: outcome.alerts}
        judges = {account: one.judge for account, one in self.desks.items()}
        keep_views(judges, changes, told)
        if cursor is not None or outcome.alerts or is_news(told):
            transitions = [*outcome.transitions, *_by_people(told, edits)]
            commit = Commit(cursors=[] if cursor is None else [cursor], transitions=transitions)
            put_alerts(commit, judges, changes)
            put_groups(commit, told)
            await self._commit(desk, commit)
        self._apply(desk, outcome, cursor, changes)
        self.dispatch.apply(told)
        self._forget_told()
        self.next_look = told.next_at
        self._news.set()
        self._news = trio.Event()
        _log_transitions(outcome, desk.views)
        if told.outbox:
            self._around.wake()

    def _alerts(
        self, changed: AccountPipeline | None, outcome: EvaluationResult, cursor: Cursor | None
    ) -> Iterator[tuple[Alert, Views, ViewContext]]:
        """All alerts, as they are once the outcome is applied."""
        for desk in self.desks.values():
            here = desk is changed
            scene = desk.judge.scene(outcome, cursor) if here else desk.judge.scene()
            for alert in alerts_of(desk.judge, outcome.alerts if here else {}).values():
                yield alert, desk.views, scene

    def _apply(self, desk: AccountPipeline, outcome: EvaluationResult, cursor: Cursor | None, changes: Changes) -> None:
        desk.judge.apply(outcome, cursor)
        for account, fresh in changes.items():
            judge = self.desks[account].judge
            for (rule, group), alert in fresh.items():
                judge.put(rule, group, alert)
            present = [alert for alerts in judge.alerts.values() for alert in alerts.values()]
            self._around.metrics.alerts(account, [*judge.rules, *builtin.BUILT_IN], present)

    async def _commit(self, desk: AccountPipeline, commit: Commit) -> None:
        """Write it, with the rows and the records set aside that have come meanwhile.

        Whatever ends it without their being written, above all a cancelled wait for the store, gives them back to the next commit. A call
        that has begun is finished in any case (`AsyncStore`), and between its end and `_apply` nothing can be cancelled.
        """
        window, asides, changed = desk.judge.window, desk.asides, desk.changed
        facts = desk.judge.facts
        unsaved = window.unsaved()
        desk.asides, desk.changed = [], 0
        put_rows(commit, desk.judge.account, unsaved)
        commit.asides = asides
        commit.facts = {} if facts == desk.facts_kept else {desk.judge.account: facts}
        began = perf_counter()
        try:
            numbers = await self._store.commit(commit)
        except BaseException as error:
            window.not_saved(unsaved)
            desk.asides = asides + desk.asides
            desk.changed += changed
            if isinstance(error, StoreError):
                self._trouble(error)
            raise
        window.saved(unsaved, numbers[0] if numbers else None)
        desk.facts_kept = facts
        self._around.metrics.commit(perf_counter() - began)
        self._around.health.store()
        self._store_trouble.over()

    def _trouble(self, error: StoreError) -> None:
        self._store_trouble.arose(str(error))
        self._around.metrics.store_error()
        self._around.health.store(str(error))

    def _forget_told(self) -> None:
        """Alerts that are over and that everyone has been told of need not be remembered."""
        believed = self.dispatch.told_fingerprints()
        for desk in self.desks.values():
            for rule, alerts in desk.judge.alerts.items():
                for group, alert in list(alerts.items()):
                    if alert.state == "resolved" and alert.fingerprint not in believed:
                        desk.judge.put(rule, group, None)
                    elif alert.earlier is not None and alert.fingerprint not in believed:
                        desk.judge.put(rule, group, msgspec.structs.replace(alert, earlier=None))

    def _expire(self, desk: AccountPipeline, as_of: Instant) -> None:
        """Forget what is older than the retention, a part with each poll until nothing is left of it."""
        if as_of - desk.expired_at >= EXPIRE_EVERY and may_forget(self._around.clock):
            forgotten = desk.judge.window.expire(as_of - self._retention, EXPIRE_AT_ONCE)
            desk.expired_at = desk.expired_at if forgotten else as_of

    def _report(self, desk: AccountPipeline, outcome: EvaluationResult, cursor: Cursor) -> None:
        metrics, judge = self._around.metrics, desk.judge
        for rule, seconds in outcome.seconds.items():
            metrics.evaluation(rule, seconds)
        for rule in outcome.errors:
            metrics.rule_error(rule)
        metrics.watermark(judge.account, cursor.search, cursor.as_of)
        metrics.window(judge.account, judge.window.messages)
        self._around.health.polled(judge.account, cursor.search)

    def _log_template_errors(self) -> None:
        for desk in self.desks.values():
            for error in dict.fromkeys(desk.views.errors):
                log.warning("%s", error)
            desk.views.errors.clear()


def _noted(account: str, search: str, now: Instant, unread: Unread) -> QuarantinedRecord:
    """A value that could not be read, to be looked at beside the records that could not."""
    why = f"the {unread.field} is not a number, so it counts as missing; the rest of the record is used"
    return QuarantinedRecord(account, search, now, why, f'{{"{unread.field}": {unread.value}}}', seen=unread.count)


def _by_people(told: DispatchPlan, edits: SuppressionEdits | None) -> Iterator[Transition]:
    """What people have made of alerts, for their history."""
    if edits is None:
        return
    known = told.facts.known
    yield from (acknowledged(known[ack.fingerprint][0], ack) for ack in edits.acks if ack.fingerprint in known)
    for one in edits.dropped_acks:
        if one in known:
            yield unacknowledged(known[one][0], told.facts.now)


def _log_transitions(outcome: EvaluationResult, views: Views) -> None:
    told = [one for one in outcome.transitions if one.what in ("fired", "escalated", "eased", "resolved")]
    alerts = {alert.fingerprint: alert for alert in outcome.alerts.values() if alert is not None} if told else {}
    for transition in told:
        alert = alerts.get(transition.fingerprint)
        labels = {} if alert is None else views.labels(alert)
        named = ", ".join(f"{name}={value}" for name, value in labels.items() if name != "alertname")
        facts = {f"label_{name}": value for name, value in labels.items() if name != "alertname"}
        log.info(
            "%s %s at %s%s",
            transition.rule,
            transition.what,
            iso(transition.at),
            f" ({named})" if named else "",
            extra=facts | {"rule": transition.rule, "fingerprint": transition.fingerprint, "what": transition.what},
        )
