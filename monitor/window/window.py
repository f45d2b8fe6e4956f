"""The window: the latest state of each of an account's messages, in columns in memory. Rules are evaluated only on it.

A report replaces what is known of its part if it is later: by its date, then by how far along its status is. Two reports with the same
status and date are merged field by field (`monitor.window.merging`), and a known value is never replaced by a missing one. So the same
reports lead to the same state in any order and with any repetitions. Changed rows are journalled.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from functools import partial

import numpy as np
from numpy.typing import NDArray

from monitor.model.batch import Batch, Combinations
from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.journal_sum import JournalSum
from monitor.model.message import CODED_FIELDS, UNKNOWN, rank
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.pieces import Work, at_once
from monitor.window.campaign_rows import CampaignRows
from monitor.window.codec import OpenedBlob
from monitor.window.columns import AS_MESSAGE, AS_PART, LATENCY_UNIT, NOT_GIVEN, PRICE_UNIT, Columns
from monitor.window.dictionary import Dictionary, Sets
from monitor.window.ids import MessageIds
from monitor.window.index import Keys, Rows
from monitor.window.journal import WindowJournal
from monitor.window.late_rows import LateRows
from monitor.window.merging import Merging
from monitor.window.message_rows import MessageRows, is_whole
from monitor.window.profile_index import Facets
from monitor.window.profiles import PROFILED, SEARCHES
from monitor.window.recipient_texts import RecipientTexts
from monitor.window.rounds import rounds_of
from monitor.window.row_space import RowSpace
from monitor.window.search_results import SearchResults
from monitor.window.status_changes import StatusChanges
from monitor.window.stored_texts import check_texts, restore_entries, restore_texts
from monitor.window.table import Values
from monitor.window.unsaved import Unsaved

_DISTANT_PAST: Instant = -(1 << 62)
_REPORTED = ("parts", "date", "latency", "price", "to", "recipient", *PROFILED)
"""The columns that a later report of a part replaces."""


class Window:
    """Holds one account's messages. `monitor.window.query` answers queries over it."""

    def __init__(self, account: str, privacy: RecipientMask | None = None) -> None:
        self.account = account
        self.privacy = privacy or RecipientMask()
        self.columns = Columns()
        self.recipient_texts = RecipientTexts()
        self.dictionaries = {name: Dictionary() for name in PROFILED} | {"recipient": self.recipient_texts}
        self.searches = Sets(self.dictionaries["searches"])
        self.search_results = SearchResults(self.columns, self.dictionaries["status"], self.searches)
        self.ids = MessageIds()
        self.is_pushed_to = False
        """Whether Routee pushes reports of this account's messages."""
        self.version = 0
        """Another one whenever messages, or the numbers of their profiles and of groups, have changed."""
        self._facets = self._new_facets()
        self._no_recipient = self.privacy.hash(UNKNOWN)
        self._space = RowSpace(self.columns)
        self._message_rows = MessageRows(self.columns, self._space, self._no_recipient)
        self._cutoff = _DISTANT_PAST
        self._journal = WindowJournal(self.columns)
        self._status_changes: StatusChanges | None = None
        self._campaign_rows: CampaignRows | None = None
        self._late_rows: dict[Duration, LateRows] = {}

    def __len__(self) -> int:
        """Returns how many rows are in use: one for each part, and one more for each message of several parts."""
        return len(self._space)

    @property
    def messages(self) -> int:
        """Returns how many messages there are."""
        return int(np.count_nonzero(self.columns["kind"][: self.columns.length] & AS_MESSAGE))

    def latest_report(self, until: Instant) -> Instant | None:
        """Returns the latest date of a status at or before ``until``; None if there is none."""
        columns, length = self.columns, self.columns.length
        dates = columns["date"][:length]
        until_then = dates <= until
        until_then &= columns["kind"][:length] > 0
        return int(dates.max(where=until_then, initial=_DISTANT_PAST)) if until_then.any() else None

    @property
    def nbytes(self) -> int:
        """Returns the memory of the columns, the index and the journal in bytes."""
        derived = sum(one.nbytes for one in self._late_rows.values())
        derived += 0 if self._campaign_rows is None else self._campaign_rows.nbytes
        return self.columns.nbytes + self._space.nbytes + self._journal.nbytes + derived

    @property
    def facets(self) -> Facets:
        """Returns the conditions and groups of its profiles."""
        if self._facets.profiles is not self.columns.profiles:
            self._facets = self._new_facets()
        return self._facets

    @property
    def campaign_rows(self) -> CampaignRows:
        """Returns the rows by campaign. They are kept from the first call on."""
        if self._campaign_rows is None:
            self._campaign_rows = CampaignRows(self.columns)
        return self._campaign_rows

    def preparing(self) -> tuple[Callable[[], object], ...]:
        """Returns what makes all that rules will ask for and that is kept from then on, in parts that threads can do at the same time, also
        beside those of `indexing`. They take less than 0.1 s a million messages."""
        return (
            lambda: self.columns.seen,
            self.count_status_changes,
            partial(self.campaign_rows.of, np.zeros(0, np.int64), self.facets),
        )

    def late_rows(self, after: Duration) -> LateRows:
        """Returns the rows whose status came more than ``after`` after sending. They are kept from the first call on."""
        if after not in self._late_rows:
            self._late_rows[after] = LateRows(self.columns, after)
        return self._late_rows[after]

    @property
    def status_changes(self) -> StatusChanges:
        """Returns the counts of the messages that take another status. They are kept from the first call on."""
        return self.count_status_changes()

    def count_status_changes(self) -> StatusChanges:
        """Begins to count the messages that take another status, unless that has begun; returns the counts."""
        if self._status_changes is None:
            self._status_changes = StatusChanges(self.columns, self.dictionaries)
        return self._status_changes

    def _new_facets(self) -> Facets:
        return Facets(self.account, self.columns, self.dictionaries, self.searches, self.privacy.sender)

    def empty_copy(self) -> "Window":
        """Returns an empty window that shares dictionaries and ids with this one, so that `upsert_coded` can copy rows into it."""
        empty_copy = Window(self.account, self.privacy)
        empty_copy.recipient_texts = self.recipient_texts
        empty_copy.dictionaries, empty_copy.searches, empty_copy.ids = self.dictionaries, self.searches, self.ids
        empty_copy.search_results = SearchResults(empty_copy.columns, self.dictionaries["status"], self.searches)
        empty_copy._facets = empty_copy._new_facets()
        return empty_copy

    # Adding reports

    def upsert(self, batch: Batch, search: str, origin: ReadOrigin = SOMEWHERE) -> int:
        """Adds a page of reports, in any order. Returns the number of rows that changed."""
        return at_once(self.upserting(batch, search, origin))

    def upserting(self, batch: Batch, search: str, origin: ReadOrigin = SOMEWHERE) -> Work[int]:
        """Does what `upsert` does, in two pieces: all rows change in the second one."""
        if not len(batch):
            return 0
        values = self._values(batch, {search})
        yield
        return self.upsert_coded(values, (search, origin))

    def push(self, batch: Batch, searches: Set[str]) -> int:
        """Adds reports that Routee pushed, in any order. ``searches`` are those that return every message. Returns the number of rows that changed.

        Whatever of it is in the window is journalled, also what was known already: the store may not have it on the disk yet.
        docs/decisions/0029-callbacks.md says which searches a pushed message belongs to.
        """
        return self.upsert_coded(self._values(batch, searches), pushed=True) if len(batch) else 0

    def upsert_coded(
        self, values: Values, returned_by: tuple[str, ReadOrigin] | None = None, *, pushed: bool = False
    ) -> int:
        """Adds reports as columns with this window's own codes, for a replay that shares its dictionaries. ``returned_by`` is the search that
        returned them, and the origin of the page; ``pushed``: no search did. Returns the number of rows that changed."""
        keys = Keys(values["high"], values["low"], values["key"])
        changed = 0
        for some in rounds_of(keys):
            part = values if some is None else {name: array[some] for name, array in values.items()}
            changed += self._take_in(part, keys if some is None else keys[some], returned_by, pushed)
        self.version += bool(changed)
        return changed

    def _values(self, batch: Batch, searches: Set[str]) -> Values:
        """Returns the batch as columns."""
        high, low = self.ids.encode(batch.message_id)
        values: Values = {"high": high, "low": low, "key": np.maximum(batch.key, 0).astype(np.int32)}
        values["parts"] = np.clip(batch.parts, 1, 1 << 30).astype(np.int32)
        values["date"] = values["first_seen"] = batch.date
        values["latency"] = _whole(batch.latency, LATENCY_UNIT, np.iinfo(np.int32).max)
        values["price"] = _whole(batch.price, PRICE_UNIT, 1 << 50)
        values["to"] = self.privacy.hashes(batch.recipient)
        values["recipient"] = self.recipient_texts.encode_numbers(batch.recipient, self.privacy)
        codes = self._codes(batch.coded, searches)
        of = batch.coded.of
        values |= {name: codes[name][of] for name in PROFILED}
        values["profile"] = self.columns.profiles.numbers(codes)[of]
        return values

    def _codes(self, coded: Combinations, searches: Set[str]) -> Values:
        """Returns the codes of each combination in the fields of a profile."""
        fields = {**coded.values, "from": self.privacy.senders(coded.values["from"], coded.values["direction"])}
        codes: Values = {name: self.dictionaries[name].encode(fields[name]) for name in CODED_FIELDS}
        code = self.searches.code(frozenset(searches))
        return codes | {SEARCHES: np.full(len(fields["from"]), code, np.int64)}

    def _take_in(self, values: Values, keys: Keys, returned_by: tuple[str, ReadOrigin] | None, pushed: bool) -> int:
        """Adds reports, each of a different part. Returns the number of rows that changed."""
        rows = self._space.find(keys)
        known, fresh = rows >= 0, (rows < 0) & (values["date"] > self._cutoff)
        touched = [np.zeros(0, np.int64)]
        if known.any():
            touched.append(self._update(rows[known], _some(values, known), pushed))
        if fresh.any():
            rows[fresh] = self._append(_some(values, fresh), keys if fresh.all() else keys[fresh])
            touched.append(rows[fresh])
        if returned_by is not None:
            self.search_results.returned(*returned_by, rows[known], rows[fresh])
        changed = np.concatenate(touched)
        changed = np.concatenate([changed, self._combine(changed, int(np.count_nonzero(fresh)))])
        self._journal.changed(np.concatenate([changed, rows[known]]) if pushed else changed)
        if self._status_changes is not None:
            self._status_changes.note(changed, None if returned_by is None else returned_by[0])
        return len(changed)

    def _update(self, rows: Rows, values: Values, pushed: bool) -> Rows:
        columns = self.columns
        later, same = self._compared(rows, values, pushed)
        merging = Merging(columns, self.dictionaries, self._no_recipient)
        values, fuller = merging.merge(rows, values, np.flatnonzero(same))
        wins = later | fuller
        seen_earlier = values["first_seen"] < columns["first_seen"][rows]
        had = columns.of("searches", rows).astype(np.int64)
        searches = self.searches.after(had, values["searches"])
        if self.search_results.depends_on_status:
            status = np.where(wins, values["status"], columns.of("status", rows)).astype(np.int64)
            just_returned = np.where(wins, -1 if pushed else values["searches"], -1)
            searches = self.search_results.fitting(searches, status, just_returned, may_be_none=pushed)
        lost = ~wins & (searches != had)
        values = values | {"searches": searches}
        for which, names in ((wins, _REPORTED), (lost, ("searches",)), (seen_earlier, ("first_seen",))):
            if which.any():
                columns.write(rows[which], {name: values[name][which] for name in names})
        changed: Rows = rows[wins | lost | seen_earlier]
        return changed

    def _compared(self, rows: Rows, values: Values, pushed: bool) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Returns which reports are later than the known ones, by date and then status, and which have the same status and date."""
        held = self.columns["date"][rows]
        later, same = np.asarray(values["date"] > held), np.asarray(values["date"] == held)
        dated = np.flatnonzero(same)
        new, old = values["status"][dated], self.columns.of("status", rows[dated])
        same[dated] = new == old
        other = np.flatnonzero(new != old)
        if other.size:
            later[dated[other]] = self._ranks(new[other]) > self._ranks(old[other])
        unknown = self.dictionaries["status"].code(UNKNOWN)
        if unknown is not None:  # any report replaces the state of a message that has left every search
            left = self.columns.of("status", rows) == unknown
            if pushed:  # unless it is one from before it left
                if (at := np.flatnonzero(left & ~later)).size:
                    had = self.columns.of("searches", rows[at]).astype(np.int64)
                    later[at] = self.search_results.explains_leaving(had, values["status"][at])
            else:
                later |= left
            same &= ~left
        return later, same

    def _ranks(self, statuses: Rows) -> Rows:
        """Returns how far along statuses are. Undocumented statuses have the same rank; their digests order them."""
        status = self.dictionaries["status"]
        order = np.argsort(np.argsort(status.digests()))
        ranks = np.array([rank(text) for text in status.texts], np.int64) * len(order) + order
        return np.asarray(ranks[statuses])

    def _append(self, values: Values, keys: Keys) -> Rows:
        count = len(values["date"])
        rows = self._space.allocate(count)
        values["kind"] = np.where(is_whole(values), AS_PART | AS_MESSAGE, AS_PART).astype(np.uint8)
        values["link"] = np.full(count, -1, np.int32)
        values["asked"] = np.zeros(count, np.uint8)
        self.columns.write(rows, values)
        self._space.add(keys, rows)
        return rows

    def _combine(self, changed: Rows, new: int = 0) -> Rows:
        return self._message_rows.combine(changed, new, self.dictionaries, self.searches)

    # Messages that leave a search

    def conclude(self, read: CompleteRead) -> int:
        """Marks the messages as left that this complete read proves to have left its search. Returns the number of rows that changed."""
        rows = self.search_results.missed(read, self.facets.returned_by(read.search))
        return self._leave(rows, read.search, read.seen_to) if rows.size else 0

    def _leave(self, rows: Rows, search: str, at: Instant) -> int:
        """Marks parts as having left a search. If no other configured search has a part, its status is unknown from ``at`` on."""
        columns, sets = self.columns, self.searches
        codes, inverse = np.unique(columns.of("searches", rows), return_inverse=True)
        after = np.array([sets.without(int(code), {search}) for code in codes], np.int64)[inverse]
        columns.write(rows, {"searches": after})
        unseen = rows[~self.search_results.in_any_search(after) & ~self._is_known_by_push(rows, search)]
        unknown = {name: self.dictionaries[name].encode([UNKNOWN])[0] for name in ("status", "detailedStatus")}
        values: Values = {name: np.full(len(unseen), code) for name, code in unknown.items()}
        columns.write(unseen, values | {"date": np.maximum(columns["date"][unseen], at)})
        changed = np.concatenate([rows, self._combine(rows)])
        self._journal.changed(changed)
        self.version += 1
        return len(changed)

    def _is_known_by_push(self, rows: Rows, search: str) -> NDArray[np.bool_]:
        """Returns which of the parts that have left a search have a status which it cannot return, so that it was pushed."""
        if not self.is_pushed_to:
            return np.zeros(len(rows), np.bool_)
        return self.search_results.cannot_return(search, self.columns.of("status", rows).astype(np.int64))

    # Forgetting

    @property
    def forgotten_to(self) -> Instant:
        """Returns up to which date messages were forgotten, and new ones are ignored; it is in the distant past if none were."""
        return self._cutoff

    def keep_longer(self, by: Duration) -> None:
        """Takes messages again that are older by as much than those which are forgotten. What was forgotten stays so."""
        self._cutoff = max(self._cutoff - by, _DISTANT_PAST)

    def expire(self, before: Instant, most: int = 1 << 62) -> int:
        """Forgets messages whose present status has a date at or before ``before``, and ignores such reports of new messages from now on.

        Forgets at most about ``most`` rows. Returns how many, 0 when none is left.
        """
        self._cutoff = max(self._cutoff, before)
        old = self.columns.timeline.rows(_DISTANT_PAST, self._cutoff, AS_MESSAGE)[:most]
        if not old.size:
            self.version += self.columns.forget_profiles()
            return 0
        rows = self._message_rows.with_parts(old)
        self._space.release(rows)
        self.search_results.forget(rows)
        self._journal.changed(rows)
        if self._status_changes is not None:
            self._status_changes.forget(rows)
        self.version += 1
        return len(rows)

    # Saving and restoring

    def unsaved(self, step: int = 20_000) -> Unsaved:
        """Returns the data to commit; call `saved` or `not_saved` next. It may repeat about ``step`` rows of old journal entries."""
        sizes = {name: len(dictionary) for name, dictionary in self.dictionaries.items()}
        texts = {name: dictionary.unsaved() for name, dictionary in self.dictionaries.items()}
        return Unsaved(self._journal.next_entry(step), texts, sizes)

    def saved(self, unsaved: Unsaved, seq: int | None) -> None:
        """Notes that the store has the data; ``seq`` is the journal entry's number. Changes since `unsaved` are still unsaved."""
        self._journal.saved(unsaved.entry, seq)
        for name, dictionary in self.dictionaries.items():
            dictionary.saved(unsaved.sizes[name])

    def not_saved(self, unsaved: Unsaved) -> None:
        """Notes that the data could not be stored: it is unsaved again."""
        self._journal.not_saved(unsaved.entry)

    def restore_entries(self, entries: Iterable[tuple[str, int, str]]) -> None:
        """See `monitor.window.stored_texts.restore_entries`."""
        restore_entries(self.dictionaries, entries)

    def restore_texts(self, field: str, texts: Sequence[str], last: int) -> None:
        """See `monitor.window.stored_texts.restore_texts`."""
        restore_texts(self.dictionaries, field, texts, last)

    def restore(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Reads stored journal entries with their numbers; call it with the oldest first, and `restored` after the last ones. Raises
        UnreadableBlob."""
        self._journal.restore(entries)

    def restore_opened(self, entries: Iterable[tuple[int, OpenedBlob]]) -> None:
        """Does what `restore` does with entries whose checksums fit."""
        self._journal.restore_opened(entries)

    def check_journal(self, stored: Iterable[JournalSum]) -> None:
        """Raises UnreadableBlob if, by these sums, journal entries are missing of those that were restored, or others are among them."""
        self._journal.check(stored)

    def restored(self) -> None:
        """Indexes the rows after all journal entries were read."""
        for work in self.indexing():
            at_once(work)

    def indexing(self) -> tuple[Work[None], ...]:
        """Returns what `restored` does, in parts that threads can do at the same time, each in pieces. Raises UnreadableBlob if messages have
        texts that were not restored."""
        check_texts(self.columns, self.dictionaries)
        rows = self._space.restored()
        self._message_rows.restored(rows)
        self.version += 1
        return self.columns.restoring(rows), self._space.indexing(rows)

    def settling(self) -> Work[None]:
        """Settles, in pieces, what the next queries would settle at once. No row may change meanwhile; queries may be answered."""
        for timeline in self.columns.timelines:
            if timeline.is_unsettled(share=0.5):
                yield from timeline.settling()


def _some(values: Values, which: NDArray[np.bool_]) -> Values:
    return values if which.all() else {name: array[which] for name, array in values.items()}


def _whole(amounts: NDArray[np.float64], unit: float, most: int) -> NDArray[np.int64]:
    """Returns amounts as whole numbers of 1/``unit``, at most ``most``; NOT_GIVEN for NaN."""
    return np.where(np.isnan(amounts), NOT_GIVEN, np.minimum(np.rint(amounts * unit), most)).astype(np.int64)
