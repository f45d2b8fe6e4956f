"""Which messages are missing because they were lost from the store after they had been read, and are not read again yet."""

from typing import Final

from monitor.config.rules.model import LONGEST_WINDOW
from monitor.runtime.clock import Duration, Instant

LOST: Final = "were lost from the store, and are not read again from Routee yet"
"""What became of messages that cannot be read from the store."""


def missing_before(as_of: Instant, reach: Duration, lost_to: Instant, covered_since: Instant) -> Instant | None:
    """Returns before when messages are missing of the time that reaches so far back of ``as_of``; None if none are.

    All before ``lost_to`` were lost, and those since ``covered_since`` are known again. What is older than LONGEST_WINDOW is not missing: Routee
    does not have it either, so that nothing can be waited for.
    """
    before = min(lost_to, covered_since)
    return before if as_of - min(reach, LONGEST_WINDOW) < before else None
