"""Every field and header of Routee's answers takes extreme values, one after the other, before one daemon.

It goes on, the next good poll is complete, and what it knows of good messages is exact.
"""

import gzip
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from e2e_folder import message
from e2e_hook import hook
from e2e_stage import running, values

from monitor.daemon.main import Running
from monitor.ingest.routee.client import Routee
from monitor.model.routee_query import AccountBalance
from monitor.runtime.clock import MINUTE, Clock, TrioClock
from monitor.runtime.errors import RouteeError
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
KINDS = {
    "token": "/oauth/",
    "balance": "/accounts/me/balance",
    "campaign state": "/campaigns/",
    "single": "/sms/tracking/single/",
    "campaign": "/sms/tracking/campaign/",
    "page": "/sms/tracking",
}
"""What is asked for, and by which part of the address."""
STATE = ("state", "campaignName", "name", "statuses", "smsAnalysis", "scheduledDate", "createdAt")


@dataclass
class Extreme(Scripted):
    """What is in ``odd`` an endpoint gives instead of a good answer, and what is in ``once`` before all else; see ``KINDS``."""

    clock: Clock = field(default_factory=lambda: TrioClock(NOW))
    odd: dict[str, Reply] = field(default_factory=dict)
    once: dict[str, deque[Reply]] = field(default_factory=dict)
    refused: bool = False
    """Whether tokens are not taken, so that another one is asked for."""

    def _next(self, request: Request) -> Reply:
        kind = next(kind for kind, part in KINDS.items() if part in request.target)
        if kind != "token" and self.refused:
            self.refused = False
            return Reply(401)
        if once := self.once.get(kind):
            return once.popleft()
        return self.odd.get(kind) or Reply(body=self.good(kind).encode())

    def records(self) -> list[dict[str, Any]]:
        """Good messages, three of which failed, reported a minute ago."""
        at = self.clock.now() - MINUTE
        about: dict[str, Any] = {"operator": "Good", "latency": 3, "price": 0.05}
        return [
            message(f"good-{one}", "Undelivered" if one < 3 else "Delivered", at, campaignTrackingId=f"c{one}", **about)
            for one in range(10)
        ]

    def good(self, kind: str, **changed: str) -> str:
        """A good answer, fields replaced by what is written as JSON."""
        fields = {
            "token": {"access_token": '"token"', "token_type": '"bearer"', "expires_in": "600"},
            "campaign state": {
                "state": '"Running"',
                "campaignName": '"Sale"',
                "statuses": '{"Delivered": 7}',
                "smsAnalysis": '{"numberOfRecipients": 1000}',
                "scheduledDate": '"2026-11-21T09:00:00Z"',
                "createdAt": '"2026-11-21T09:00:00Z"',
            },
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


def odd_fields(server: Extreme, kind: str, names: tuple[str, ...]) -> Iterator[tuple[str, Reply]]:
    for value in VALUES:
        for name in names:
            yield f"{kind} {name}: {value[:40]}", Reply(body=server.good(kind, **{name: value}).encode())


def odd_states(server: Extreme) -> Iterator[tuple[str, Reply]]:
    """A campaign's own state: each value in each field, and within those that hold others."""
    for value in VALUES:
        within = {"smsAnalysis": f'{{"numberOfRecipients": {value}}}', "statuses": f'{{"Delivered": {value}, "x": 1}}'}
        yield f"within: {value[:40]}", Reply(body=server.good("campaign state", **within).encode())
        yield f"state: {value[:40]}", Reply(body=server.good("campaign state", state=value).encode())
        others = {name: value for name in STATE if name != "state"}
        yield f"all others: {value[:40]}", Reply(body=server.good("campaign state", **others).encode())


def odd_parts(server: Extreme) -> Iterator[tuple[str, Reply]]:
    """The parts of one message: each value in each field of one of them, and in place of one and of all."""
    good = written(server.records())[:-1]
    for value in VALUES:
        records = [odd(server, name, value) for name in RECORD] + [odd_status(server, name, value) for name in STATUS]
        for record in (*records, value):
            yield f"{record[:300]}", Reply(body=f"{good}, {record}]".encode())
        yield f"all: {value[:40]}", Reply(body=value.encode())


def odd_answers(server: Extreme, kind: str) -> Iterator[tuple[str, Reply]]:
    """What the server gives, and how it is called where a test fails."""
    match kind:
        case "page":
            yield from odd_pages(server)
        case "headers":
            yield from odd_headers(server)
        case "token":
            yield from odd_fields(server, kind, ("access_token", "expires_in", "token_type"))
        case "balance":
            yield from odd_fields(server, kind, ("balance", "currency"))
        case "campaign state":
            yield from odd_states(server)


LOW = {"name": "Low", "kind": "balance", "below": 50, "every": "1m"}
SHORT = {"name": "Short", "kind": "campaign", "short_below": "95%", "min_messages": 1}


@asynccontextmanager
async def stage(folder: Path, clock: TrioClock, rule: dict[str, Any]) -> AsyncIterator[tuple[Extreme, Running]]:
    """The daemon before such a server."""
    server = Extreme(Reply(404), clock=clock)
    async with (
        served(server),
        hook() as told,
        running(configured(folder, server.url, told, rules=[FAILING, rule]), clock) as daemon,
    ):
        yield server, daemon


def known_good(daemon: Running) -> dict[Any, int]:
    """How many of the good messages are known in each state."""
    known = values(daemon, daemon.pipeline.accounts["main"].evaluator.coverage.cursors["all"].as_of)
    assert isinstance(known, Counter)
    return {one: count for one, count in known.items() if one[0] == "Good"}


@pytest.mark.parametrize("kind", ["page", "headers", "token"])
async def test_no_value_in_any_answer_stops_the_daemon_or_spoils_what_is_good(
    tmp_path: Path, kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.005
    clock = TrioClock(NOW)
    async with stage(tmp_path, clock, LOW) as (server, daemon):
        cursors = daemon.pipeline.accounts["main"].evaluator.coverage.cursors
        for what, reply in odd_answers(server, kind):
            asked = len(server.requests)
            server.odd["page" if kind == "headers" else kind] = reply
            server.refused = kind == "token"
            await trio.sleep(35)
            assert len(server.requests) > asked or kind == "headers", what
            server.odd.clear()
            moment = clock.now()
            with trio.fail_after(25 * 3600):  # Retry-After is obeyed for a day
                while "all" not in cursors or cursors["all"].as_of <= moment:
                    await trio.sleep(20)
            assert known_good(daemon) == EXACT, what
        assert (await ask(daemon.url, "/healthz")).status == 200


@pytest.mark.parametrize(("kind", "rule"), [("balance", LOW), ("campaign state", SHORT)])
async def test_no_value_of_a_balance_or_of_campaigns_stops_the_daemon_or_stays(
    tmp_path: Path, kind: str, rule: dict[str, Any], autojump_clock: trio.testing.MockClock
) -> None:
    """They are asked for seldom: each request gets the next odd answer, and in the end all of them are good."""
    autojump_clock.autojump_threshold = 0.005
    async with stage(tmp_path, TrioClock(NOW), rule) as (server, daemon):
        odd = server.once[kind] = deque(reply for _, reply in odd_answers(server, kind))
        with trio.fail_after(4 * 3600):
            while odd:
                await trio.sleep(60)
        await trio.sleep(10 * 60)
        state = daemon.pipeline.accounts["main"].evaluator.account_state
        if kind == "balance":
            assert state.balances[-1].balance == AccountBalance(100, "EUR")
        else:
            assert {name: one.state.recipients for name, one in state.campaigns.items()} == GOOD_CAMPAIGNS
        assert known_good(daemon) == EXACT
        assert (await ask(daemon.url, "/healthz")).status == 200


@pytest.mark.parametrize("kind", ["single", "campaign"])
async def test_no_value_spoils_what_is_asked_of_one_message_or_campaign(
    kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Commands ask so: each answer is read, or is an error in a sentence; of good records beside odd ones all are read."""
    server, good = Extreme(Reply(404), clock=TrioClock(NOW)), 0
    async with served(server), client_of(server) as routee:
        ask_for = routee.single if kind == "single" else routee.campaign
        for what, reply in odd_parts(server) if kind == "single" else odd_pages(server):
            server.odd[kind] = reply
            try:
                page = await ask_for("c1")
            except RouteeError:
                continue
            rows = list(page.batch.rows())
            known = Counter((str(row["operator"]), str(row["status"])) for row in rows if row["operator"] == "Good")
            assert known in (EXACT, {}), what
            good += known == EXACT
        assert good > len(VALUES)


def client_of(server: Extreme) -> Routee:
    """A client that does not wait for its turn."""
    about = {"application_id": "app", "application_secret": "S3CRET", "api_url": server.url, "auth_url": server.url}
    return Routee(name="main", clock=server.clock, requests_per_second=1000, **about)


EXACT = {("Good", "Undelivered"): 3, ("Good", "Delivered"): 7}
GOOD_CAMPAIGNS = {f"c{one}": 1000 for one in range(10)}
