"""What sending one notification came to, and what every channel promises."""

from dataclasses import dataclass, field
from typing import Protocol

from monitor.model.notification import Notification
from monitor.runtime.clock import Duration
from monitor.runtime.transport_errors import trouble


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel took it. ``receipt`` is what to hand back as ``previous`` for later notifications of the same episode."""

    receipt: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: trying again makes sense. ``after`` is how long the other side asked us to wait, None where it did not say."""

    why: str
    after: Duration | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never: a person has to act first, and ``why`` says what to do."""

    why: str


Outcome = Sent | Retry | Rejected


class Notifier(Protocol):
    """One channel of one receiver. It never raises for anything outside: whatever goes wrong there is an Outcome."""

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Tell it, within a bounded time. ``previous`` is the receipt of this episode's first message here, None if there is none."""

    async def check(self) -> str:
        """What is wrong with the address or the credentials, as a sentence; empty where nothing is. Tells nobody anything."""


def at_once(notifier: Notifier) -> int:
    """How many sends the channel takes side by side, of groups that have nothing to do with each other: its ``at_once``, else one."""
    return int(getattr(notifier, "at_once", 1))


def checked(notifier: Notifier) -> str:
    """What a `Notifier.check` that found nothing wrong has shown: the notifier's ``checked``."""
    return str(getattr(notifier, "checked", "no problem found"))


def unreachable(origin: str, error: BaseException) -> Retry:
    """No usable answer came."""
    return Retry(f"{origin} could not be reached: {trouble(error)}")


def too_slow(origin: str, timeout: float) -> Retry:
    """No answer within ``timeout`` seconds."""
    return Retry(f"{origin} gave no answer within {timeout:g} s")
