"""What a detector gets to see of a week: numbers of messages by group and time, each counted from the poll on that has seen it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.polling import Polls, Seconds
from benchmarks.detection.traffic import DAY, MINUTE
from benchmarks.detection.week import DAYS, Week

Ints = NDArray[np.int64]
Marked = NDArray[np.bool_]

TICK: Final = 30
"""Seconds between two polls."""
TICKS: Final = DAYS * DAY // TICK
MINUTES: Final = DAYS * DAY // MINUTE
MOST_GROUPS: Final = 400


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one way to group. ``code`` is each message's group (-1: in none), ``labels`` what each group is called."""

    code: NDArray[np.int32]
    labels: list[dict[str, int]]

    def __len__(self) -> int:
        return len(self.labels)


class Feed:
    """The messages of a week as detectors may ask for them."""

    def __init__(self, week: Week, polls: Polls | None = None) -> None:
        self.week = week
        self.polls = polls or Polls()

    @cached_property
    def seen(self) -> Seconds:
        """When each message's final report was seen first."""
        return self.polls.seen(self.week.messages.sent, self.week.messages.reported)

    @cached_property
    def delay(self) -> Seconds:
        """Seconds from sending to the final report."""
        return self.week.messages.reported - self.week.messages.sent

    def groups(self, by: Sequence[str]) -> Groups:
        """Groups by operator, country, sender, campaign, or several of them; an operator has its country beside it. None: one group.

        The largest groups only, at most MOST_GROUPS.
        """
        sent, country = self.week.messages, self.week.account.country
        columns = {"operator": sent.operator, "sender": sent.sender, "campaign": sent.campaign}
        columns["country"] = country.astype(np.int16)[sent.operator]
        code = np.zeros(len(sent), np.int32)
        for name in by:
            code = code * np.int32(1000) + columns[name]
        if "campaign" in by:
            code[sent.campaign < 0] = -1
        size = np.bincount(code[code >= 0]) if len(code) else np.zeros(0, int)
        keys = np.sort(np.argsort(size)[::-1][:MOST_GROUPS])
        keys = keys[size[keys] > 0]
        position = np.full(max(len(size), 1), -1, np.int32)
        position[keys] = np.arange(len(keys))
        return Groups(np.where(code >= 0, position[code], np.int32(-1)), [self._labels(by, int(key)) for key in keys])

    def _labels(self, by: Sequence[str], key: int) -> dict[str, int]:
        labels = dict(zip(reversed(by), (key // 1000**place % 1000 for place in range(len(by))), strict=True))
        if "operator" in labels:
            labels["country"] = int(self.week.account.country[labels["operator"]])
        if "campaign" in labels:
            labels["country"] = self._campaign_country[labels["campaign"]]
        return labels

    @cached_property
    def _campaign_country(self) -> dict[int, int]:
        sent = self.week.messages
        numbers, first = np.unique(sent.campaign, return_index=True)
        return {int(n): int(self.week.account.country[sent.operator[i]]) for n, i in zip(numbers, first, strict=True)}

    def by_tick(self, groups: Groups, at: Seconds, which: Marked) -> NDArray[np.int32]:
        """Messages by group and tick of ``at`` (seconds): those that ``which`` marks."""
        tick = at // np.int32(TICK)
        counted = which & (groups.code >= 0) & (tick < TICKS)
        cell = groups.code[counted].astype(np.int64) * TICKS + tick[counted]
        return np.bincount(cell, minlength=len(groups) * TICKS).reshape(len(groups), TICKS).astype(np.int32)

    def in_window(self, groups: Groups, window: int, which: Marked) -> Ints:
        """By group and minute: final reports that had been seen then and are dated within the ``window`` seconds before."""
        dated = self.week.messages.reported
        counted = np.flatnonzero(which & (groups.code >= 0) & (self.seen < DAYS * DAY))
        enters = -(-np.maximum(self.seen[counted], dated[counted]) // MINUTE).astype(np.int64)
        leaves = np.minimum(-(-(dated[counted].astype(np.int64) + window) // MINUTE), MINUTES)
        stays = enters < leaves
        cell = groups.code[counted][stays].astype(np.int64) * (MINUTES + 1)
        size = len(groups) * (MINUTES + 1)
        change = np.bincount(cell + enters[stays], minlength=size) - np.bincount(cell + leaves[stays], minlength=size)
        return np.cumsum(change.reshape(len(groups), MINUTES + 1), axis=1)[:, :MINUTES]
