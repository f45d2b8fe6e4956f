"""Silences: suppress notifications of matching alerts for a time."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from monitor.routing.entered_text import entered_comment, entered_name
from monitor.routing.matchers import Matcher, check_ready, check_written, instructions, matches
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import LATEST, MINUTE, Duration, Instant, iso
from monitor.runtime.dataclass import dataclass

Labels = Mapping[str, str]


class Silence(msgspec.Struct, frozen=True):
    """Suppresses alerts that all of the matchers match, from ``starts_at`` until before ``ends_at``. With ``during``, only at those times."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: Instant
    ends_at: Instant
    created_by: str
    comment: str
    updated_at: Instant
    during: TimeInterval | None = None

    def state(self, now: Instant) -> Literal["active", "pending", "expired"]:
        """Returns the state as Alertmanager names it. A recurring silence is active from its start to its end, also between its times."""
        if now >= self.ends_at:
            return "expired"
        return "active" if now >= self.starts_at else "pending"

    def is_active(self, now: Instant) -> bool:
        """Returns whether it suppresses alerts now."""
        return self.starts_at <= now < self.ends_at and (self.during is None or self.during.contains(now))

    def goes_on_as(self, other: "Silence", now: Instant) -> bool:
        """Returns whether ``other`` may replace this silence under the same id, by Alertmanager's rule: the matchers are the same, this
        silence is not expired, and an active one keeps its start (or starts when ``other`` was requested)."""
        if self.state(now) == "expired" or set(self.matchers) != set(other.matchers):
            return False
        return self.state(now) == "pending" or other.starts_at in (self.starts_at, other.updated_at)

    def next_change(self, now: Instant) -> Instant | None:
        """Returns when to check again whether it is active; None if it has expired. A recurring silence is checked every minute."""
        if now >= self.ends_at:
            return None
        if now < self.starts_at:
            return self.starts_at
        return self.ends_at if self.during is None else min(self.ends_at, (now // MINUTE + 1) * MINUTE)


def new_silence(
    matchers: Iterable[Matcher],
    *,
    starts_at: Instant,
    ends_at: Instant,
    created_by: str,
    comment: str,
    now: Instant,
    id: str,  # noqa: A002 - the field's name
    during: TimeInterval | None = None,
) -> Silence:
    """Returns a valid silence. A start in the past becomes ``now``; name and comment become safe to show.

    Raises ValueError with a sentence for the person who requested it.
    """
    wanted = tuple(matchers)
    if not wanted:
        raise ValueError("a silence needs at least one matcher: it would silence everything")
    check_written([(matcher.name, matcher.op, matcher.value) for matcher in wanted])
    check_ready(wanted)
    if not any(_narrows(matcher) for matcher in wanted):
        shown = ", ".join(map(str, wanted))
        raise ValueError(f"{shown} also matches alerts that lack the label: add a matcher that does not")
    if ends_at <= starts_at:
        raise ValueError(f"the silence ends ({iso(ends_at)}) before it begins ({iso(starts_at)})")
    if not 0 <= starts_at <= ends_at <= LATEST:
        raise ValueError("a silence begins after 1970 and ends before 9999")
    if ends_at <= now:
        raise ValueError(f"the silence would have ended already, at {iso(ends_at)}")
    by, why = entered_name(created_by, "the name (createdBy)"), entered_comment(comment, "the comment")
    for what, text in (("who asks for it (createdBy)", by), ("why (comment)", why)):
        if not text:
            raise ValueError(f"a silence must say {what}")
    if during is not None:
        _has_clock(during)
    return Silence(id, wanted, max(starts_at, now), ends_at, by, why, now, during)


def ended(silence: Silence, now: Instant) -> Silence:
    """Returns the silence with its end now; an expired one stays unchanged."""
    if silence.state(now) == "expired":
        return silence
    return msgspec.structs.replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now)


def replaced(before: Silence, wanted: Silence, now: Instant) -> list[Silence]:
    """Returns what is stored when ``wanted``, which has an id of its own, replaces ``before``: first the silence that is there afterwards.

    It keeps the id of ``before`` if it may (`Silence.goes_on_as`), with its start, and with its recurrence if ``wanted`` has none. Otherwise it
    is another silence, and ``before`` ends, unless it has expired.
    """
    if before.goes_on_as(wanted, now):
        began = before.starts_at if before.state(now) == "active" else wanted.starts_at
        during = wanted.during or before.during
        return [msgspec.structs.replace(wanted, id=before.id, starts_at=began, during=during)]
    return [wanted] if before.state(now) == "expired" else [wanted, ended(before, now)]


def extended(silence: Silence, by: Duration, now: Instant) -> Silence:
    """Returns the silence with a later end. Raises ValueError if it has expired."""
    if silence.state(now) == "expired":
        raise ValueError("the silence has expired: make a new one")
    if silence.ends_at + by > LATEST:
        raise ValueError("a silence ends before 9999")
    return msgspec.structs.replace(silence, ends_at=silence.ends_at + by, updated_at=now)


def _has_clock(during: TimeInterval) -> None:
    try:
        during.contains(0)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # zoneinfo raises different errors for different names
        raise ValueError(f"{during.location[:100]!r} is not a time zone; write it like Europe/Athens") from None


def _narrows(matcher: Matcher) -> bool:
    """Returns whether the matcher rejects the empty value or is a negation. Alertmanager accepts a silence that has such a matcher."""
    return matcher.op in ("!=", "!~") or matcher.needs_label


MOST_SILENCES: Final = 10_000
"""The most silences that are stored, expired ones included."""
_MOST_BYTES: Final = 64 << 20
"""The most bytes of all silences together, as `_size` estimates them."""
_MOST_INSTRUCTIONS: Final = 1 << 18
"""The most instructions of the regular expressions of all silences: matching one value with all of them takes 0.2 s at most."""


class SilenceQuota:
    """The room that is left for silences: their number, their bytes, and the instructions of their regular expressions."""

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._number, self._bytes, self._instructions = MOST_SILENCES, _MOST_BYTES, _MOST_INSTRUCTIONS
        for silence in silences:
            self._count(silence, 1)

    def takes(self, silence: Silence) -> bool:
        """Returns whether there is room for the silence, and reserves the room if so."""
        self._count(silence, 1)
        if self.is_exceeded:
            self._count(silence, -1)
            return False
        return True

    def free(self, silence: Silence) -> None:
        """Releases the room of a removed silence."""
        self._count(silence, -1)

    @property
    def is_exceeded(self) -> bool:
        return min(self._number, self._bytes, self._instructions) < 0

    def _count(self, silence: Silence, times: int) -> None:
        self._number -= times
        self._bytes -= times * _size(silence)
        self._instructions -= times * instructions(silence.matchers)


def _size(silence: Silence) -> int:
    """Estimates how many bytes the silence takes, in memory and in an answer."""
    texts = sum(len(matcher.name) + len(matcher.value) + 60 for matcher in silence.matchers)
    return 4 * (texts + len(silence.comment) + len(silence.created_by)) + 400


def make_room(silences: Iterable[Silence], wanted: Silence, now: Instant) -> list[str]:
    """Returns the ids of the expired silences to delete, the earliest first, to make room for ``wanted``. Raises ValueError if there is no
    room even without them."""
    others = [one for one in silences if one.id != wanted.id]
    room = SilenceQuota([*others, wanted])
    dropped = []
    for one in sorted((one for one in others if one.state(now) == "expired"), key=lambda one: one.ends_at):
        if not room.is_exceeded:
            break
        room.free(one)
        dropped.append(one.id)
    if room.is_exceeded:
        raise ValueError(
            f"no further silence can be stored: there are {len(others) - len(dropped)}, and {MOST_SILENCES} are the most, "
            "or their regular expressions are too large together; expire some, or write fewer and broader ones"
        )
    return dropped


_MOST_VALUES: Final = 50_000
"""The most label values for which the matching silences are cached."""

_LARGE_BUCKET: Final = 16
"""Above this number of silences, the index of one value is split further."""


@dataclass(frozen=True, slots=True)
class _IndexedSilence:
    """A silence in the index: the matcher that is its key, and of its other matchers the values that labels must equal, and the rest."""

    silence: Silence
    key: Matcher | None
    values: frozenset[tuple[str, str]]
    rest: tuple[Matcher, ...]

    def fits(self, labels: Labels) -> bool:
        """Returns whether labels that the key matches also meet all other matchers."""
        return self.values <= labels.items() and matches(self.rest, labels)


Bucket = dict[str, _IndexedSilence]
"""The silences under one key of the index, by their ids."""


class Silences:
    """All silences, with an index by which those for an alert's labels are found without testing each.

    The key of a silence is one of its matchers that only alerts with that label can meet. An equality is found by name and value. Any other
    key is found by its name, and the result is cached for each value of the label. Silences without a key are tested for every
    alert. ``version`` changes with each silence that is put or removed.
    """

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self.version = 0
        self._all: Bucket = {}
        self._equal: dict[tuple[str, str], Bucket] = {}
        self._other: dict[str, Bucket] = {}
        self._everywhere: Bucket = {}
        self._by_value: dict[tuple[str, str], tuple[_IndexedSilence, ...]] = {}
        for silence in silences:
            self.put(silence)

    def put(self, silence: Silence) -> None:
        """Adds the silence, or replaces the one with the same id."""
        self.remove(silence.id)
        entry = _entry(silence, self._best_key(silence))
        self._all[silence.id] = self._bucket(entry.key)[silence.id] = entry
        self._changed()

    def remove(self, silence_id: str) -> None:
        """Removes the silence; does nothing if the id does not exist."""
        entry = self._all.pop(silence_id, None)
        if entry is not None:
            bucket = self._bucket(entry.key)
            del bucket[silence_id]
            if not bucket:
                self._clear(entry.key)
            self._changed()

    def get(self, silence_id: str) -> Silence | None:
        """Returns the silence with this id; None if there is none."""
        entry = self._all.get(silence_id)
        return None if entry is None else entry.silence

    def all(self) -> tuple[Silence, ...]:
        """Returns every silence, also expired ones, in the order in which they were put."""
        return tuple(entry.silence for entry in self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def candidates(self, labels: Labels) -> tuple[Silence, ...]:
        """Returns the silences whose matchers match these labels, active or not. The result is valid while ``version`` stays the same."""
        return tuple([entry.silence for entry in self._indexed(labels) if entry.fits(labels)])

    def silencing(self, labels: Labels, now: Instant) -> tuple[str, ...]:
        """Returns the ids of the silences that suppress an alert with these labels now."""
        return tuple([silence.id for silence in self.candidates(labels) if silence.is_active(now)])

    def _changed(self) -> None:
        self.version += 1
        self._by_value.clear()

    def _best_key(self, silence: Silence) -> Matcher | None:
        """Returns the equality with the smallest bucket. Returns another matcher that needs its label if there is no equality, or if that
        bucket is large, because the equality (``severity="critical"``) narrows little. Returns None if there is no such matcher."""
        narrow = [matcher for matcher in silence.matchers if matcher.needs_label]
        equal = [matcher for matcher in narrow if matcher.op == "="]
        others = [matcher for matcher in narrow if matcher.op != "="]
        best = min(equal, key=self._bucket_size, default=None)
        return others[0] if others and (best is None or self._bucket_size(best) >= _LARGE_BUCKET) else best

    def _bucket_size(self, equality: Matcher) -> int:
        return len(self._equal.get((equality.name, equality.value), ()))

    def _bucket(self, key: Matcher | None) -> Bucket:
        if key is None:
            return self._everywhere
        if key.op == "=":
            return self._equal.setdefault((key.name, key.value), {})
        return self._other.setdefault(key.name, {})

    def _clear(self, key: Matcher | None) -> None:
        """Removes the key's index entry if it is empty."""
        if key is not None and key.op == "=":
            del self._equal[key.name, key.value]
        elif key is not None:
            del self._other[key.name]

    def _indexed(self, labels: Labels) -> Iterator[_IndexedSilence]:
        yield from self._everywhere.values()
        for name, value in labels.items():
            if found := self._equal.get((name, value)):
                yield from found.values()
            if name in self._other:
                yield from self._of_value(name, value)

    def _of_value(self, name: str, value: str) -> tuple[_IndexedSilence, ...]:
        found = self._by_value.get((name, value))
        if found is None:
            if len(self._by_value) >= _MOST_VALUES:
                self._by_value.clear()
            found = tuple([entry for entry in self._other[name].values() if entry.key and entry.key.accepts(value)])
            self._by_value[name, value] = found
        return found


def _entry(silence: Silence, key: Matcher | None) -> _IndexedSilence:
    others = [matcher for matcher in silence.matchers if matcher is not key]
    equal = [matcher for matcher in others if matcher.op == "=" and matcher.value]
    values = frozenset((matcher.name, matcher.value) for matcher in equal)
    return _IndexedSilence(silence, key, values, tuple(matcher for matcher in others if matcher not in equal))
