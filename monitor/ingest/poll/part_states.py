"""Which parts of messages a page has, and whether their statuses may change, as arrays."""

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import FINAL, QUEUED
from monitor.model.routee_query import Page
from monitor.model.uuids import halves_of
from monitor.runtime.dataclass import dataclass

PartIds = NDArray[np.int64]
"""Hashes of parts, sorted. They differ from run to run."""
NOBODY: PartIds = np.array([], np.int64)

IS_FINAL: Final = 0
IS_QUEUED: Final = 1
IS_UNFINISHED: Final = 2
"""It is neither final nor Queued: Sent, or a status that Routee does not document."""
IS_UNREADABLE: Final = 3
"""The record could not be read."""

_SPREAD: Final = np.uint64(0xD6E8FEB86659FD93)
_KEY: Final = np.uint64(int.from_bytes(os.urandom(8)) | 1)
"""Makes the hashes others in each run, so that nobody can send two messages with one hash."""


@dataclass(frozen=True, slots=True)
class PartStates:
    """Parts by their hashes, and the state of each."""

    ids: PartIds
    states: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    def count(self, state: int) -> int:
        """Returns how many parts have that state."""
        return int(np.count_nonzero(self.states == state))

    def unfinished(self) -> PartIds:
        """Returns the parts whose status may change, Queued ones among them."""
        found: PartIds = self.ids[(self.states == IS_QUEUED) | (self.states == IS_UNFINISHED)]
        return found


def states_of(page: Page) -> PartStates:
    """Returns the parts on a page in its order, those of records that cannot be read behind the others."""
    batch = page.batch
    ids = (_hashes(batch.message_id) ^ batch.key.astype(np.uint64) * _SPREAD).view(np.int64)
    of_combination = np.fromiter(map(_state, batch.coded.values["status"]), np.uint8)
    states = of_combination[batch.coded.of]
    if page.rejected:
        unreadable = [hash(("", one.record)) for one in page.rejected]
        ids = np.append(ids, np.array(unreadable, np.int64))
        states = np.append(states, np.full(len(unreadable), IS_UNREADABLE, np.uint8))
    return PartStates(ids, states)


def _hashes(messages: Sequence[str]) -> NDArray[np.uint64]:
    """Returns a hash of each message's id, which is the same on every page."""
    high, low = halves_of(messages, _octets)
    mixed = high * _KEY
    mixed ^= mixed >> np.uint64(32)
    mixed += low
    mixed *= _SPREAD
    mixed ^= mixed >> np.uint64(29)
    return mixed * _KEY


def _octets(text: str) -> bytes:
    return hash(text).to_bytes(16, signed=True)


def _state(status: str) -> int:
    if status == QUEUED:
        return IS_QUEUED
    return IS_FINAL if status in FINAL else IS_UNFINISHED


def together(pages: Sequence[PartStates]) -> PartStates:
    """Returns each part once, sorted by its hash, with the state that it has where it occurs last."""
    ids = np.concatenate([NOBODY, *(page.ids for page in pages)])[::-1]
    states = np.concatenate([np.zeros(0, np.uint8), *(page.states for page in pages)])[::-1]
    found, last = np.unique(ids, return_index=True)
    return PartStates(found, states[last])
