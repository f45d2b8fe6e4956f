"""Acknowledgements: somebody has seen an alert and takes care of it, so that it need not be repeated."""

from typing import Final

import msgspec

from monitor.model.alert import Alert, Transition, TransitionSubject
from monitor.runtime.clock import Instant

REPORT: Final = (
    "a report cannot be acknowledged: it is sent only once. To get fewer reports, raise min_messages of its rule"
)
"""The answer to whoever acknowledges that a campaign has ended."""


class Ack(msgspec.Struct, frozen=True):
    """Who has taken an alert on, at ``at``, until it is over or until ``until``.

    It is about the alert that began at ``starts_at`` and about how bad it was then (``level``): one that begins anew, or gets worse, is
    not acknowledged.
    """

    fingerprint: str
    starts_at: Instant
    by: str
    comment: str
    at: Instant
    until: Instant | None = None
    level: int = 0

    @property
    def words(self) -> str:
        """Who it is, and what they say about it: what is shown of an acknowledgement."""
        return f"{self.by}: {self.comment}" if self.comment else self.by

    def holds(self, alert: Alert, now: Instant) -> bool:
        """Whether the alert, which has this fingerprint, is acknowledged now."""
        if alert.state != "firing" or alert.firing_at != self.starts_at or alert.level > self.level:
            return False
        return self.until is None or now < self.until


def acknowledge(alert: Alert, by: str, comment: str, at: Instant, until: Instant | None) -> Ack:
    """The acknowledgement of an alert that fires. Raises ValueError with a sentence for whoever asked for it."""
    if alert.state != "firing" or alert.firing_at is None:
        raise ValueError("only a firing alert can be acknowledged")
    if alert.is_report:
        raise ValueError(REPORT)
    if not by.strip():
        raise ValueError("an acknowledgement needs the name of the person who gives it")
    if until is not None and until <= at:
        raise ValueError("the end of the acknowledgement is in the past")
    return Ack(alert.fingerprint, alert.firing_at, by, comment, at, until, alert.level)


def acknowledged(alert: Alert, ack: Ack) -> Transition:
    """That somebody took the alert on, for its history."""
    about = TransitionSubject(alert.account, alert.group, alert.level, ack.by, ack.comment)
    return Transition(alert.fingerprint, alert.rule, ack.at, "acknowledged", None, alert.value, about)


def unacknowledged(alert: Alert, at: Instant) -> Transition:
    """That nobody looks after it any more, for its history."""
    about = TransitionSubject(alert.account, alert.group, alert.level)
    return Transition(alert.fingerprint, alert.rule, at, "unacknowledged", None, alert.value, about)
