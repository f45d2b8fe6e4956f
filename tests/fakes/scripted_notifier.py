"""A channel that answers as a test says, and records what it was sent and when."""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from monitor.model.notification import Notification
from monitor.notify.channels.protocol import Outcome, Sent

Answer = Callable[[Notification], Outcome]


@dataclass(frozen=True, slots=True)
class Sending:
    """One attempt to send. ``at`` is the time of trio's clock in seconds."""

    at: float
    key: str
    previous: dict[str, str] | None


@dataclass
class ScriptedNotifier:
    """Returns the outcomes of ``script`` in turn, then those of ``answer`` (by default: sent, with the key in the receipt)."""

    script: list[Outcome] = field(default_factory=list)
    answer: Answer = lambda notification: Sent({"ts": notification.key})
    takes: float = 0.0
    timeout: float = 0.0
    sendings: list[Sending] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        self.sendings.append(Sending(trio.current_time(), notification.key, previous))
        await trio.sleep(self.takes)
        self.ended.append(notification.key)
        return self.script.pop(0) if self.script else self.answer(notification)

    async def check(self) -> str:
        return ""

    @property
    def keys(self) -> list[str]:
        return [sending.key for sending in self.sendings]

    @property
    def times(self) -> list[float]:
        return [sending.at for sending in self.sendings]
