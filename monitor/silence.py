"""Silences: what is not told for a while, although it fires."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from monitor.clock import MINUTE, Instant, iso
from monitor.intervals import TimeInterval
from monitor.matchers import Matcher, matches

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
    if not any(_narrows(matcher) for matcher in wanted):
        shown = ", ".join(map(str, wanted))
        raise ValueError(f"{shown} is met by alerts that lack the label as well: add a matcher that is not")
    if ends_at <= starts_at:
        raise ValueError(f"the silence ends ({iso(ends_at)}) before it begins ({iso(starts_at)})")
    if ends_at <= now:
        raise ValueError(f"the silence would have ended already, at {iso(ends_at)}")
    for what, text in (("who asks for it (createdBy)", created_by), ("why (comment)", comment)):
        if not text.strip():
            raise ValueError(f"a silence says {what}, so that others understand it")
    return Silence(id, wanted, max(starts_at, now), ends_at, created_by, comment, now, during)


def _narrows(matcher: Matcher) -> bool:
    """Whether it is more than a condition that the empty text meets; Alertmanager takes one that negates for enough."""
    return matcher.op in ("!=", "!~") or matcher.needs_label


_MOST_VALUES: Final = 50_000
"""Of so many values of labels it is remembered which silences look for them."""

_CROWD: Final = 16
"""So many silences filed under one value are many."""


class Silences:
    """All silences, found by the labels of an alert without looking at each.

    Each silence is filed under one of its matchers that only alerts with that label can meet: by the value if it is an equality, else
    by every value that turned up and meets it. ``version`` changes with each silence that is put or removed.
    """

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self.version = 0
        self._all: dict[str, Silence] = {}
        self._keys: dict[str, Matcher | None] = {}
        self._others: dict[str, tuple[Matcher, ...]] = {}
        self._equal: dict[tuple[str, str], dict[str, Silence]] = {}
        self._other: dict[str, dict[str, Silence]] = {}
        self._everywhere: dict[str, Silence] = {}
        self._met: dict[tuple[str, str], tuple[Silence, ...]] = {}
        for silence in silences:
            self.put(silence)

    def put(self, silence: Silence) -> None:
        """Add it, or replace the one with its id."""
        self.remove(silence.id)
        key = self._best_key(silence)
        self._all[silence.id], self._keys[silence.id] = silence, key
        self._others[silence.id] = tuple(matcher for matcher in silence.matchers if matcher is not key)
        self._drawer(key)[silence.id] = silence
        self._changed()

    def remove(self, silence_id: str) -> None:
        """Forget it; nothing where there is none with this id."""
        if self._all.pop(silence_id, None) is not None:
            key = self._keys.pop(silence_id)
            del self._others[silence_id]
            drawer = self._drawer(key)
            del drawer[silence_id]
            if not drawer and key is not None:
                self._equal.pop((key.name, key.value), None) if key.op == "=" else self._other.pop(key.name, None)
            self._changed()

    def get(self, silence_id: str) -> Silence | None:
        """The silence with this id."""
        return self._all.get(silence_id)

    def all(self) -> tuple[Silence, ...]:
        """Every silence, also those that are over, in the order in which they were put."""
        return tuple(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def candidates(self, labels: Labels) -> tuple[Silence, ...]:
        """The silences whose matchers an alert with these labels meets, whenever they are active. It can be kept while ``version`` stays."""
        return tuple([silence for silence in self._filed(labels) if matches(self._others[silence.id], labels)])

    def silencing(self, labels: Labels, now: Instant) -> tuple[str, ...]:
        """The ids of the silences that silence an alert with these labels now."""
        return tuple(silence.id for silence in self.candidates(labels) if silence.is_active(now))

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

    def _drawer(self, key: Matcher | None) -> dict[str, Silence]:
        if key is None:
            return self._everywhere
        if key.op == "=":
            return self._equal.setdefault((key.name, key.value), {})
        return self._other.setdefault(key.name, {})

    def _filed(self, labels: Labels) -> Iterator[Silence]:
        yield from self._everywhere.values()
        for name, value in labels.items():
            if found := self._equal.get((name, value)):
                yield from found.values()
            if name in self._other:
                yield from self._of_value(name, value)

    def _of_value(self, name: str, value: str) -> tuple[Silence, ...]:
        found = self._met.get((name, value))
        if found is None:
            if len(self._met) >= _MOST_VALUES:
                self._met.clear()
            drawer = self._other[name].values()
            found = tuple(silence for silence in drawer if _meets(self._keys[silence.id], value))
            self._met[name, value] = found
        return found


def _meets(key: Matcher | None, value: str) -> bool:
    return key is not None and key.accepts(value)
