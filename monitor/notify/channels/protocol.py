"""The results of sending a notification, and the interface of notifiers."""

from dataclasses import field
from typing import Protocol

from monitor.model.notification import Notification
from monitor.runtime.clock import Duration
from monitor.runtime.dataclass import dataclass
from monitor.runtime.transport_errors import trouble


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel accepted the notification. ``receipt`` is the ``previous`` of later notifications of the same episode."""

    receipt: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retry:
    """The notification should be tried again. ``after`` is how long the server asked to wait, None if it did not say."""

    why: str
    after: Duration | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The notification will never be accepted as it is: a person has to act first, and ``why`` says what to do."""

    why: str


Outcome = Sent | Retry | Rejected


class Notifier(Protocol):
    """One channel of one receiver. It raises nothing for problems outside of the program: these become an Outcome."""

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Sends a notification within a bounded time. ``previous`` is the receipt of this episode's first message, None if it has none."""

    async def check(self) -> str:
        """Returns what is wrong with the address or the credentials, as a sentence; empty if nothing is. Notifies nobody."""


def at_once(notifier: Notifier) -> int:
    """Returns how many sends of independent groups the channel accepts at the same time: the notifier's ``at_once``, by default one."""
    return int(getattr(notifier, "at_once", 1))


def slowest(notifier: Notifier) -> float:
    """Returns the seconds that a send may take as the notifier says: its ``timeout``, 0 if it says nothing."""
    return float(getattr(notifier, "timeout", 0.0))


def checked(notifier: Notifier) -> str:
    """Returns what a `Notifier.check` without problems has shown: the notifier's ``checked``."""
    return str(getattr(notifier, "checked", "no problem found"))


def unreachable(origin: str, error: BaseException) -> Retry:
    """Returns the outcome when no usable answer came."""
    return Retry(f"{origin} could not be reached: {trouble(error)}")


def too_slow(origin: str, timeout: float) -> Retry:
    """Returns the outcome when no answer came within ``timeout`` seconds."""
    return Retry(f"{origin} gave no answer within {timeout:g} s")
