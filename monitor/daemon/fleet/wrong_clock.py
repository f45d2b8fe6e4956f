"""Which accounts a worker leaves to others because its clock is wrong: it would tell that alerts are over whose messages lie beside its windows.

A clock that jumps while the worker runs does no harm (`monitor.runtime.guarded_clock`); a worker that starts with a wrong one believes it. It
compares it with the database's, which every beat brings. What no other worker holds or would take it takes all the same, since the
database's clock may be the one that is wrong. Pure.
"""

from collections.abc import Collection
from dataclasses import field
from typing import Final

from monitor.daemon.fleet.left_reasons import wrong_clock
from monitor.model.fleet import Fleet
from monitor.runtime.clock import MINUTE, SECOND, Duration
from monitor.runtime.dataclass import dataclass

MOST_OFF: Final[Duration] = MINUTE
"""The most that the clock may differ from the database's; the same as from Routee's."""
RIGHT_AGAIN: Final[Duration] = 45 * SECOND
"""The most that a clock differs that counts as right again: one that is just at MOST_OFF would be wrong at one beat and right at the next."""


@dataclass(slots=True)
class WrongClock:
    """What follows from this worker's clock. ``left_alone`` are the accounts that it leaves to others, and why."""

    left_alone: dict[str, str] = field(default_factory=dict)
    is_wrong: bool = False

    def follow(self, worker: int, held: Collection[str], fleet: Fleet, ahead: Duration) -> bool:
        """Takes the answer to a beat, at which this worker's clock was ``ahead`` of the database's. Returns whether ``is_wrong`` has changed.

        What it holds it keeps.
        """
        was, self.is_wrong = self.is_wrong, abs(ahead) > (RIGHT_AGAIN if self.is_wrong else MOST_OFF)
        others = [one for one in fleet.living if one.id != worker] if self.is_wrong else []
        theirs = {account for one in others for account in (*fleet.accounts_of(one.id), *one.takes)}
        self.left_alone = dict.fromkeys(theirs.difference(held), wrong_clock(ahead))
        return was != self.is_wrong
