"""Messages as plain dictionaries, the window that holds them, and what a report should say of them, counted one by one."""

import random
from collections import Counter
from typing import Any

from monitor.alerts.alert_episodes import AlertEpisode, alert_episodes
from monitor.model.alert import Transition, TransitionSubject, fingerprint
from monitor.model.batch import batch_of
from monitor.model.message import FAILURES, FINAL
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import DAY, MINUTE, Instant, parse_iso
from monitor.window import Window

START: Instant = parse_iso("2026-11-09T00:00:00Z")
Message = dict[str, Any]


def messages(seed: int, days: int = 2, count: int = 4_000) -> list[Message]:
    """Traffic of two countries in which about one in ten messages fails; some have no price, some no final status, some are inbound."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        status = chance.choices(["Delivered", "Failed", "Undelivered", "Sent"], [85, 5, 5, 5])[0]
        country, operator = chance.choice([("GR", "Cosmote"), ("GR", "Nova"), ("DE", "Telekom"), ("DE", None)])
        found.append(
            {
                "messageId": f"m{number}",
                "status": status,
                "date": START + chance.randrange(days * DAY) + 1,
                "country": country,
                "operator": operator,
                "direction": "Inbound" if chance.random() < 0.03 else "Outbound",
                "price": chance.choice([0.05, 0.07, None]),
                "campaign": "Black Friday" if number % 7 == 0 else None,
                "campaignTrackingId": "c-1" if number % 7 == 0 else None,
            }
        )
    return found


def outage(seed: int, at: Instant, lasts: int, operator: str = "Cosmote", count: int = 300) -> list[Message]:
    """Messages of an operator that nearly all fail."""
    chance = random.Random(seed)
    return [
        {
            "messageId": f"outage-{operator}-{number}",
            "status": "Failed" if chance.random() < 0.9 else "Delivered",
            "date": at + chance.randrange(lasts),
            "country": "GR",
            "operator": operator,
            "direction": "Outbound",
            "price": 0.05,
        }
        for number in range(count)
    ]


def window_of(found: list[Message], account: str = "main") -> Window:
    window = Window(account, RecipientMask())
    window.upsert(batch_of(found), "all")
    return window


def episode(
    rule: str,
    group: dict[str, str],
    begun: Instant,
    ended: Instant | None,
    *,
    incident: str = "",
    by: str = "",
    account: str = "main",
) -> list[Transition]:
    """An alert that was pending for five minutes, fired, was acknowledged (if ``by``) and ended (if it did)."""
    fields = tuple(group.items())
    mark = fingerprint(account, rule, fields)
    moves = [("pending", begun), ("fired", begun + 5 * MINUTE)]
    moves += [("acknowledged", begun + 6 * MINUTE)] if by else []
    moves += [("resolved", ended)] if ended is not None else []
    return [
        Transition(
            mark,
            rule,
            at,
            what,  # type: ignore[arg-type]  # the words are literals
            None,
            0.5,
            TransitionSubject(account, fields, 1, by=by if what == "acknowledged" else "", incident=incident),
        )
        for what, at in moves
    ]


def episodes(*moves: list[Transition]) -> list[AlertEpisode]:
    return alert_episodes(sorted((one for some in moves for one in some), key=lambda one: one.at))


def final_in(found: list[Message], start: Instant, end: Instant, **fields: str) -> list[Message]:
    """Outbound messages with a final status in (start, end] that have these values."""
    return [
        one
        for one in found
        if start < one["date"] <= end
        and one["status"] in FINAL
        and one["direction"] != "Inbound"
        and all((one[name] or "unknown") == value for name, value in fields.items())
    ]


def failed(found: list[Message]) -> list[Message]:
    return [one for one in found if one["status"] in FAILURES]


def by_status(found: list[Message]) -> Counter[str]:
    return Counter(one["status"] for one in found)
