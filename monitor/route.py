"""Who is told, and whether: grouping alerts and deciding, as pure functions with the time handed in."""

import msgspec

from monitor.clock import Instant


class Group(msgspec.Struct, frozen=True):
    """What is remembered of one group of alerts for one receiver: what it has been told, and when to look again.

    ``told`` maps the fingerprint of each alert that the receiver believes to be firing to the severity it was told.
    """

    key: str
    receiver: str
    labels: dict[str, str]
    episode: str
    started_at: Instant
    flush_at: Instant
    told: dict[str, str] = {}
    told_at: Instant | None = None
    count: int = 0
