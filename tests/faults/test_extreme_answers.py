"""Every field and header of Routee's answers takes extreme values, one after the other, before one daemon.

It goes on, the next good poll is complete, and what it knows of good messages is exact.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from e2e_folder import message
from e2e_hook import hook
from e2e_stage import running, values

from monitor.runtime.clock import MINUTE, Clock, TrioClock
from tests.fakes.listener import ask
from tests.fakes.scripted import Reply, Request, Scripted, served
from tests.faults.fault_stage import FAILING, NOW, configured

VALUES = [
    *("0", "-1", "0.5", "1e308", "-1e308", "1e-320", "1e400", "9" * 400, "9" * 100_000, str(2**63), str(2**31)),
    *("NaN", "Infinity", "-Infinity", "true", "false", "null", '""', '"0"', '"\\u0000"', '"\\ud800"', '"1e308"'),
    *('"' + "x" * 300_000 + '"', '"' + "9" * 300_000 + '"', '"\\u202e\\u001b]0;x"', "[]", "{}", "[[],{},null]"),
    *("[" * 500 + "]" * 500, "[" * 100_000, '"9999-12-31T23:59:59-14:00"', '"0001-01-01T00:00:00+14:00"'),
    *('"99999-01-01T00:00:00Z"', "253402351199", "-62135596800"),
]
"""Values as JSON, or what some programs take for it."""
AROUND = ("content", "number", "size", "totalElements", "totalPages", "last")
STATUS = ("status", "date", "name", "updatedDate", "reason")
RECORD = (
    *("smsId", "messageId", "to", "from", "groups", "country", "operator", "body", "applicationName", "campaignName"),
    *(
        "campaign",
        "campaignTrackingId",
        "originatingService",
        "latency",
        "parts",
        "part",
        "price",
        "label",
        "direction",
    ),
    *("receivedDate", "status"),
)
HEADERS = {
    "Retry-After": [
        "0",
        "-1",
        "1e308",
        "NaN",
        "inf",
        "Fri, 31 Dec 9999 23:59:59 -1400",
        "Thu, 01 Jan 0001 00:00:00 +1400",
    ],
    "Date": [
        "Fri, 31 Dec 9999 23:59:59 -1400",
        "Thu, 01 Jan 0001 00:00:00 +1400",
        "9" * 5_000,
        "",
        "-1",
        "Fri, 31 Dec 2026 25:61:61 +9999",
    ],
    "Content-Encoding": ["gzip", "deflate", "br", "gzip, gzip", "", "x" * 5_000],
    "Content-Length": ["0", "-1", "1e308", "9" * 400, "5, 6", "x", ""],
    "Content-Type": ["", "x" * 5_000, "text/html", "application/json; charset=utf-99"],
}


@dataclass
class Extreme(Scripted):
    """``token``, ``page``, ``balance`` are what those endpoints give instead of a good answer."""

    clock: Clock = field(default_factory=lambda: TrioClock(NOW))
    odd: dict[str, Reply] = field(default_factory=dict)
    refused: bool = False
    """Whether tokens are not taken, so that another one is asked for."""

    def _next(self, request: Request) -> Reply:
        kind = "token" if "/oauth/" in request.target else "balance" if "balance" in request.target else "page"
        if kind != "token" and self.refused:
            self.refused = False
            return Reply(401)
        return self.odd.get(kind) or Reply(body=self.good(kind).encode())

    def records(self) -> list[dict[str, Any]]:
        """Good messages, three of which failed, reported a minute ago."""
        at = self.clock.now() - MINUTE
        about: dict[str, Any] = {"operator": "Good", "latency": 3, "price": 0.05}
        return [message(f"good-{one}", "Undelivered" if one < 3 else "Delivered", at, **about) for one in range(10)]

    def good(self, kind: str, **changed: str) -> str:
        """A good answer, fields replaced by what is written as JSON."""
        fields = {
            "token": {"access_token": '"token"', "token_type": '"bearer"', "expires_in": "600"},
            "balance": {"balance": "100", "currency": '{"code": "EUR"}'},
            "page": {
                "content": written(self.records()),
                "number": "0",
                "totalElements": "10",
                "totalPages": "1",
                "last": "true",
            },
        }[kind]
        return "{" + ", ".join(f'"{name}": {value}' for name, value in (fields | changed).items()) + "}"


def written(records: list[dict[str, Any]]) -> str:
    return json.dumps(records)


def odd_pages(server: Extreme) -> Iterator[tuple[str, Reply]]:
    """Each value in each field around the records, and in each field of a record beside good ones."""
    for number, value in enumerate(VALUES):
        for name in {AROUND[number % len(AROUND)], AROUND[(number // 2 + 3) % len(AROUND)]}:
            yield f"{name}: {value[:40]}", Reply(body=server.good("page", **{name: value}).encode())
        records = [odd(server, name, value) for name in RECORD] + [odd_status(server, name, value) for name in STATUS]
        content = written(server.records())[:-1] + ", " + ", ".join(records) + f", {value}]"
        yield f"records: {value[:40]}", Reply(body=server.good("page", content=content).encode())


def odd(server: Extreme, name: str, value: str) -> str:
    """A record with that value in place of another one: of two of a name the last one counts."""
    record = message(f"odd-{name}", "Delivered", server.clock.now() - MINUTE, operator="Odd")
    return json.dumps(record)[:-1] + f', "{name}": {value}}}'


def odd_status(server: Extreme, name: str, value: str) -> str:
    """Likewise within its status."""
    record = message(f"odd-status-{name}", "Delivered", server.clock.now() - MINUTE, operator="Odd")
    status = json.dumps(record.pop("status"))[:-1] + f', "{name}": {value}}}'
    return json.dumps(record)[:-1] + f', "status": {status}}}'


def odd_headers(server: Extreme) -> Iterator[tuple[str, Reply]]:
    body = server.good("page").encode()
    for name, texts in HEADERS.items():
        for text in texts:
            for status in (200, 429):
                yield f"{status} {name}: {text[:40]}", Reply(status, body, {name: text})
    yield (
        "packed",
        Reply(body=gzip.compress(b'{"content":[' + b"{}," * 3_000_000 + b"{}]}"), headers={"Content-Encoding": "gzip"}),
    )
    yield "huge error", Reply(500, b'{"code": "' + b"9" * 3_000_000 + b'"}')


def odd_small(server: Extreme, kind: str, names: tuple[str, ...]) -> Iterator[tuple[str, Reply]]:
    for value in VALUES:
        for name in names:
            yield f"{kind} {name}: {value[:40]}", Reply(body=server.good(kind, **{name: value}).encode())


def odd_answers(server: Extreme, kind: str) -> Iterator[tuple[str, Reply]]:
    """What the server gives, and how it is called where a test fails."""
    match kind:
        case "page":
            yield from odd_pages(server)
        case "headers":
            yield from odd_headers(server)
        case "token":
            yield from odd_small(server, kind, ("access_token", "expires_in", "token_type"))
        case "balance":
            yield from odd_small(server, kind, ("balance",))


RULES = [FAILING, {"name": "Low", "kind": "balance", "below": 50}]


@pytest.mark.parametrize("kind", ["page", "headers", "token", "balance"])
async def test_no_value_in_any_answer_stops_the_daemon_or_spoils_what_is_good(
    tmp_path: Path, kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.005
    clock = TrioClock(NOW)
    server = Extreme(Reply(404), clock=clock)
    async with (
        served(server),
        hook() as told,
        running(configured(tmp_path, server.url, told, rules=RULES), clock) as daemon,
    ):
        cursors = daemon.pipeline.accounts["main"].evaluator.coverage.cursors
        for what, reply in odd_answers(server, kind):
            asked = len(server.requests)
            server.odd["page" if kind == "headers" else kind] = reply
            server.refused = kind == "token"
            await trio.sleep(LONG if kind == "balance" else 35)
            assert len(server.requests) > asked or kind in ("headers", "balance"), what
            server.odd.clear()
            moment = clock.now()
            with trio.fail_after(25 * 3600):  # Retry-After is obeyed for a day
                while "all" not in cursors or cursors["all"].as_of <= moment:
                    await trio.sleep(20)
            known = values(daemon, cursors["all"].as_of)
            assert isinstance(known, Counter)
            assert {one: count for one, count in known.items() if one[0] == "Good"} == EXACT, what
        assert (await ask(daemon.url, "/healthz")).status == 200


EXACT = {("Good", "Undelivered"): 3, ("Good", "Delivered"): 7}
LONG = 6 * 60
"""Seconds after which the balance was asked for again."""
