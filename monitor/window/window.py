"""The window: the latest state of each of an account's messages, in columns in memory. Rules are evaluated on it alone.

A report replaces what is known of its part where it is later: by its date, then by how far along its status is. Two reports of one
status and date are put together field by field (`monitor.window.merging`): a value that is known is never replaced by a missing
one. So any order and any repetition of the same reports ends in the same state. Rows that changed are journalled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.model.complete_read import SOMEWHERE, CompleteRead, ReadOrigin
from monitor.model.message import CODED_FIELDS, UNKNOWN, Batch, rank
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import Instant
from monitor.window.columns import AS_MESSAGE, AS_PART, LATENCY_UNIT, NOT_GIVEN, PRICE_UNIT, Columns
from monitor.window.dictionary import Dictionary, Sets
from monitor.window.ids import MessageIds
from monitor.window.index import Index, Keys, Rows
from monitor.window.journal import Rewritten, WindowJournal
from monitor.window.membership import Membership
from monitor.window.merging import Merging
from monitor.window.multipart import HEAD, combine
from monitor.window.profile_index import Facets
from monitor.window.profiles import PROFILED
from monitor.window.table import Values

_DISTANT_PAST: Instant = -(1 << 62)
_REPORTED = ("parts", "date", "latency", "price", "to", "recipient", *PROFILED)
"""What a later report of a part replaces."""


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What the store does not have yet: a journal entry, and new dictionary entries (field, code, text)."""

    entry: Rewritten
    entries: list[tuple[str, int, str]]
    sizes: dict[str, int]

    @property
    def blob(self) -> bytes | None:
        """The journal entry as the store keeps it; None: nothing changed."""
        return self.entry.blob

    @property
    def cleaned(self) -> list[int]:
        """Old journal entries to drop in the same commit."""
        return self.entry.cleaned

    @property
    def count(self) -> int:
        """How many rows it has."""
        return len(self.entry.rows) + len(self.entry.freed)


class Window:
    """Holds one account's messages; see `monitor.window.query` for asking questions."""

    def __init__(self, account: str, privacy: RecipientMask | None = None) -> None:
        self.account = account
        self.privacy = privacy or RecipientMask()
        self.columns = Columns()
        self.dictionaries = {name: Dictionary() for name in (*PROFILED, "recipient")}
        self.searches = Sets(self.dictionaries["searches"])
        self.membership = Membership(self.columns, self.dictionaries["status"], self.searches)
        self.ids = MessageIds()
        self.version = 0
        self._facets = self._new_facets()
        self._index = Index()
        self._free: Rows = np.zeros(0, np.int64)
        self._used = 0
        self._cutoff = _DISTANT_PAST
        self._journal = WindowJournal(self.columns)
        self._nobody = self.privacy.hash(UNKNOWN)

    def __len__(self) -> int:
        """How many rows are in use: parts, and one more for each message of several parts."""
        return self._used

    @property
    def messages(self) -> int:
        """How many messages there are."""
        return int(np.count_nonzero(self.columns["kind"][: self.columns.length] & AS_MESSAGE))

    @property
    def nbytes(self) -> int:
        """Memory of the columns and the index, in bytes."""
        return self.columns.nbytes + self._index.nbytes + self._journal.nbytes

    @property
    def facets(self) -> Facets:
        """What the profiles of its messages answer."""
        if self._facets.profiles is not self.columns.profiles:
            self._facets = self._new_facets()
        return self._facets

    def _new_facets(self) -> Facets:
        return Facets(self.account, self.columns, self.dictionaries, self.searches, self.privacy.sender)

    def twin(self) -> "Window":
        """Returns an empty window that shares dictionaries and ids with this one, so that `upsert_coded` can copy rows into it."""
        twin = Window(self.account, self.privacy)
        twin.dictionaries, twin.searches, twin.ids = self.dictionaries, self.searches, self.ids
        twin.membership = Membership(twin.columns, self.dictionaries["status"], self.searches)
        twin._facets = twin._new_facets()
        return twin

    # Taking reports in

    def upsert(self, batch: Batch, search: str, origin: ReadOrigin = SOMEWHERE) -> int:
        """Take a page of reports in, in any order; gives the number of rows that this changed."""
        return self.upsert_coded(self._values(batch, search), (search, origin)) if len(batch) else 0

    def upsert_coded(self, values: Values, told_by: tuple[str, ReadOrigin] | None = None) -> int:
        """Take reports in as columns whose codes are this window's own already: for a replay, which shares its dictionaries."""
        keys = Keys(values["high"], values["low"], values["key"])
        changed = 0
        for some in _rounds(keys):
            part = values if some is None else {name: array[some] for name, array in values.items()}
            changed += self._take_in(part, keys if some is None else keys[some], told_by)
        self.version += bool(changed)
        return changed

    def _values(self, batch: Batch, search: str) -> Values:
        """The batch as columns."""
        high, low = self.ids.encode(batch.message_id)
        values: Values = {"high": high, "low": low, "key": np.maximum(batch.key, 0).astype(np.int32)}
        values["parts"] = np.clip(batch.parts, 1, 1 << 30).astype(np.int32)
        values["date"] = values["first_seen"] = batch.date
        values["latency"] = _whole(batch.latency, LATENCY_UNIT, np.iinfo(np.int32).max)
        values["price"] = _whole(batch.price, PRICE_UNIT, 1 << 50)
        values["to"] = self.privacy.hashes(batch.recipient)
        values["recipient"] = self.dictionaries["recipient"].encode(self.privacy.texts(batch.recipient))
        fields = batch.fields | {"from": self.privacy.senders(batch.fields["from"], batch.fields["direction"])}
        for name in CODED_FIELDS:
            values[name] = self.dictionaries[name].encode(fields[name])
        values["searches"] = np.full(len(batch), self.searches.code(frozenset([search])), np.int64)
        return values

    def _take_in(self, values: Values, keys: Keys, told_by: tuple[str, ReadOrigin] | None) -> int:
        """Take in reports of different parts."""
        rows = self._index.find(keys, self.columns.keys)
        known, fresh = rows >= 0, (rows < 0) & (values["date"] > self._cutoff)
        touched = [np.zeros(0, np.int64)]
        if known.any():
            touched.append(self._update(rows[known], _some(values, known)))
        if fresh.any():
            rows[fresh] = self._append(_some(values, fresh), keys if fresh.all() else keys[fresh])
            touched.append(rows[fresh])
        if told_by is not None:
            self.membership.returned(*told_by, rows[known], rows[fresh])
        changed = np.concatenate(touched)
        changed = np.concatenate([changed, self._combine(changed)])
        self._journal.changed(changed)
        return len(changed)

    def _update(self, rows: Rows, values: Values) -> Rows:
        columns = self.columns
        later, same = self._compared(rows, values)
        merging = Merging(columns, self.dictionaries, self._nobody)
        values, fuller = merging.merge(rows, values, np.flatnonzero(same))
        wins = later | fuller
        seen_earlier = values["first_seen"] < columns["first_seen"][rows]
        had = columns.of("searches", rows).astype(np.int64)
        searches = self.searches.after(had, values["searches"])
        if self.membership.depends_on_status:
            status = np.where(wins, values["status"], columns.of("status", rows)).astype(np.int64)
            searches = self.membership.fitting(searches, status, np.where(wins, values["searches"], -1))
        lost = ~wins & (searches != had)
        values = values | {"searches": searches}
        for which, names in ((wins, _REPORTED), (lost, ("searches",)), (seen_earlier, ("first_seen",))):
            if which.any():
                columns.write(rows[which], {name: values[name][which] for name in names})
        changed: Rows = rows[wins | lost | seen_earlier]
        return changed

    def _compared(self, rows: Rows, values: Values) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Returns which reports are later than the known ones, by date and then status; and which have the same status and date."""
        held = self.columns["date"][rows]
        later, same = np.asarray(values["date"] > held), np.asarray(values["date"] == held)
        dated = np.flatnonzero(same)
        new, old = values["status"][dated], self.columns.of("status", rows[dated])
        same[dated] = new == old
        other = np.flatnonzero(new != old)
        if other.size:
            later[dated[other]] = self._ranks(new[other]) > self._ranks(old[other])
        unknown = self.dictionaries["status"].code(UNKNOWN)
        if unknown is not None:  # what has left every search: whatever is reported of it says more
            left = self.columns.of("status", rows) == unknown
            later |= left
            same &= ~left
        return later, same

    def _ranks(self, statuses: Rows) -> Rows:
        """How far along statuses are. Of those that Routee did not document none is further than another: any order will do."""
        status = self.dictionaries["status"]
        order = np.argsort(np.argsort(status.digests()))
        ranks = np.array([rank(text) for text in status.texts], np.int64) * len(order) + order
        return np.asarray(ranks[statuses])

    def _append(self, values: Values, keys: Keys) -> Rows:
        count = len(values["date"])
        rows = self._allocate(count)
        values["kind"] = np.where(_single(values), AS_PART | AS_MESSAGE, AS_PART).astype(np.uint8)
        values["link"] = np.full(count, -1, np.int32)
        values["asked"] = np.zeros(count, np.uint32)
        self.columns.write(rows, values)
        self._index.add(keys, rows, self.columns.keys)
        return rows

    def _allocate(self, count: int) -> Rows:
        reused, self._free = self._free[:count], self._free[count:]
        first = self.columns.length
        self.columns.reserve(first + count - len(reused))
        self._used += count
        return np.concatenate([reused, np.arange(first, first + count - len(reused))])

    # Searches that have a message no more

    def conclude(self, read: CompleteRead) -> int:
        """A read is complete: what it proves to have left its search does. Gives the number of rows that this changed."""
        rows = self.membership.missed(read, self.facets.returned_by(read.search))
        return self._leave(rows, read.search, read.seen_to) if rows.size else 0

    def _leave(self, rows: Rows, search: str, at: Instant) -> int:
        """Parts leave a search; where no other has them nothing is known of their status from that instant on."""
        columns, sets = self.columns, self.searches
        codes, inverse = np.unique(columns.of("searches", rows), return_inverse=True)
        after = np.array([sets.without(int(code), {search}) for code in codes], np.int64)[inverse]
        columns.write(rows, {"searches": after})
        unseen = rows[~self.membership.seen(after)]
        unknown = {name: self.dictionaries[name].encode([UNKNOWN])[0] for name in ("status", "detailedStatus")}
        values: Values = {name: np.full(len(unseen), code) for name, code in unknown.items()}
        columns.write(unseen, values | {"date": np.maximum(columns["date"][unseen], at)})
        changed = np.concatenate([rows, self._combine(rows)])
        self._journal.changed(changed)
        self.version += 1
        return len(changed)

    # Messages of several parts

    def _combine(self, changed: Rows) -> Rows:
        """Rebuilds the rows of the messages to which changed parts belong; returns all rows touched."""
        columns = self.columns
        single = _single({"parts": columns["parts"][changed], "key": columns["key"][changed]})
        parts: Rows = changed[~single | (columns["kind"][changed] == AS_PART)]
        if not parts.size:
            return parts
        heads, touched = self._heads(parts)
        whole = combine(columns, heads, self.dictionaries, self.searches, self._nobody)
        columns.write(heads, whole)
        return np.concatenate([heads, touched])

    def _heads(self, parts: Rows) -> tuple[Rows, Rows]:
        """Returns each part's message row, created if missing, and the parts that were just linked to it."""
        columns = self.columns
        keys = Keys(columns["high"][parts], columns["low"][parts], np.full(len(parts), HEAD, np.int8))
        heads = self._index.find(keys, columns.keys)
        missing = np.flatnonzero(heads < 0)
        if missing.size:
            self._add_heads(keys[missing])
            heads = self._index.find(keys, columns.keys)
        loose = np.flatnonzero(~self._linked(parts, heads))
        for some in _in_rounds(heads[loose]):
            part, head = parts[loose[some]], heads[loose[some]]
            columns["link"][part] = columns["link"][head]
            columns["link"][head] = part
        columns.write(parts[loose], {"kind": np.full(len(loose), AS_PART, np.uint8)})
        return np.unique(heads), parts[loose]

    def _linked(self, parts: Rows, heads: Rows) -> NDArray[np.bool_]:
        """Which parts are in their message's chain already."""
        found = np.zeros(len(parts), np.bool_)
        left, at = np.arange(len(parts)), heads
        while left.size:
            at = self.columns["link"][at].astype(np.int64)
            found[left[at == parts[left]]] = True
            going = (at >= 0) & ~found[left]
            left, at = left[going], at[going]
        return found

    def _add_heads(self, keys: Keys) -> None:
        """Rows for messages that have none yet; they are filled in by `combine`."""
        _, first = np.unique(np.stack([keys.high, keys.low]), axis=1, return_index=True)
        keys = keys[first]
        rows = self._allocate(len(keys))
        blank = np.full(len(keys), -1, np.int32)
        self.columns.write(rows, {"high": keys.high, "low": keys.low, "key": keys.key, "link": blank})
        self._index.add(keys, rows, self.columns.keys)

    def _chain(self, heads: Rows) -> Rows:
        """The parts of messages."""
        links, at = [np.zeros(0, np.int64)], heads
        while at.size:
            at = self.columns["link"][at].astype(np.int64)
            at = at[at >= 0]
            links.append(at)
        return np.concatenate(links)

    # Forgetting

    def expire(self, before: Instant, most: int = 1 << 62) -> int:
        """Forget messages whose present status was reported at or before then, and take no such report in any more.

        Of very many only about ``most`` rows are forgotten; gives how many, 0 when none is left.
        """
        self._cutoff = max(self._cutoff, before)
        old = self.columns.timeline.rows(_DISTANT_PAST, self._cutoff, AS_MESSAGE)[:most]
        if not old.size:
            self.columns.forget_profiles()
            return 0
        rows = np.sort(np.concatenate([old, self._chain(old[self.columns["key"][old] == HEAD])]))
        self._index.remove(self.columns.keys[rows], self.columns.keys)
        self.columns.write(rows, {"kind": np.zeros(len(rows), np.uint8)})
        self.membership.forget(rows)
        self._journal.changed(rows)
        self._free = np.sort(np.concatenate([self._free, rows]), kind="stable")
        self._used -= len(rows)
        self.version += 1
        return len(rows)

    # What the store keeps

    def unsaved(self, step: int = 20_000) -> Unsaved:
        """Returns the data to commit; call `saved` or `not_saved` next. It may repeat about ``step`` rows of old journal entries."""
        sizes = {name: len(dictionary) for name, dictionary in self.dictionaries.items()}
        entries = [(name, *entry) for name, dictionary in self.dictionaries.items() for entry in dictionary.unsaved()]
        return Unsaved(self._journal.next_entry(step), entries, sizes)

    def saved(self, unsaved: Unsaved, seq: int | None) -> None:
        """The store has it; ``seq`` is the journal entry's number. What changed meanwhile is still unsaved."""
        self._journal.saved(unsaved.entry, seq)
        for name, dictionary in self.dictionaries.items():
            dictionary.saved(unsaved.sizes[name])

    def not_saved(self, unsaved: Unsaved) -> None:
        """The store did not take it: it is unsaved again."""
        self._journal.not_saved(unsaved.entry)

    def restore_entries(self, entries: list[tuple[str, int, str]]) -> None:
        """Take dictionary entries over from the store: (field, code, text), codes ascending within a field."""
        texts: dict[str, list[str]] = {}
        for name, _, text in entries:
            texts.setdefault(name, []).append(text)
        for name, some in texts.items():
            self.dictionaries[name].restore(some)

    def restore(self, seq: int, blob: bytes) -> None:
        """Take a journal entry over; oldest first. Call `restored` after the last one."""
        self._journal.restore(seq, blob)

    def restored(self) -> None:
        """All journal entries are in: index them."""
        used = self.columns["kind"][: self.columns.length] > 0
        rows = np.flatnonzero(used)
        self._free = np.flatnonzero(~used)
        self._used = len(rows)
        self._index.rebuild(rows, self.columns.keys)
        self.columns.timeline.settle()
        self.version += 1


def _single(values: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Which parts are a whole message."""
    return np.asarray((values["parts"] <= 1) & (values["key"] == 1))


def _some(values: Values, which: NDArray[np.bool_]) -> Values:
    return values if which.all() else {name: array[which] for name, array in values.items()}


def _whole(amounts: NDArray[np.float64], unit: float, most: int) -> NDArray[np.int64]:
    """Amounts as whole numbers of 1/``unit``, NOT_GIVEN where they are NaN."""
    return np.where(np.isnan(amounts), NOT_GIVEN, np.minimum(np.rint(amounts * unit), most)).astype(np.int64)


def _rounds(keys: Keys) -> list[Rows | None]:
    """Returns the reports in rounds without a repeated part; [None] if all are different, as they mostly are."""
    hashed = keys.hashed()
    order = np.sort(hashed)
    return list(_in_rounds(hashed)) if (order[1:] == order[:-1]).any() else [None]


def _in_rounds(values: NDArray[Any]) -> Iterator[Rows]:
    """Returns the places of ``values`` in rounds without a repeated value; equal values keep their order."""
    order = np.argsort(values, kind="stable")
    first = np.concatenate([np.ones(min(len(order), 1), np.bool_), np.diff(values[order]) != 0])
    nth = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    for number in range(int(nth.max(initial=-1)) + 1):
        yield order[nth == number]
