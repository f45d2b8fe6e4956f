"""Which messages of the time that a rule looks at are still to be read from Routee: new to this daemon, or lost from its store."""

from typing import Final

from monitor.model.routee_query import LOOK_BACK
from monitor.runtime.clock import Duration, Instant

UNREAD: Final = "are not read from Routee yet"
"""What is so of messages that are still to be read, whether they are new to this daemon or were lost from its store."""
LOST: Final = "were lost from the store, and are not read again from Routee yet"
"""What became of messages that cannot be read from the store."""


def missing_before(as_of: Instant, reach: Duration, lost_to: Instant, covered_since: Instant) -> Instant | None:
    """Returns before when messages are missing of the time that reaches so far back of ``as_of``; None if none are.

    All before ``lost_to`` were lost, and those since ``covered_since`` are known again. What is older than LOOK_BACK is not missing: Routee
    is not asked for it, so that nothing can be waited for.
    """
    before = min(lost_to, covered_since)
    return before if as_of - readable(reach) < before else None


def readable(reach: Duration) -> Duration:
    """Returns how much of the time that a rule looks back Routee can be asked for."""
    return min(reach, LOOK_BACK)
