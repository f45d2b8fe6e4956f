"""The in-memory state of one account: its evaluator, its views, and the rows and records that are not committed yet."""

import json
from collections.abc import Sequence
from dataclasses import field
from typing import Final

import numpy as np

from monitor.alerts.evaluation import EvaluationResult
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import Views
from monitor.daemon.first_evaluations import FirstEvaluations
from monitor.dispatch.dispatcher import SuppressionEdits
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.batch import Batch
from monitor.model.complete_read import ReadOrigin
from monitor.model.message import Unread
from monitor.model.routee_query import RejectedRecord
from monitor.runtime.clock import HOUR, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work
from monitor.store.protocol import Cursor, QuarantinedRecord
from monitor.window import Query, WindowReader

EXPIRE_EVERY: Final[Duration] = HOUR
_ALWAYS: Final[Instant] = 1 << 62
EXPIRE_AT_MOST: Final = 50_000
"""Maximum rows that one poll drops; dropping a million at once would delay everything else."""
EXPIRE_AT_ONCE: Final = 5_000
"""Maximum rows that are dropped in one piece, while nothing else runs."""


@dataclass(slots=True)
class AccountPipeline:
    """One account's evaluator, views and uncommitted data.

    ``changed`` counts the rows and ``quarantined`` holds the records that wait for the next commit; ``stored_state`` is the account's
    state in the store, and ``first_evaluations`` those of its rules. ``dropped`` says by search up to where messages were dropped before they
    were to be kept for longer, until its next commit.
    """

    evaluator: RuleEvaluator
    views: Views
    quarantined: list[QuarantinedRecord] = field(default_factory=list)
    changed: int = 0
    expired_at: Instant = 0
    dropped: dict[str, Instant] = field(default_factory=dict)
    stored_state: AccountState = NOTHING_KNOWN
    first_evaluations: FirstEvaluations = field(default_factory=FirstEvaluations)

    @property
    def name(self) -> str:
        """The account's name."""
        return self.evaluator.account

    def has(self, search: str) -> bool:
        """Returns whether the search is still in the configuration."""
        return search in self.evaluator.coverage.searches

    def adding(
        self, search: str, batch: Batch, unreadable: tuple[RejectedRecord, ...], origin: ReadOrigin, now: Instant
    ) -> Work[None]:
        """Adds a page to the window, in pieces."""
        self._count_from(search, now)
        changed = yield from self.evaluator.window.upserting(batch, search, origin)
        self.changed += changed
        self.quarantined += [QuarantinedRecord(self.name, search, now, one.why, one.record) for one in unreadable]
        self.quarantined += [_unread_value(self.name, search, now, one) for one in batch.unread]

    def _count_from(self, search: str, now: Instant) -> None:
        """Begins to count the statuses that the search returns, unless that has begun: those since its known past, or since now."""
        since = self.evaluator.window.status_changes.since
        if search not in since:
            cursor = self.evaluator.coverage.cursors.get(search)
            since[search] = now if cursor is None else cursor.covered_since

    def pairs(self, most: int) -> list[tuple[str, ...]]:
        """Returns the ``most`` pairs of country and operator with most messages in the window, those first."""
        by, reading = ("country", "operator"), WindowReader(self.evaluator.window)
        tally = reading.tally(Query(-_ALWAYS, _ALWAYS, by))
        order = np.argsort(-tally.counts, kind="stable")
        return [reading.labels(by, code) for code in tally.codes[order[:most]].tolist()]

    def push(self, batch: Batch, unreadable: Sequence[RejectedRecord], now: Instant) -> None:
        """Adds pushed reports to the window."""
        window = self.evaluator.window
        window.count_status_changes()
        self.changed += window.push(batch, self.evaluator.coverage.unfiltered)
        self.set_aside(unreadable, now)
        self.quarantined += [_unread_value(self.name, "", now, one) for one in batch.unread]

    def set_aside(self, unreadable: Sequence[RejectedRecord], now: Instant) -> None:
        """Quarantines pushed records that cannot be read, for the account rather than a search."""
        self.quarantined += [QuarantinedRecord(self.name, "", now, one.why, one.record) for one in unreadable]

    def add_unread(self, tracking_id: str, unread: Sequence[Unread], now: Instant) -> None:
        """Quarantines the fields of a campaign's state that could not be read."""
        for one in unread:
            why = f"the campaign's {one.field} cannot be read, so it counts as missing; the rest of the answer is used"
            record = f'{{"campaignTrackingId": {json.dumps(tracking_id)}, "{one.field}": {one.value}}}'
            self.quarantined.append(QuarantinedRecord(self.name, "", now, why, record, seen=one.count))

    def expiring(self, cursor: Cursor, retention: Duration) -> Work[None]:
        """Drops rows older than the retention, in pieces and at most `EXPIRE_AT_MOST` per call.

        ``cursor`` is about to be committed. Rules that need several searches look back from the one that was read least far, so that one counts
        unless it is `EXPIRE_EVERY` behind. Does nothing within `EXPIRE_EVERY` of the last full drop. The caller checks that the clock can be
        trusted (`Clock.may_forget`).
        """
        read_to = min(one.as_of for one in self.evaluator.coverage.after(cursor).values())
        as_of = max(read_to, cursor.as_of - EXPIRE_EVERY)
        if as_of - self.expired_at < EXPIRE_EVERY:
            return
        for _ in range(EXPIRE_AT_MOST // EXPIRE_AT_ONCE):
            expired = self.evaluator.window.expire(as_of - retention, EXPIRE_AT_ONCE)
            self.evaluator.coverage.kept_since = self.evaluator.window.forgotten_to
            if not expired:
                self.expired_at = as_of
                return
            yield

    def dropped_to(self, search: str) -> Instant:
        """Returns up to where messages of a search were dropped, unless they were read again since."""
        return max(self.evaluator.window.forgotten_to, self.dropped.get(search, 0))

    def keep_longer(self, by: Duration) -> None:
        """Keeps messages for longer than until now, also those that are read again. What was dropped is not covered any more.

        Reads that go on have ignored some of those; so for each search this holds for its next commit too.
        """
        dropped_to, coverage = self.evaluator.window.forgotten_to, self.evaluator.coverage
        self.dropped = {search: self.dropped_to(search) for search in coverage.searches}
        coverage.drop(dropped_to)
        self.evaluator.window.keep_longer(by)
        coverage.kept_since = self.evaluator.window.forgotten_to


@dataclass(frozen=True, slots=True)
class Proposal:
    """One commit's proposed changes: an account's evaluation and people's edits, which are dispatched, committed and applied together.

    ``account`` is None where no account is held. ``cursor`` belongs to the poll or sweep that caused the evaluation, if any.
    ``decided_on``: see `Commit`.
    """

    account: AccountPipeline | None
    result: EvaluationResult
    cursor: Cursor | None = None
    edits: SuppressionEdits = field(default_factory=SuppressionEdits)
    decided_on: int | None = None


def _unread_value(account: str, search: str, now: Instant, unread: Unread) -> QuarantinedRecord:
    """Returns the quarantined record of a value that could not be read."""
    why = f"the {unread.field} is not a number, so it counts as missing; the rest of the record is used"
    return QuarantinedRecord(account, search, now, why, f'{{"{unread.field}": {unread.value}}}', seen=unread.count)
