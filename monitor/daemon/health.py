"""Tracks whether the daemon is healthy and ready.

*Healthy* means that every loop makes progress; a supervisor restarts what is not. *Ready* means that what is shown is
complete: each search was polled once and the store can be written. Routee being down makes the daemon neither: restarting
it would not help.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import trio

from monitor.runtime.clock import SECOND, Duration, format_duration


class WebState(Protocol):
    """What the listener asks of the daemon. Both answers come from memory: a slow disk never delays a probe."""

    def stuck(self) -> Sequence[str]:
        """A sentence for each loop that makes no progress; empty: healthy."""

    def unready(self) -> Sequence[str]:
        """A sentence for each thing that is still missing; empty: ready."""

    def warnings(self) -> Sequence[str]:
        """A sentence for each thing that is wrong although the daemon is well and ready."""


_MOST_ASIDE = 5


class Health:
    """Collects the signs of life of the daemon's loops. ``now`` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float] = trio.current_time) -> None:
        self._now = now
        self._within: dict[str, Duration] = {}
        self._beats: dict[str, float] = {}
        self._unpolled: dict[tuple[str, str], None] = {}
        self._store_error = ""
        self._starting = True
        self._failing: dict[tuple[str, str], str] = {}
        self._known: set[tuple[str, str]] = set()
        self._new: dict[tuple[str, str], None] = {}
        self._reload_error = ""
        self._set_aside: list[str] = []
        self._troubles: dict[tuple[str, str], Callable[[], str]] = {}

    def expect(self, loop: str, within: Duration) -> None:
        """From now on ``loop`` is to `beat` at least once in ``within``."""
        self._within[loop] = within
        self._beats[loop] = self._now()

    def beat(self, loop: str) -> None:
        """``loop`` is alive."""
        self._beats[loop] = self._now()

    def forget(self, loop: str) -> None:
        """Notes that ``loop`` has ended normally."""
        self._within.pop(loop, None)
        self._beats.pop(loop, None)

    def searches(self, searches: Sequence[tuple[str, str]]) -> None:
        """These (account, search) are to be polled once before the daemon is ready."""
        self._unpolled = dict.fromkeys(searches)
        self._known = set(searches)
        self._starting = False

    def reloaded(self, searches: Sequence[tuple[str, str]]) -> None:
        """The searches (account, search) are these after a reload. Who was ready stays ready: new ones are waited for without it."""
        known = self._known | self._new.keys()
        self._unpolled = {search: None for search in self._unpolled if search in searches}
        self._new = {search: None for search in searches if search in self._new or search not in known}
        self._known = set(searches)

    def reload_failed(self, error: str = "") -> None:
        """Whether the last reload was refused: ``error`` says why, and is empty where it was not."""
        self._reload_error = error

    def set_aside(self, what: str) -> None:
        """Notes that stored data could not be restored; reported until the daemon restarts."""
        self._set_aside.append(what)

    def troubled(self, account: str, search: str, why: Callable[[], str]) -> None:
        """``why`` says at any time why polls of that search fail; empty where they do not."""
        self._troubles[account, search] = why

    def polled(self, account: str, search: str) -> None:
        """A poll of that search was complete and is committed."""
        self._unpolled.pop((account, search), None)
        self._new.pop((account, search), None)

    def store(self, error: str = "") -> None:
        """Whether the last write to the store went well: ``error`` is empty then."""
        self._store_error = error

    def channels(self, failing: Mapping[tuple[str, str], str]) -> None:
        """The channels (receiver, channel) that take nothing, and why."""
        self._failing = dict(failing)

    def warnings(self) -> Sequence[str]:
        """See `WebState`."""
        reload = (
            [f"The changed configuration has errors, and the daemon uses the previous one: {self._reload_error}"]
            if self._reload_error
            else []
        )
        channels = [
            f"Receiver {receiver} ({channel}) gets no notifications: {why}"
            for (receiver, channel), why in self._failing.items()
        ]
        return reload + self._set_aside[:_MOST_ASIDE] + channels + [self._unpolled_yet(*search) for search in self._new]

    def stuck(self) -> Sequence[str]:
        """See `WebState`."""
        now = self._now()
        silent = {loop: round((now - beat) * SECOND) for loop, beat in self._beats.items()}
        return [
            f"{loop}: no progress for {format_duration(silent[loop])}, expected every {format_duration(within)}"
            for loop, within in self._within.items()
            if silent[loop] > within
        ]

    def unready(self) -> Sequence[str]:
        """See `WebState`."""
        starting = ["The daemon is starting"] if self._starting else []
        polls = [self._unpolled_yet(*search) for search in self._unpolled]
        store = [f"The store cannot be written: {self._store_error}"] if self._store_error else []
        return starting + polls + store

    def _unpolled_yet(self, account: str, search: str) -> str:
        why = self._troubles[account, search]() if (account, search) in self._troubles else ""
        return f"Search {search} of account {account} has not been polled yet" + (f": {why}" if why else "")
