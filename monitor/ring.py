"""The latest evaluations of each rule: what `explain`, the status page and sparklines show without judging the past again.

Of each rule only the groups that matter are kept, at most GROUPS: first those with an alert, then in turn the one nearest to (or
furthest beyond) its threshold and the one with most messages. Which ones these are is looked at again from time to time; a group
that comes in starts with an empty past.

Rules that count the same share one track while they have nothing to say: it has what was counted, of up to twice as many groups,
and that is compared with a rule's thresholds when somebody asks. A rule that is judged by itself has a track of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.clock import Instant
from monitor.evaluate import NOT_ENOUGH, Judgement, Moment
from monitor.evaluate.alike import Column, Numbers
from monitor.evaluate.judgement import UNHEARD_OF
from monitor.evaluate.names import Names, meaning
from monitor.evaluate.peers import Peers
from monitor.rules import Rule
from monitor.window import Codes

KEPT: Final = 60
"""So many evaluations of a group are kept."""
GROUPS: Final = 12
"""So many groups of a rule are kept at most."""
LOOK_AGAIN: Final = 30
"""After so many evaluations the groups are chosen anew."""

Group = tuple[tuple[str, str], ...]


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


@dataclass(frozen=True, slots=True)
class _Sample:
    """What a track takes: numbers by group, and how its groups are found.

    ``means`` stays the same thing as long as codes mean the same; None where they never do. ``judge`` gives the judgement by which
    groups are chosen, where it is time for that; ``alarmed`` are chosen in any case.
    """

    as_of: Instant
    codes: Codes
    columns: Sequence[Column]
    means: object
    code: Callable[[Group], int]
    judge: Callable[[], Judgement]
    below: bool
    alarmed: Sequence[Group] = ()


class Ring:
    """The latest evaluations of all rules of one account."""

    def __init__(self) -> None:
        self._own: dict[str, _Track] = {}
        self._shared: dict[str, _Part] = {}

    def take(self, rule: Rule, as_of: Instant, judgement: Judgement, alerts: Iterable[Group]) -> None:
        """Remember a judgement; one of the same moment replaces the one before."""
        track = self._own.get(rule.name)
        if track is None or track.by != judgement.by:
            track = self._own[rule.name] = _Track(judgement.by, 3, GROUPS, self._turn())
        alarmed = [group for group in alerts if tuple(name for name, _ in group) == track.by][:GROUPS]
        value = np.where(judgement.breached != NOT_ENOUGH, judgement.value, np.nan)
        columns = value, judgement.threshold, judgement.messages
        means, below = meaning(judgement), rule.comparison == "below"
        track.take(_Sample(as_of, judgement.codes, columns, means, judgement.code, lambda: judgement, below, alarmed))

    def take_shared(self, peers: Peers, moment: Moment, numbers: Numbers) -> None:
        """Remember what some of these rules were judged on that had nothing to say."""
        known = self._shared.get(peers.rules[0].name)
        if known is None or known.shared.peers is not peers:
            shared = _Shared(peers, len(numbers.columns), self._turn())
            self._shared |= {rule.name: _Part(rule, shared) for rule in peers.rules}
            known = self._shared[peers.rules[0].name]
        known.shared.take(moment, numbers)

    def of(self, rule: str, group: Group) -> tuple[Evaluation, ...]:
        """What is known of one group, oldest first; empty where it is not kept."""
        if not any(group in track.groups for track in self._tracks(rule)):
            return ()
        own, part = self._own.get(rule), self._shared.get(rule)
        found = {} if part is None else part.of(group)
        found |= {} if own is None else _evaluations(own.moments, own.rows(group))
        return tuple(found[as_of] for as_of in sorted(found)[-KEPT:])

    def groups(self, rule: str) -> tuple[Group, ...]:
        """The groups that are kept of a rule."""
        tracks = self._tracks(rule)
        return tuple(max(tracks, key=lambda track: track.latest).groups) if tracks else ()

    def _tracks(self, rule: str) -> "list[_Track]":
        own = [self._own[rule]] if rule in self._own else []
        return own + ([self._shared[rule].shared.track] if rule in self._shared else [])

    def forget(self, rule: str) -> None:
        """A rule is gone, or means something else now."""
        self._own.pop(rule, None)
        self._shared.pop(rule, None)

    def _turn(self) -> int:
        """Each track's turn to look again comes at another poll, so that no poll pays for all of them."""
        return (len(self._own) + len({id(part.shared) for part in self._shared.values()})) % LOOK_AGAIN


class _Shared:
    """The track of rules that count the same."""

    def __init__(self, peers: Peers, columns: int, turn: int) -> None:
        self.peers = peers
        self.track = _Track(peers.by, columns, GROUPS if len(peers.rules) == 1 else 2 * GROUPS, turn)
        self._chosen = 0

    def take(self, moment: Moment, numbers: Numbers) -> None:
        """Write down what was counted."""

        def code(group: Group) -> int:
            known = moment.reading.code(self.peers.by, tuple(value for _, value in group))
            return UNHEARD_OF if known is None else known

        def judge() -> Judgement:
            self._chosen += 1  # the groups that matter to one rule, then those that matter to the next
            return self.peers.judgement(self._chosen, moment)

        means = moment.reading.window.facets
        self.track.take(_Sample(moment.as_of, numbers.codes, numbers.columns, means, code, judge, self.peers.below))


@dataclass(frozen=True, slots=True)
class _Part:
    """One rule's part in a shared track."""

    rule: Rule
    shared: _Shared

    def of(self, group: Group) -> dict[Instant, Evaluation]:
        """What is known of one group, against the rule's thresholds."""
        rows = self.shared.track.rows(group)
        there = ~np.isnan(rows[:, 0])
        weighed = self.shared.peers.weigh(self.rule, tuple(rows[there].T))
        value = np.where(weighed.breached != NOT_ENOUGH, weighed.value, np.nan)
        found = np.full((len(rows), 3), np.nan)
        found[there] = np.stack([value, weighed.threshold, weighed.messages], axis=1)
        return _evaluations(self.shared.track.moments, found)


class _Track:
    """Numbers of some groups: a row an evaluation (the latest KEPT of them, around and around), a place a group."""

    def __init__(self, by: tuple[str, ...], columns: int, most: int, turn: int) -> None:
        self.by = by
        self.groups: list[Group] = []
        self._most = most
        self._numbers = np.full((KEPT, columns, 0), np.nan)
        self._moments: list[Instant] = []
        self._next = 0
        self._wait = turn
        self._names = Names()
        self._means: object = None
        self._codes: Codes = np.zeros(0, np.int64)
        self._places = _Places(self._codes, self._codes)

    @property
    def latest(self) -> Instant:
        """The latest moment."""
        return max(self._moments, default=0)

    @property
    def moments(self) -> list[Instant]:
        """The moments, oldest first."""
        return [self._moments[row] for row in self._order]

    @property
    def _order(self) -> list[int]:
        count = len(self._moments)
        first = self._next if count == KEPT else 0
        return [(first + number) % KEPT for number in range(count)]

    def rows(self, group: Group) -> NDArray[np.float64]:
        """The numbers of one group at each of the moments, NaN where there are none."""
        if group not in self.groups:
            return np.full((len(self._moments), self._numbers.shape[1]), np.nan)
        return np.asarray(self._numbers[self._order, :, self.groups.index(group)])

    def take(self, sample: _Sample) -> None:
        """Write a row; from time to time, and where something is missing, the groups are chosen anew first."""
        same = sample.means is not None and sample.means is self._means
        self._means = sample.means
        short = len(self.groups) < min(len(sample.codes), self._most)
        if short or self._wait < 0 or not all(group in self.groups for group in sample.alarmed):
            self._choose(sample)
            same = False
        self._wait = LOOK_AGAIN - 1 if self._wait < 0 else self._wait - 1
        if not same:
            self._codes = np.array([sample.code(group) for group in self.groups], np.int64)
        if not same or self._places.codes is not sample.codes:
            self._places = _Places(sample.codes, self._codes)
        self._places.write(self._numbers[self._row(sample.as_of)], sample.columns)

    def _row(self, as_of: Instant) -> int:
        latest = (self._next - 1) % KEPT
        if self._moments and self._moments[latest if len(self._moments) == KEPT else -1] == as_of:
            return latest
        row = self._next
        if len(self._moments) < KEPT:
            self._moments.append(as_of)
        else:
            self._moments[row] = as_of
        self._next = (row + 1) % KEPT
        return row

    def _choose(self, sample: _Sample) -> None:
        """Choose the groups anew: those that stay keep their place and their past."""
        judgement = sample.judge()
        self._names.begin(judgement)
        telling = (self._names.group(judgement, at) for at in _telling(judgement, sample.below, self._most))
        wanted = list(dict.fromkeys([*sample.alarmed, *telling]))[: self._most]
        kept = [place for place, group in enumerate(self.groups) if group in wanted]
        staying = {self.groups[place] for place in kept}
        fresh = [group for group in wanted if group not in staying]
        # A group that says nothing any more keeps its place until someone needs it.
        idle = [place for place in range(len(self.groups)) if place not in kept][: self._most - len(kept) - len(fresh)]
        stay = sorted(kept + idle)
        blank = np.full((KEPT, self._numbers.shape[1], len(fresh)), np.nan)
        self._numbers = np.concatenate([self._numbers[:, :, stay], blank], axis=2)
        self.groups = [self.groups[place] for place in stay] + fresh


class _Places:
    """Where among ``codes`` the groups of a track are."""

    def __init__(self, codes: Codes, wanted: Codes) -> None:
        self.codes = codes
        order = np.argsort(codes, kind="stable")  # not every kind gives its groups in this order
        ranks = np.searchsorted(codes, wanted, sorter=order)
        places = np.append(order, -1)[np.where(ranks < len(codes), ranks, -1)]
        here = np.append(codes, UNHEARD_OF)[places] == wanted
        here &= places >= 0
        self._places, self._here = places[here], None if here.all() else here

    def write(self, row: NDArray[np.float64], columns: Sequence[Column]) -> None:
        """Write the numbers of the groups, NaN for those that are not there."""
        here = self._here
        if here is not None:
            row[:] = np.nan
        for number, column in enumerate(columns):
            if here is None:
                row[number] = column[self._places]
            else:
                row[number, here] = column[self._places]


def _evaluations(moments: Iterable[Instant], rows: NDArray[np.float64]) -> dict[Instant, Evaluation]:
    return {as_of: _evaluation(as_of, row) for as_of, row in zip(moments, rows.tolist(), strict=True)}


def _evaluation(as_of: Instant, numbers: list[float]) -> Evaluation:
    value, threshold, messages = (None if np.isnan(number) else number for number in numbers)
    return Evaluation(as_of, value, threshold, int(messages or 0))


def _telling(judgement: Judgement, below: bool, most: int) -> list[int]:
    """The places of groups worth keeping: in turn the worst and the most voluminous."""
    if len(judgement) <= most:
        return list(range(len(judgement)))
    ratio = (judgement.value + 1e-9) / (judgement.threshold + 1e-9)
    badness = -ratio if below else ratio
    badness = np.where((judgement.breached == NOT_ENOUGH) | np.isnan(badness), -np.inf, badness)
    worst = np.argpartition(-badness, most)[:most]
    worst = worst[np.argsort(-badness[worst], kind="stable")]
    largest = np.argpartition(-judgement.messages, most)[:most]
    largest = largest[np.argsort(-judgement.messages[largest], kind="stable")]
    both = np.stack([worst, largest], axis=1).ravel().tolist()
    return list(dict.fromkeys(both))[:most]
