"""Somebody's webhook that is not always well, and what its owner can tell from what came."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from monitor.runtime.clock import Instant, SystemClock, parse_iso
from tests.fakes.http import Answer, Asked, serving

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Told:
    """One notification that was taken: ``path`` is where it was posted, ``at`` when."""

    id: str
    path: str
    at: Instant
    body: bytes

    @property
    def payload(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Episode:
    """From being told that an alert fires to being told, in ``told``, that it is over (``end``; None: not yet)."""

    labels: Labels
    start: Instant
    end: Instant | None
    told: Told


@dataclass
class Hook:
    """``answer`` decides what is answered; what gets 200 counts as taken. While there is ``later``, all answers wait for that event."""

    url: str = ""
    answer: Callable[[Asked], Answer] = lambda asked: Answer()
    taken: list[Told] = field(default_factory=list)
    refused: int = 0
    later: trio.Event | None = None
    now: Callable[[], Instant] = SystemClock().now

    async def handle(self, asked: Asked) -> Answer:
        answer = self.answer(asked)
        if answer.status == 200 and not answer.fault:
            self.taken.append(Told(asked.headers["webhook-id"], asked.target, self.now(), asked.body))
        else:
            self.refused += 1
        if self.later is not None:
            await self.later.wait()
        return answer

    @property
    def told(self) -> list[Told]:
        """Each notification once, as first taken."""
        first: dict[str, Told] = {}
        for told in self.taken:
            first.setdefault(told.id, told)
        return list(first.values())

    def states(self) -> dict[Labels, str]:
        """What the owner believes of each alert."""
        return {labels(entry): entry["status"] for told in self.told for entry in told.payload["alerts"]}

    def firing(self) -> set[Labels]:
        """The alerts that the owner believes to be firing."""
        return {alert for alert, status in self.states().items() if status == "firing"}

    def failing(self) -> set[str]:
        """The operators that the owner believes to be failing, by the rule of that name."""
        return {dict(alert)["operator"] for alert in self.firing() if ("alertname", "Failing") in alert}

    def names(self, status: str) -> Counter[str]:
        """How often each rule's alerts were told in that state."""
        return Counter(
            entry["labels"]["alertname"]
            for told in self.told
            for entry in told.payload["alerts"]
            if entry["status"] == status
        )

    def episodes(self) -> list[Episode]:
        """Every alert's episodes, those that are over first. A resolve of what was not told to fire fails the test."""
        going_on: dict[Labels, Episode] = {}
        over: list[Episode] = []
        for told in self.told:
            for entry in told.payload["alerts"]:
                alert = labels(entry)
                if entry["status"] == "firing":
                    going_on.setdefault(alert, Episode(alert, parse_iso(entry["startsAt"]), None, told))
                else:
                    assert alert in going_on, f"{told.id} resolves what was not firing: {entry}"
                    over.append(Episode(alert, going_on.pop(alert).start, parse_iso(entry["endsAt"]), told))
        return over + list(going_on.values())


def labels(entry: dict[str, Any]) -> Labels:
    """An alert's identity to whoever knows alerts by their labels."""
    return frozenset(entry["labels"].items())


@asynccontextmanager
async def hook() -> AsyncIterator[Hook]:
    """A webhook that is up inside the block."""
    it = Hook()
    async with serving(it.handle) as url:
        it.url = f"{url}/hook"
        yield it
