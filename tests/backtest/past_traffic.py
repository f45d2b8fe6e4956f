"""A few hours of made-up traffic with incidents, as reports; and a daemon's pipeline that polls it into a store."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.clock import DAY, HOUR, MINUTE, SECOND, Instant, parse_iso
from monitor.dispatch import Dispatch
from monitor.judge import Judge
from monitor.message import batch_of
from monitor.metrics import Metrics
from monitor.pipeline import Desk, Pipeline, Surroundings
from monitor.privacy import Privacy
from monitor.render import Templates
from monitor.route import Route
from monitor.rules import Rule
from monitor.store.protocol import Cursor
from monitor.store.sqlite import open_sqlite
from monitor.view import Views
from monitor.web.health import Health
from monitor.window import Window
from tests.fakes.hand_clock import HandClock
from tests.fakes.inline_store import InlineStoreFront

START = parse_iso("2026-11-18T12:00:00Z")
EVERY = 30 * SECOND
Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A message: when it was sent, and its final report; ``parts`` of a long one are reported one after the other."""

    sent: Instant
    rows: tuple[Row, ...]

    def seen_at(self, now: Instant) -> Iterator[Row]:
        """What Routee says of it at a moment."""
        for row in self.rows:
            if row["date"] <= now:
                yield row
            elif self.sent <= now:
                yield row | {"date": self.sent, "status": "Sent", "detailedStatus": "", "latency": None}


def traffic(seed: int, hours: int) -> list[Message]:
    """Three operators, ten messages a minute; one loses most of its messages for 40 minutes, one is slow for an hour."""
    dice = random.Random(seed)
    return [_message(dice, number, START + round(dice.random() * hours * HOUR)) for number in range(hours * 600)]


def _message(dice: random.Random, number: int, sent: Instant) -> Message:
    operator = dice.choices(["Cosmote", "Vodafone", "Nova"], [5, 3, 2])[0]
    slow = operator == "Vodafone" and HOUR < sent - START < 2 * HOUR
    down = operator == "Cosmote" and 90 * MINUTE < sent - START < 130 * MINUTE
    parts = dice.choice([1, 1, 1, 3])
    rows = []
    for part in range(1, parts + 1):
        wait = round(dice.lognormvariate(1.5, 1.0) * SECOND * (40 if slow else 1))
        bad = dice.random() < (0.6 if down else 0.04)
        rows.append(
            {
                "messageId": f"{number:08x}-0000-4000-8000-000000000000",
                "part": part,
                "parts": parts,
                "date": sent + wait,
                "status": "Undelivered" if bad else "Delivered",
                "detailedStatus": dice.choice(["Expired", "Carrier Violation"]) if bad else "Delivered",
                "operator": operator,
                "country": "GR",
                "to": f"+3069{number:08d}",
                "latency": round(wait / SECOND, 3),
                "price": 0.04,
            }
        )
    return Message(sent, tuple(rows))


async def polled(path: Path, messages: list[Message], rules: list[Rule], hours: int) -> list[Instant]:
    """Let a pipeline poll all of it into the store at ``path``; gives the moments of its polls."""
    store = open_sqlite(path)
    window = Window("main", Privacy("mask", store.secret("recipients")))
    judge, clock = Judge(window, rules, ["outbound"]), HandClock(START)
    route = Route("ops", (), 0, MINUTE, HOUR)
    around = Surroundings(clock, Metrics(clock), Health(), lambda: None)
    views = Views(judge, Templates({}))
    pipeline = Pipeline(
        InlineStoreFront(store), [Desk(judge, views)], Dispatch(route, {"ops": ("console/0",)}, ""), DAY, around
    )
    polls = list(range(START, START + hours * HOUR + 1, EVERY))
    for at in polls:
        clock.at = at
        seen = [row for one in messages if one.sent <= at for row in one.seen_at(at) if row["date"] > at - 2 * EVERY]
        if seen:
            pipeline.take("main", "outbound", batch_of(seen), ())
        await pipeline.complete("main", Cursor("main", "outbound", at, START - DAY))
    store.close()
    return polls
