"""The latest evaluations of each rule: what `explain`, the status page and sparklines show without judging the past again.

Of each rule only the groups that matter are kept, at most GROUPS: first those with an alert, then in turn the one nearest to (or
furthest beyond) its threshold and the one with most messages. Which ones these are is looked at again from time to time; a group
that comes in starts with an empty past. Beside the latest evaluations some further apart are kept, as far back as sparklines reach.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.clock import HOUR, MINUTE, SECOND, Duration, Instant
from monitor.evaluate import NOT_ENOUGH, Judgement
from monitor.evaluate.names import Names
from monitor.rules import Balance, Rule, Windowed

KEPT: Final = 60
"""So many evaluations of a group are kept."""
SPACED: Final = 24
"""So many evaluations are kept that are `spacing` apart: as many as a sparkline shows."""
GROUPS: Final = 12
"""So many groups of a rule are kept at most."""
LOOK_AGAIN: Final = 30
"""After so many evaluations the groups are chosen anew."""

Group = tuple[tuple[str, str], ...]
_VALUE, _THRESHOLD, _MESSAGES = range(3)


class Observer(Protocol):
    """Who looks on while rules are judged."""

    def __call__(self, rule: Rule, as_of: Instant, judgement: Judgement, alerts: Iterable[Group], /) -> None:
        """``rule`` was judged; ``alerts`` are the groups that have an alert."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One group at one moment. ``value`` is None where there was not enough data, or none at all."""

    as_of: Instant
    value: float | None
    threshold: float | None
    messages: int


def spacing(rule: Rule) -> Duration:
    """How far apart the values of a rule's sparkline are: a quarter of its window."""
    if isinstance(rule, Balance):
        return HOUR
    return max(rule.window // 4, 30 * SECOND) if isinstance(rule, Windowed) else MINUTE


class Ring:
    """The latest evaluations of all rules of one account."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def take(self, rule: Rule, as_of: Instant, judgement: Judgement, alerts: Iterable[Group]) -> None:
        """Remember a judgement; one of the same moment replaces the one before."""
        track = self._tracks.get(rule.name)
        if track is None or track.by != judgement.by:
            # Each rule's turn to look again comes at another poll, so that no poll pays for all of them.
            track = self._tracks[rule.name] = _Track(judgement, len(self._tracks) % LOOK_AGAIN, spacing(rule))
        track.take(as_of, judgement, rule.comparison == "below", alerts)

    def of(self, rule: str, group: Group) -> tuple[Evaluation, ...]:
        """What is known of one group, oldest first; empty where it is not kept."""
        track = self._tracks.get(rule)
        return track.of(group) if track is not None else ()

    def course(self, rule: str, group: Group) -> tuple[Evaluation, ...]:
        """What is known of one group as far back as a sparkline reaches, oldest first; less and less dense towards the past."""
        track = self._tracks.get(rule)
        return track.course(group) if track is not None else ()

    def groups(self, rule: str) -> tuple[Group, ...]:
        """The groups that are kept of a rule."""
        track = self._tracks.get(rule)
        return tuple(track.groups) if track is not None else ()

    def forget(self, rule: str) -> None:
        """A rule is gone, or means something else now."""
        self._tracks.pop(rule, None)


class _Shelf:
    """Evaluations of all groups of a rule: a row a moment (the latest ``kept`` of them, around and around), a place a group."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._numbers = np.full((kept, 0, 3), np.nan)
        self._moments: list[Instant] = []
        self._next = 0

    @property
    def latest(self) -> Instant | None:
        """The moment that was put in last."""
        return self._moments[self._next - 1] if self._moments else None

    def put(self, as_of: Instant, numbers: NDArray[np.float64]) -> None:
        """Keep the numbers of a moment; in place of those of the same moment."""
        if self.latest == as_of:
            self._next = (self._next - 1) % self._kept
        self._moments[self._next : self._next + 1] = [as_of]
        self._numbers[self._next] = numbers
        self._next = (self._next + 1) % self._kept

    def rearrange(self, places: list[int], fresh: int) -> None:
        """Keep only the groups at those places, in that order, and make room for so many more."""
        blank = np.full((self._kept, fresh, 3), np.nan)
        self._numbers = np.concatenate([self._numbers[:, places], blank], axis=1)

    def of(self, place: int) -> list[Evaluation]:
        """What is kept of a group, oldest first, from when it came in."""
        count = len(self._moments)
        first = self._next if count == self._kept else 0
        order = [(first + number) % count for number in range(count)]
        known = [row for row in order if not np.isnan(self._numbers[row, place, _MESSAGES])]
        return [_evaluation(self._moments[row], self._numbers[row, place].tolist()) for row in known]


class _Track:
    """One rule's groups that are kept, and their numbers."""

    def __init__(self, judgement: Judgement, turn: int, apart: Duration) -> None:
        self.by = judgement.by
        self.groups: list[Group] = []
        self._latest, self._spaced = _Shelf(KEPT), _Shelf(SPACED)
        self._apart = apart
        nothing = judgement.absent(()).value
        self._nothing = (np.nan if nothing is None else nothing, np.nan, 0.0)
        """The numbers of a group of which nothing is found."""
        self._blank = np.empty((0, 3))
        self._wait = turn
        self._names = Names()
        self._codes = np.zeros(0, np.int64)

    def take(self, as_of: Instant, judgement: Judgement, below: bool, alerts: Iterable[Group]) -> None:
        same = self._names.begin(judgement)
        own = [group for group in alerts if tuple(name for name, _ in group) == self.by]
        alarmed = own[:GROUPS]
        short = len(self.groups) < min(len(judgement), GROUPS)
        if short or self._wait < 0 or not all(group in self.groups for group in alarmed):
            self._choose(judgement, below, alarmed)
            same = False
        self._wait = LOOK_AGAIN - 1 if self._wait < 0 else self._wait - 1
        if not same:
            self._codes = np.array([judgement.code(group) for group in self.groups], np.int64)
        numbers = self._numbers(judgement)
        self._latest.put(as_of, numbers)
        if self._spaced.latest is None or not 0 < as_of - self._spaced.latest < self._apart:
            self._spaced.put(as_of, numbers)

    def _numbers(self, judgement: Judgement) -> NDArray[np.float64]:
        numbers = self._blank.copy()
        if not len(judgement):
            return numbers
        order = np.argsort(judgement.codes, kind="stable")  # not every kind gives its groups in this order
        ranks = np.searchsorted(judgement.codes, self._codes, sorter=order)
        places = order[np.minimum(ranks, len(judgement) - 1)]
        here = judgement.codes[places] == self._codes
        places = places[here]
        enough = judgement.breached[places] != NOT_ENOUGH
        numbers[here, _VALUE] = np.where(enough, judgement.value[places], np.nan)
        numbers[here, _THRESHOLD] = judgement.threshold[places]
        numbers[here, _MESSAGES] = judgement.messages[places]
        return numbers

    def _choose(self, judgement: Judgement, below: bool, alarmed: list[Group]) -> None:
        """Choose the groups anew: those that stay keep their place and their past."""
        wanted = list(
            dict.fromkeys([*alarmed, *(self._names.group(judgement, at) for at in _telling(judgement, below))])
        )
        kept = [place for place, group in enumerate(self.groups) if group in wanted[:GROUPS]]
        staying = {self.groups[place] for place in kept}
        fresh = [group for group in wanted[:GROUPS] if group not in staying]
        # A group that says nothing any more keeps its place until someone needs it.
        idle = [place for place in range(len(self.groups)) if place not in kept][: GROUPS - len(kept) - len(fresh)]
        stay = sorted(kept + idle)
        for shelf in (self._latest, self._spaced):
            shelf.rearrange(stay, len(fresh))
        self.groups = [self.groups[place] for place in stay] + fresh
        self._blank = np.tile(self._nothing, (len(self.groups), 1))

    def of(self, group: Group) -> tuple[Evaluation, ...]:
        return tuple(self._latest.of(self.groups.index(group))) if group in self.groups else ()

    def course(self, group: Group) -> tuple[Evaluation, ...]:
        latest = self.of(group)
        if not latest:
            return ()
        spaced = self._spaced.of(self.groups.index(group))
        return (*(one for one in spaced if one.as_of < latest[0].as_of), *latest)


def _evaluation(as_of: Instant, numbers: list[float]) -> Evaluation:
    value, threshold, messages = (None if np.isnan(number) else number for number in numbers)
    return Evaluation(as_of, value, threshold, int(messages or 0))


def _telling(judgement: Judgement, below: bool) -> list[int]:
    """The places of groups worth keeping: in turn the worst and the most voluminous."""
    if len(judgement) <= GROUPS:
        return list(range(len(judgement)))
    ratio = (judgement.value + 1e-9) / (judgement.threshold + 1e-9)
    badness = -ratio if below else ratio
    badness = np.where((judgement.breached == NOT_ENOUGH) | np.isnan(badness), -np.inf, badness)
    worst = np.argpartition(-badness, GROUPS)[:GROUPS]
    worst = worst[np.argsort(-badness[worst], kind="stable")]
    largest = np.argpartition(-judgement.messages, GROUPS)[:GROUPS]
    largest = largest[np.argsort(-judgement.messages[largest], kind="stable")]
    both = np.stack([worst, largest], axis=1).ravel().tolist()
    return list(dict.fromkeys(both))[:GROUPS]
