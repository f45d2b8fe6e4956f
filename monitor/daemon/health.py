"""Tracks whether the daemon is healthy and ready.

*Healthy* means that every loop makes progress; a supervisor restarts what is not. *Ready* means that what is shown is
complete: each search that this daemon holds was polled once and the store can be written. Routee being down makes the daemon neither: restarting
it would not help.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import trio

from monitor.runtime.clock import SECOND, Duration, format_duration


class WebState(Protocol):
    """What the listener reads of the daemon's health. All answers come from memory, so that a slow disk never delays a probe."""

    def stuck(self) -> Sequence[str]:
        """Returns a sentence for each loop that makes no progress; empty: healthy."""

    def unready(self) -> Sequence[str]:
        """Returns a sentence for each thing that is missing; empty: ready."""

    def warnings(self) -> Sequence[str]:
        """Returns a sentence for each thing that is wrong although the daemon is healthy and ready."""


_MOST_QUARANTINED = 5


class Health:
    """Collects the signs of life of the daemon's loops. ``now`` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float] = trio.current_time) -> None:
        self._now = now
        self._within: dict[str, Duration] = {}
        self._beats: dict[str, float] = {}
        self._unpolled: dict[tuple[str, str], None] = {}
        self._polled: set[tuple[str, str]] = set()
        """What was polled before it was said what must be."""
        self._store_error = ""
        self._starting = True
        self._fleet = ""
        self._fleet_why: Callable[[], str] = str
        self._unreadable: dict[str, str] = {}
        self._unreadable_here: dict[str, str] = {}
        self._failing: dict[tuple[str, str], str] = {}
        self._known: set[tuple[str, str]] = set()
        self._new: dict[tuple[str, str], None] = {}
        self._taken: dict[tuple[str, str], None] = {}
        self._left: frozenset[tuple[str, str]] = frozenset()
        self._reload_error = ""
        self._quarantined: list[str] = []
        self._troubles: dict[tuple[str, str], Callable[[], str]] = {}
        self._waiting_ends: Callable[[], Sequence[str]] = tuple
        self._unread_messages: Callable[[], Sequence[str]] = tuple
        self.first_polls = trio.Event()
        """Set once every search was polled that had to be."""

    def expect(self, loop: str, within: Duration) -> None:
        """Expects `beat` from ``loop`` at least once within ``within`` from now on."""
        self._within[loop] = within
        self._beats[loop] = self._now()

    def beat(self, loop: str) -> None:
        """Notes a sign of life of ``loop``."""
        self._beats[loop] = self._now()

    def forget(self, loop: str) -> None:
        """Notes that ``loop`` has ended normally."""
        self._within.pop(loop, None)
        self._beats.pop(loop, None)

    def searches(self, searches: Sequence[tuple[str, str]]) -> None:
        """Takes the searches (account, search) that must be polled once before the daemon is ready, if they were not yet."""
        self._unpolled = {search: None for search in searches if search not in self._polled}
        self._known, self._new = set(searches), {}
        self._taken = {}
        self._starting = False

    def reloaded(self, searches: Sequence[tuple[str, str]]) -> None:
        """Replaces the searches (account, search) after a reload. A daemon that was ready stays ready; its new searches are only warned of."""
        known = self._known | self._new.keys()
        present = {*searches, *self._left}
        self._unpolled = {search: None for search in self._unpolled if search in present}
        self._taken = {search: None for search in self._taken if search in present}
        self._new = {search: None for search in searches if search in self._new or search not in known}
        self._known = present

    def accounts(self, searches: Sequence[tuple[str, str]], left: Collection[tuple[str, str]] = ()) -> None:
        """Replaces the searches (account, search) after other accounts are held. ``left`` are those that it left to other daemons because it
        could not poll them; what it never polled of them still counts.

        A daemon that was ready stays ready while it polls what it took for the first time, unless such polls fail: then other daemons are no
        worse, and whoever installs it is to see that.
        """
        self._left = frozenset(left)
        present = {*searches, *left}
        new = [search for search in searches if search not in self._known]
        self._unpolled = {search: None for search in self._unpolled if search in present}
        self._new = {search: None for search in self._new if search in present}
        self._taken = {search: None for search in (*self._taken, *new) if search in present}
        self._known = {*searches, *(search for search in self._known if search in self._left)}

    def fleet(self, trouble: str = "", why: Callable[[], str] = str) -> None:
        """Takes why this daemon cannot work for the accounts that it shares with others; empty if it can. ``why`` returns the present reason of
        that, which may change while it lasts.
        """
        self._fleet, self._fleet_why = trouble, why

    def unreadable(self, accounts: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
        """Takes the accounts that could not be read from the store, and why; those in ``elsewhere`` another daemon works for."""
        self._unreadable, self._unreadable_here = dict(accounts), dict(elsewhere)

    def reload_failed(self, error: str = "", *, was_read: bool = True) -> None:
        """Takes why the last reload was refused; empty if it was not. ``was_read``: the files answered, and something in them is wrong."""
        what = "The changed configuration has errors" if was_read else "The configuration was not read"
        self._reload_error = error and f"{what}, and the daemon uses the previous one: {error}"

    def quarantined(self, what: str) -> None:
        """Notes that stored data could not be restored; reported until the daemon restarts."""
        self._quarantined.append(what)

    def troubled(self, account: str, search: str, why: Callable[[], str]) -> None:
        """Takes a function that returns why polls of that search fail; it returns an empty text while they do not."""
        self._troubles[account, search] = why

    def waiting_ends(self, why: Callable[[], Sequence[str]]) -> None:
        """Takes a function that returns a sentence for each end of alerts that waits for other daemons."""
        self._waiting_ends = why

    def unread_messages(self, why: Callable[[], Sequence[str]]) -> None:
        """Takes a function that returns a sentence for each account with rules that wait, because messages are still to be read."""
        self._unread_messages = why

    def polled(self, account: str, search: str) -> None:
        """Notes that a complete poll of that search was committed."""
        if self._starting:
            self._polled.add((account, search))
        self._unpolled.pop((account, search), None)
        self._new.pop((account, search), None)
        self._taken.pop((account, search), None)
        if not self._unpolled:
            self.first_polls.set()

    def store(self, error: str = "") -> None:
        """Takes the error of the last write to the store; empty if it succeeded."""
        self._store_error = error

    def channels(self, failing: Mapping[tuple[str, str], str]) -> None:
        """Takes the channels (receiver, channel) that accept nothing, and why."""
        self._failing = dict(failing)

    def warnings(self) -> Sequence[str]:
        """See `WebState`."""
        reload = [self._reload_error] if self._reload_error else []
        channels = [
            f"Receiver {receiver} ({channel}) gets no notifications: {why}"
            for (receiver, channel), why in self._failing.items()
        ]
        unread = [
            f"Account {account} could not be read from the store by this daemon, and is left to another one: {why}"
            for account, why in self._unreadable_here.items()
        ]
        return (
            reload
            + unread
            + self._quarantined[:_MOST_QUARANTINED]
            + list(self._unread_messages())
            + list(self._waiting_ends())
            + channels
            + [self._unpolled_yet(*search) for search in (*self._new, *self._tried)]
        )

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
        failing = [search for search in self._taken if search not in self._tried]
        polls = [self._unpolled_yet(*search) for search in (*self._unpolled, *failing)]
        same = bool(self._fleet) and self._fleet_why() == self._store_error
        because = ", for the same reason" if same else f": {self._store_error}"
        store = [f"The store cannot be written{because}"] if self._store_error else []
        unread = [
            f"Account {account} cannot be read from the store, and is not watched by this daemon: {why}"
            for account, why in self._unreadable.items()
        ]
        fleet = [": ".join(filter(None, (self._fleet, self._fleet_why())))] if self._fleet else []
        return starting + fleet + store + unread + polls

    def beside_searches(self) -> list[str]:
        """Returns all that is stuck, missing or wrong, without what `trouble_of` says of each search."""
        of_searches = {self._unpolled_yet(*search) for search in (*self._unpolled, *self._new, *self._taken)}
        return [one for one in (*self.stuck(), *self.unready(), *self.warnings()) if one not in of_searches]

    def trouble_of(self, account: str, search: str) -> str:
        """Returns why polls of that search fail; empty while they do not."""
        return self._troubles[account, search]() if (account, search) in self._troubles else ""

    def _unpolled_yet(self, account: str, search: str) -> str:
        why = self.trouble_of(account, search)
        yet = " by this daemon, and is left to another one" if (account, search) in self._left else " yet"
        return f"Search {search} of account {account} has not been polled{yet}" + (f": {why}" if why else "")

    @property
    def _tried(self) -> list[tuple[str, str]]:
        """The searches that this daemon took, and polls for the first time without trouble so far."""
        return [search for search in self._taken if search not in self._left and not self.trouble_of(*search)]
