"""Acknowledgements: a person has taken charge of an alert, so its notification is no longer repeated."""

from typing import Final

import msgspec

from monitor.model.alert import Alert, Transition, TransitionSubject, recorded_severity
from monitor.routing.entered_text import entered_comment, entered_name
from monitor.runtime.clock import Instant

REPORT: Final = (
    "a report cannot be acknowledged: it is sent only once. To get fewer reports, raise min_messages of its rule"
)
"""The error for a person who tries to acknowledge the report of an ended campaign."""


class Ack(msgspec.Struct, frozen=True):
    """A person ``by`` acknowledged an alert at ``at``, until the alert is over or until ``until``.

    It covers the alert that began to fire at ``starts_at``, up to the ``level`` that it had then. It does not cover an alert that
    begins to fire again or gets worse.
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
        """Returns the person's name and comment, as shown to people."""
        return f"{self.by}: {self.comment}" if self.comment else self.by

    def holds(self, alert: Alert, now: Instant) -> bool:
        """Returns whether this acknowledgement covers the alert now; the caller has matched the fingerprint."""
        if alert.state != "firing" or alert.firing_at != self.starts_at or alert.level > self.level:
            return False
        return self.until is None or now < self.until


def acknowledge(alert: Alert, by: str, comment: str, at: Instant, until: Instant | None) -> Ack:
    """Returns the acknowledgement of a firing alert. Raises ValueError with a sentence for the person who asked."""
    if alert.state != "firing" or alert.firing_at is None:
        raise ValueError("only a firing alert can be acknowledged")
    if alert.is_report:
        raise ValueError(REPORT)
    name, why = entered_name(by, "the name"), entered_comment(comment, "the comment")
    if not name:
        raise ValueError("an acknowledgement needs the name of the person who gives it")
    if until is not None and until <= at:
        raise ValueError("the end of the acknowledgement is in the past")
    return Ack(alert.fingerprint, alert.firing_at, name, why, at, until, alert.level)


def acknowledged(alert: Alert, ack: Ack) -> Transition:
    """Returns the history entry for an acknowledgement."""
    about = TransitionSubject(
        alert.account, alert.group, alert.level, ack.by, ack.comment, severity=recorded_severity(alert)
    )
    return Transition(alert.fingerprint, alert.rule, ack.at, "acknowledged", None, alert.value, about)


def unacknowledged(alert: Alert, at: Instant) -> Transition:
    """Returns the history entry for the end of an acknowledgement."""
    about = TransitionSubject(alert.account, alert.group, alert.level, severity=recorded_severity(alert))
    return Transition(alert.fingerprint, alert.rule, at, "unacknowledged", None, alert.value, about)
