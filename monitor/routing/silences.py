"""Silences: suppress notifications of matching alerts for a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from monitor.routing.matchers import Matcher, check_ready, check_written, instructions, matches
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import LATEST, MINUTE, Instant, iso

Labels = Mapping[str, str]


class Silence(msgspec.Struct, frozen=True):
    """Alerts that meet all of the matchers are silent from ``starts_at`` until before ``ends_at``; with ``during``, only then in between."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: Instant
    ends_at: Instant
    created_by: str
    comment: str
    updated_at: Instant
    during: TimeInterval | None = None

    def state(self, now: Instant) -> Literal["active", "pending", "expired"]:
        """As Alertmanager names it; a recurring silence is active from its start to its end, also between its times."""
        if now >= self.ends_at:
            return "expired"
        return "active" if now >= self.starts_at else "pending"

    def is_active(self, now: Instant) -> bool:
        """Whether it silences now."""
        return self.starts_at <= now < self.ends_at and (self.during is None or self.during.contains(now))

    def goes_on_as(self, other: "Silence", now: Instant) -> bool:
        """Whether the other one is this one, changed: about the same alerts, and nothing of what has been is another. As Alertmanager says."""
        if self.state(now) == "expired" or set(self.matchers) != set(other.matchers):
            return False
        return self.state(now) == "pending" or other.starts_at in (self.starts_at, now)

    def next_change(self, now: Instant) -> Instant | None:
        """When to look again whether it silences; None: never. A recurring silence is looked at every minute."""
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
    """A silence that makes sense; one that began earlier begins now. Raises ValueError with a sentence for whoever asked for it."""
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
    for what, text in (("who asks for it (createdBy)", created_by), ("why (comment)", comment)):
        if not text.strip():
            raise ValueError(f"a silence must say {what}")
    if during is not None:
        _has_clock(during)
    return Silence(id, wanted, max(starts_at, now), ends_at, created_by, comment, now, during)


def _has_clock(during: TimeInterval) -> None:
    try:
        during.contains(0)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # what zoneinfo raises depends on what the name looks like
        raise ValueError(f"{during.location[:100]!r} is not a time zone; write it like Europe/Athens") from None


def _narrows(matcher: Matcher) -> bool:
    """Whether it is more than a condition that the empty text meets; Alertmanager takes one that negates for enough."""
    return matcher.op in ("!=", "!~") or matcher.needs_label


MOST_SILENCES: Final = 10_000
_MOST_BYTES: Final = 64 << 20
_MOST_INSTRUCTIONS: Final = 1 << 18
"""Of the regular expressions of all silences: a value of a label is matched with all of them in 0.2 s at most."""


class SilenceQuota:
    """What is left of the room for silences: number, size, and the size of their regular expressions."""

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._number, self._bytes, self._instructions = MOST_SILENCES, _MOST_BYTES, _MOST_INSTRUCTIONS
        for silence in silences:
            self._count(silence, 1)

    def takes(self, silence: Silence) -> bool:
        """Returns whether there is room for the silence, and reserves the room if so."""
        self._count(silence, 1)
        if self.is_overdrawn:
            self._count(silence, -1)
            return False
        return True

    def free(self, silence: Silence) -> None:
        """Releases the room of a removed silence."""
        self._count(silence, -1)

    @property
    def is_overdrawn(self) -> bool:
        return min(self._number, self._bytes, self._instructions) < 0

    def _count(self, silence: Silence, times: int) -> None:
        self._number -= times
        self._bytes -= times * _size(silence)
        self._instructions -= times * instructions(silence.matchers)


def _size(silence: Silence) -> int:
    """About how many bytes it takes, in memory and in an answer."""
    texts = sum(len(matcher.name) + len(matcher.value) + 60 for matcher in silence.matchers)
    return 4 * (texts + len(silence.comment) + len(silence.created_by)) + 400


def make_room(silences: Iterable[Silence], wanted: Silence, now: Instant) -> list[str]:
    """Which silences that are over are to be forgotten, the earliest first, for there to be room for ``wanted``. Raises ValueError where that
    is not enough."""
    others = [one for one in silences if one.id != wanted.id]
    room = SilenceQuota([*others, wanted])
    dropped = []
    for one in sorted((one for one in others if one.state(now) == "expired"), key=lambda one: one.ends_at):
        if not room.is_overdrawn:
            break
        room.free(one)
        dropped.append(one.id)
    if room.is_overdrawn:
        raise ValueError(
            f"no further silence can be stored: there are {len(others) - len(dropped)}, and {MOST_SILENCES} are the most, "
            "or their regular expressions are too large together; expire some, or write fewer and broader ones"
        )
    return dropped


_MOST_VALUES: Final = 50_000
"""The most label values for which the matching silences are cached."""

_CROWD: Final = 16
"""Above this number of silences, the index of one value is split further."""


@dataclass(frozen=True, slots=True)
class _Card:
    """A silence and what it asks: the matcher that it is filed under, and of the others those that need a value, and the rest."""

    silence: Silence
    key: Matcher | None
    values: frozenset[tuple[str, str]]
    rest: tuple[Matcher, ...]

    def suits(self, labels: Labels) -> bool:
        """Whether an alert that meets the key meets all of it."""
        return self.values <= labels.items() and matches(self.rest, labels)


Drawer = dict[str, _Card]


class Silences:
    """All silences, found by the labels of an alert without looking at each.

    Each silence is filed under one of its matchers that only alerts with that label can meet: by the value if it is an equality, else
    by every value that turned up and meets it. ``version`` changes with each silence that is put or removed.
    """

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self.version = 0
        self._all: Drawer = {}
        self._equal: dict[tuple[str, str], Drawer] = {}
        self._other: dict[str, Drawer] = {}
        self._everywhere: Drawer = {}
        self._met: dict[tuple[str, str], tuple[_Card, ...]] = {}
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
        """The silence with this id."""
        entry = self._all.get(silence_id)
        return None if entry is None else entry.silence

    def all(self) -> tuple[Silence, ...]:
        """Every silence, also those that are over, in the order in which they were put."""
        return tuple(entry.silence for entry in self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def candidates(self, labels: Labels) -> tuple[Silence, ...]:
        """The silences whose matchers an alert with these labels meets, whenever they are active. It can be kept while ``version`` stays."""
        return tuple([entry.silence for entry in self._filed(labels) if entry.suits(labels)])

    def silencing(self, labels: Labels, now: Instant) -> tuple[str, ...]:
        """The ids of the silences that silence an alert with these labels now."""
        return tuple([silence.id for silence in self.candidates(labels) if silence.is_active(now)])

    def _changed(self) -> None:
        self.version += 1
        self._met.clear()

    def _best_key(self, silence: Silence) -> Matcher | None:
        """The equality that the fewest others are filed under, else any other matcher that needs its label; so too where that equality
        (``severity="critical"``) narrows little, because many are filed under it."""
        narrow = [matcher for matcher in silence.matchers if matcher.needs_label]
        equal = [matcher for matcher in narrow if matcher.op == "="]
        others = [matcher for matcher in narrow if matcher.op != "="]
        best = min(equal, key=self._filed_with, default=None)
        return others[0] if others and (best is None or self._filed_with(best) >= _CROWD) else best

    def _filed_with(self, equality: Matcher) -> int:
        return len(self._equal.get((equality.name, equality.value), ()))

    def _bucket(self, key: Matcher | None) -> Drawer:
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

    def _filed(self, labels: Labels) -> Iterator[_Card]:
        yield from self._everywhere.values()
        for name, value in labels.items():
            if found := self._equal.get((name, value)):
                yield from found.values()
            if name in self._other:
                yield from self._of_value(name, value)

    def _of_value(self, name: str, value: str) -> tuple[_Card, ...]:
        found = self._met.get((name, value))
        if found is None:
            if len(self._met) >= _MOST_VALUES:
                self._met.clear()
            found = tuple([entry for entry in self._other[name].values() if entry.key and entry.key.accepts(value)])
            self._met[name, value] = found
        return found


def _entry(silence: Silence, key: Matcher | None) -> _Card:
    others = [matcher for matcher in silence.matchers if matcher is not key]
    equal = [matcher for matcher in others if matcher.op == "=" and matcher.value]
    values = frozenset((matcher.name, matcher.value) for matcher in equal)
    return _Card(silence, key, values, tuple(matcher for matcher in others if matcher not in equal))
