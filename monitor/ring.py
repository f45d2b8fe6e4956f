"""The latest evaluations of each rule: what `explain`, the status page and sparklines show without judging the past again.

Of each rule only the groups that matter are kept, at most GROUPS: first those with an alert, then in turn the one nearest to (or
furthest beyond) its threshold and the one with most messages. Which ones these are is looked at again from time to time; a group
that comes in starts with an empty past.

Rules that count the same share one track while they have nothing to say: it has what was counted, of up to twice as many groups,
and that is compared with a rule's thresholds when somebody asks. A rule that is judged by itself has a track of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.clock import Instant
from monitor.evaluate import NOT_ENOUGH, Judgement, Moment
from monitor.evaluate.alike import Numbers
from monitor.evaluate.judgement import UNHEARD_OF
from monitor.evaluate.names import Group, meaning
from monitor.evaluate.peers import Peers
from monitor.rules import Rule
from monitor.track import KEPT, LOOK_AGAIN, Sample, Track

GROUPS: Final = 12
"""So many groups of a rule are kept at most."""


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


class Ring:
    """The latest evaluations of all rules of one account."""

    def __init__(self) -> None:
        self._own: dict[str, Track] = {}
        self._shared: dict[str, _Part] = {}

    def take(self, rule: Rule, as_of: Instant, judgement: Judgement, alerts: Iterable[Group]) -> None:
        """Remember a judgement; one of the same moment replaces the one before."""
        track = self._own.get(rule.name)
        if track is None or track.by != judgement.by:
            track = self._own[rule.name] = Track(judgement.by, 3, GROUPS, self._turn())
        alarmed = [group for group in alerts if tuple(name for name, _ in group) == track.by][:GROUPS]
        value = np.where(judgement.breached != NOT_ENOUGH, judgement.value, np.nan)
        columns = value, judgement.threshold, judgement.messages
        means, below = meaning(judgement), rule.comparison == "below"
        track.take(Sample(as_of, judgement.codes, columns, means, judgement.code, lambda: judgement, below, alarmed))

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

    def _tracks(self, rule: str) -> "list[Track]":
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
        self.track = Track(peers.by, columns, GROUPS if len(peers.rules) == 1 else 2 * GROUPS, turn)
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
        self.track.take(Sample(moment.as_of, numbers.codes, numbers.columns, means, code, judge, self.peers.below))


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


def _evaluations(moments: Iterable[Instant], rows: NDArray[np.float64]) -> dict[Instant, Evaluation]:
    return {as_of: _evaluation(as_of, row) for as_of, row in zip(moments, rows.tolist(), strict=True)}


def _evaluation(as_of: Instant, numbers: list[float]) -> Evaluation:
    value, threshold, messages = (None if np.isnan(number) else number for number in numbers)
    return Evaluation(as_of, value, threshold, int(messages or 0))
