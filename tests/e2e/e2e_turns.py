"""Messages that turn bad and good again, with a record of when, and a naive recount of what Routee shows."""

import random
from collections import Counter
from dataclasses import dataclass, field

import trio
from e2e_folder import message

from monitor.model.message import DELIVERED, FAILED, SENT, UNDELIVERED
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration, Instant, parse_iso
from monitor.simulation.sandbox import Sandbox

COUNTRIES = {"Cosmote": "GR", "Nova": "GR", "TIM": "IT", "Iliad": "IT", "Jio": "IN", "Vi": "IN"}
EACH = 10
BAD = 6
"""So many of an operator's ten messages are failed while it is bad."""
LATE = 300


@dataclass
class Turns:
    """``turned``: by operator, the instants at which it turned, the first of them from good to bad."""

    sandbox: Sandbox
    luck: random.Random
    dwell: Duration = SECOND
    turned: dict[str, list[Instant]] = field(default_factory=lambda: {name: [] for name in COUNTRIES})

    def begin(self) -> None:
        """Put everybody's messages: some recent ones that will turn, and old ones that only sweeps see change."""
        now = self.sandbox.now()
        for operator, country in COUNTRIES.items():
            for number in range(EACH):
                name, sent = f"{operator}-{number}", now - MINUTE - number * SECOND
                self.sandbox.put(message(name, DELIVERED, sent, operator=operator, country=country), sent=sent)
        for number in range(LATE):
            sent = now - 20 * MINUTE - number * SECOND
            self.sandbox.put(message(f"late-{number}", SENT, sent, operator="Telekom", country="DE"), sent=sent)

    def is_bad(self, operator: str) -> bool:
        """As it is now."""
        return len(self.turned[operator]) % 2 == 1

    def turn(self, operator: str) -> None:
        """From good to bad, or back, in one instant."""
        now = self.sandbox.now()
        status = DELIVERED if self.is_bad(operator) else self.luck.choice([FAILED, UNDELIVERED])
        for number in range(BAD):
            self.sandbox.change(f"sms-{operator}-{number}", status, now)
        self.turned[operator].append(now)

    def turn_all(self, bad: bool) -> None:
        """Let every operator be bad, or good."""
        for operator in COUNTRIES:
            if self.is_bad(operator) != bad:
                self.turn(operator)

    async def go_on(self) -> None:
        """Turn one after the other, and let late reports come, until cancelled."""
        late = list(range(LATE))
        while True:
            await trio.sleep(self.luck.uniform(0.3, 1.3))
            now = self.sandbox.now()
            ready = [name for name, at in self.turned.items() if not at or now - at[-1] >= self.dwell]
            if ready:
                self.turn(self.luck.choice(ready))
            if late:
                number = late.pop(self.luck.randrange(len(late)))
                self.sandbox.change(f"sms-late-{number}", self.luck.choice([DELIVERED, FAILED]), now)

    def was_good(self, operator: str, start: Instant, end: Instant) -> bool:
        """Whether it was good at some moment from ``start`` to ``end``."""
        before = sum(at <= start for at in self.turned[operator])
        return before % 2 == 0 or any(start < at <= end for at in self.turned[operator])

    def was_bad(self, operator: str, start: Instant, end: Instant) -> bool:
        """Whether it was bad at some moment from ``start`` to ``end``."""
        before = sum(at <= start for at in self.turned[operator])
        return before % 2 == 1 or any(start < at <= end for at in self.turned[operator])


def recount(sandbox: Sandbox, end: Instant, window: Duration = 6 * HOUR) -> Counter[tuple[str, str]]:
    """By operator and status, the messages put by hand whose status was reported in that window."""
    records = list(sandbox.messages.exact.values())
    dated = [(parse_iso(record["status"]["date"]), record) for record in records]
    inside = [record for date, record in dated if end - window < date <= end]
    return Counter((record["operator"], record["status"]["status"]) for record in inside)
