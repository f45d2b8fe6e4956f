"""Asking the window: exact numbers over any span of time, any condition and any grouping.

A reading is made for one moment and shared by all rules: what two questions have in common (the rows of a span, the codes of
a field, which rows fit a condition, how many stand in each group) is worked out once. It must not outlive the next change of the window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.clock import MILLISECOND, Duration, Instant
from monitor.message import FINAL, GROUPS_SEPARATOR
from monitor.notification import Sample
from monitor.rules.match import Condition
from monitor.window.columns import AS_MESSAGE, AS_PART, LATENCY_UNIT, NOT_GIVEN
from monitor.window.dictionary import Dictionary
from monitor.window.index import Rows
from monitor.window.window import Window

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
Group = tuple[str, ...]

_COUNTABLE = 1 << 22
"""Up to so many possible groups are counted in an array, more of them by sorting."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which messages are meant: those whose present status was reported in (start, end], that fit all conditions.

    ``within``: only those whose report came so soon after sending. ``final``: only those with a final status. ``seen``: the span
    is that in which a message was first seen, whatever was reported of it since. ``pending_at``: only those that had no final
    status at that instant. ``slower``: only those whose latency is given and more than so many seconds.
    """

    start: Instant
    end: Instant
    by: Group = ()
    conditions: tuple[Condition, ...] = ()
    search: str | None = None
    within: Duration | None = None
    final: bool = False
    unit: Literal["messages", "parts"] = "messages"
    seen: bool = False
    pending_at: Instant | None = None
    slower: float | None = None

    def moved(self, start: Instant, end: Instant) -> "Question":
        """The same of another span."""
        return replace(self, start=start, end=end)

    def narrowed(self, conditions: Sequence[Condition]) -> "Question":
        """The same with further conditions."""
        return replace(self, conditions=(*self.conditions, *(c for c in conditions if c not in self.conditions)))


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by group: the groups' codes ascending (see `Reading.labels`), groups with none left out."""

    codes: Codes
    counts: Codes

    def at(self, codes: Codes) -> Codes:
        """The count of each of ``codes``, 0 where it has none."""
        if not len(self.codes):
            return np.zeros(len(codes), np.int64)
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[places] == codes, self.counts[places], 0)


_ALWAYS: Instant = (1 << 63) - 1


class Reading:
    """Answers questions about a window as it is now. ``time``: by which time messages stand in a span; questions of the other
    time are handed on."""

    def __init__(self, window: Window, time: Literal["date", "first_seen"] = "date") -> None:
        self.window = window
        self.measured: dict[object, object] = {}
        """What `monitor.window.measures` has worked out, by what was asked."""
        self._time = time
        self._first_seen: Reading | None = None
        self._rows: dict[tuple[Instant, Instant, str], Rows] = {}
        self._codes: dict[tuple[Instant, Instant, str, str], Codes] = {}
        self._masks: dict[tuple[Instant, Instant, str, object], Mask] = {}
        self._groups: dict[tuple[Instant, Instant, str, Group], Codes] = {}
        self._fits: dict[Question, Mask | None] = {}
        self._tallies: dict[Question, Tally] = {}
        self._recipients: NDArray[np.uint64] | None = None

    # Counting

    def tally(self, question: Question) -> Tally:
        """How many there are in each group."""
        if question.seen and self._time == "date":
            return self.of_first_seen.tally(question)
        known = self._tallies.get(question)
        if known is None:
            codes = self._grouped(question)
            known = self._tallies[question] = _count(codes, self._radix(question.by))
        return known

    def labels(self, by: Group, code: int) -> Group:
        """The values of the fields ``by`` of the group with that code."""
        values: list[str] = []
        for name in reversed(by):
            code, digit = divmod(code, self._size(name))
            values.append(self._text(name, digit))
        return tuple(reversed(values))

    def code(self, by: Group, values: Group) -> int | None:
        """The code of a group, None where one of its values was never seen."""
        code = 0
        for name, value in zip(by, values, strict=True):
            digit = self._digit(name, value)
            if digit is None:
                return None
            code = code * self._size(name) + digit
        return code

    def rows(self, question: Question, group: int | None = None) -> Rows:
        """The rows of the window that are meant, of one group only where it is given."""
        if question.seen and self._time == "date":
            return self.of_first_seen.rows(question, group)
        rows = self._span(question)
        fits = self._fit(question)
        if group is not None:
            same = self._codes_of(question) == group
            fits = same if fits is None else fits & same
        return rows if fits is None else rows[fits]

    def grouped(self, question: Question) -> tuple[Rows, Codes]:
        """The rows that are meant, and the code of each one's group."""
        if question.seen and self._time == "date":
            return self.of_first_seen.grouped(question)
        return self.rows(question), self._grouped(question)

    def digits(self, name: str, rows: Rows) -> Codes:
        """The values of a field as numbers, from 0 to less than `size`."""
        return self._digits(name, rows)

    def digit(self, name: str, value: str) -> int | None:
        """The number of one value, None where it was never seen."""
        return self._digit(name, value)

    def size(self, name: str) -> int:
        """More than the largest of a field's `digits`."""
        return self._size(name)

    @property
    def of_first_seen(self) -> "Reading":
        """A reading whose spans are of the time at which messages were first seen."""
        if self._first_seen is None:
            self._first_seen = Reading(self.window, "first_seen")
        return self._first_seen

    def split(self, rows: Rows, name: str) -> dict[str, int]:
        """How many of ``rows`` have each value of a field."""
        counts = np.bincount(self._digits(name, rows), minlength=1)
        return {self._text(name, int(code)): int(counts[code]) for code in np.flatnonzero(counts)}

    def samples(self, rows: Rows, most: int) -> tuple[Sample, ...]:
        """The latest of ``rows``, newest first."""
        columns, dictionaries = self.window.columns, self.window.dictionaries
        newest = rows[np.argsort(columns["date"][rows], kind="stable")[::-1][:most]]

        def text(name: str, row: int) -> str:
            return dictionaries[name].texts[int(columns[name][row])]

        return tuple(
            Sample(
                message_id=self.window.ids.decode(int(columns["high"][row]), int(columns["low"][row])),
                to=text("recipient", row),
                status=text("status", row),
                detailed_status=text("detailedStatus", row),
                operator=text("operator", row),
                date=int(columns["date"][row]),
            )
            for row in newest.tolist()
        )

    # What questions share

    def _span(self, question: Question) -> Rows:
        key = (question.start, question.end, question.unit)
        rows = self._rows.get(key)
        if rows is None:
            kind = AS_PART if question.unit == "parts" else AS_MESSAGE
            rows = self._rows[key] = self._between(question.start, question.end, kind)
        return rows

    def _between(self, start: Instant, end: Instant, kind: int) -> Rows:
        columns = self.window.columns
        if self._time == "date":
            return columns.between(start, end, kind)
        rows = columns.between(start, _ALWAYS, kind)  # nothing is reported before it is first seen
        first_seen = columns["first_seen"][rows]
        return rows[(first_seen > start) & (first_seen <= end)]

    def _grouped(self, question: Question) -> Codes:
        codes, fits = self._codes_of(question), self._fit(question)
        return codes if fits is None else codes[fits]

    def _codes_of(self, question: Question) -> Codes:
        key = (question.start, question.end, question.unit, question.by)
        codes = self._groups.get(key)
        if codes is None:
            codes = np.zeros(len(self._span(question)), np.int64)
            for place, name in enumerate(question.by):
                digits = self._field(question, name)
                codes = digits if place == 0 else codes * self._size(name) + digits
            self._groups[key] = codes
        return codes

    def _field(self, question: Question, name: str) -> Codes:
        key = (question.start, question.end, question.unit, name)
        codes = self._codes.get(key)
        if codes is None:
            codes = self._codes[key] = self._digits(name, self._span(question))
        return codes

    def _fit(self, question: Question) -> Mask | None:
        """Which rows of the question's span are meant, None: all."""
        plain = replace(question, by=())
        if plain not in self._fits:
            fits: Mask | None = None
            for mask in self._conditions(question):
                fits = mask if fits is None else fits & mask
            self._fits[plain] = fits
        return self._fits[plain]

    def _conditions(self, question: Question) -> list[Mask]:
        masks = [self._mask(question, condition) for condition in question.conditions]
        if question.final:
            masks.append(self._shared(question, "final", lambda: self._is_final()[self._field(question, "status")]))
        if question.search is not None:
            name = question.search
            masks.append(self._shared(question, ("search", name), lambda: self._has(name)[self._searches(question)]))
        if question.within is not None:
            within = question.within
            masks.append(self._shared(question, within, lambda: self._delay(self._span(question)) <= within))
        return masks + self._unfinished(question)

    def _unfinished(self, question: Question) -> list[Mask]:
        masks = []
        if question.pending_at is not None:
            then = question.pending_at
            masks.append(self._shared(question, ("pending", then), lambda: self._pending(question, then)))
        if question.slower is not None:
            limit = question.slower
            masks.append(self._shared(question, ("slower", limit), lambda: self._slower(question, limit)))
        return masks

    def _pending(self, question: Question, then: Instant) -> Mask:
        """Which had no final status then: those that have none now, and those that got it later."""
        final = self._is_final()[self._field(question, "status")]
        return np.asarray(~final | (self.window.columns["date"][self._span(question)] > then))

    def _slower(self, question: Question, limit: float) -> Mask:
        return np.asarray(self.window.columns["latency"][self._span(question)] > max(limit, 0.0) * LATENCY_UNIT)

    def _shared(self, question: Question, what: object, make: "Make") -> Mask:
        key = (question.start, question.end, question.unit, what)
        mask = self._masks.get(key)
        if mask is None:
            mask = self._masks[key] = make()
        return mask

    def _mask(self, question: Question, condition: Condition) -> Mask:
        if condition.field == "to" and condition.operator in ("is", "is_not"):
            return self._shared(question, condition, lambda: self._recipient(condition, self._span(question)))
        if condition.field == "account":
            fits = condition.matches({"account": self.window.account})
            return np.full(len(self._span(question)), fits, np.bool_)
        return self._shared(question, condition, lambda: self._lut(condition)[self._field_or_text(question, condition)])

    def _field_or_text(self, question: Question, condition: Condition) -> Codes:
        if condition.field == "to":
            return self.window.columns["recipient"][self._span(question)].astype(np.int64)
        return self._field(question, condition.field)

    def _lut(self, condition: Condition) -> Mask:
        """Which codes of the field fit; worked out once for each text, since dictionaries only grow."""
        name = "recipient" if condition.field == "to" else condition.field
        texts, known = self._dictionary(name).texts, self.window.fitting.get(condition, np.zeros(0, np.bool_))
        if len(known) < len(texts):
            fresh = [condition.matches({condition.field: text}) for text in texts[len(known) :]]
            known = self.window.fitting[condition] = np.concatenate([known, np.array(fresh, np.bool_)])
        return known

    def _recipient(self, condition: Condition, rows: Rows) -> Mask:
        wanted = self.window.privacy.hashes(condition.values)
        return np.isin(self.window.columns["to"][rows], wanted, invert=condition.operator == "is_not")

    def _is_final(self) -> Mask:
        return np.array([text in FINAL for text in self._dictionary("status").texts], np.bool_)

    def _has(self, search: str) -> Mask:
        sets = self.window.searches
        return np.array([search in sets.members(code) for code in range(len(sets.dictionary))], np.bool_)

    def _searches(self, question: Question) -> Codes:
        return self._field(question, "searches")

    def _delay(self, rows: Rows) -> NDArray[np.int64]:
        """From sending to the present report, in microseconds: the latency where it is given, else since it was first seen."""
        columns = self.window.columns
        latency = columns["latency"][rows].astype(np.int64)
        waited = columns["date"][rows] - columns["first_seen"][rows]
        return np.where(latency == NOT_GIVEN, waited, latency * MILLISECOND)

    # Fields as digits

    def _dictionary(self, name: str) -> Dictionary:
        return self.window.dictionaries[name]

    def _radix(self, by: Group) -> int:
        size = 1
        for name in by:
            size *= self._size(name)
        if size > 1 << 62:
            raise ValueError(f"grouping by {', '.join(by)} gives more groups than can be told apart; name fewer fields")
        return size

    def _size(self, name: str) -> int:
        if name == "to":
            return len(self._known_recipients())
        return 1 if name == "account" else max(len(self._dictionary(name)), 1)

    def _known_recipients(self) -> NDArray[np.uint64]:
        if self._recipients is None:
            columns = self.window.columns
            self._recipients = np.unique(columns["to"][: columns.length])
        return self._recipients

    def _digits(self, name: str, rows: Rows) -> Codes:
        if name == "account":
            return np.zeros(len(rows), np.int64)
        if name == "to":
            return np.searchsorted(self._known_recipients(), self.window.columns["to"][rows])
        return self.window.columns[name][rows].astype(np.int64)

    def _digit(self, name: str, value: str) -> int | None:
        if name == "account":
            return 0 if value == self.window.account else None
        if name == "to":
            tail = value.rpartition("#")[2]
            found = [i for i, known in enumerate(self._known_recipients()) if f"{int(known):016x}"[:8] == tail]
            return found[0] if found else None
        return self._dictionary(name).code(value.replace(", ", GROUPS_SEPARATOR) if name == "groups" else value)

    def _text(self, name: str, digit: int) -> str:
        if name == "account":
            return self.window.account
        if name == "to":
            return self._recipient_text(digit)
        text = self._dictionary(name).texts[digit]
        return text.replace(GROUPS_SEPARATOR, ", ") if name == "groups" else text

    def _recipient_text(self, digit: int) -> str:
        """The text that may be shown, and part of the hash, since different numbers can look alike."""
        columns = self.window.columns
        hashed = self._known_recipients()[digit]
        row = int(np.flatnonzero(columns["to"][: columns.length] == hashed)[0])
        text = self._dictionary("recipient").texts[int(columns["recipient"][row])]
        return text if self.window.privacy.mode == "show" else f"{text}#{int(hashed):016x}"[: len(text) + 9]


class Make(Protocol):
    def __call__(self) -> Mask: ...


def _count(codes: Codes, radix: int) -> Tally:
    if radix <= _COUNTABLE:
        counts = np.bincount(codes, minlength=1)
        present = np.flatnonzero(counts)
        return Tally(present, counts[present])
    return Tally(*np.unique(codes, return_counts=True))
