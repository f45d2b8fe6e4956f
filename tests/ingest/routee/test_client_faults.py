"""What the client does when answers fail: try again in a measured way, or say what a person can do."""

import gzip
import itertools
import random
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from routee_client import Bench, bench, client, until
from routee_pages import NOW, body_of, item
from trio.testing import MockClock

from monitor.ingest.routee.client import ConnectionPool, Routee
from monitor.ingest.routee.endpoints import Endpoints
from monitor.ingest.routee.retry import RetryPolicy, TryAgain
from monitor.ingest.routee.worker_thread import in_worker
from monitor.model.routee_query import Page, RouteeQuery
from monitor.runtime.clock import MINUTE, SECOND, TrioClock
from monitor.runtime.errors import EnvironmentUnusable, RouteeUnavailable
from tests.fakes.scripted import Reply, answer, scripted, token
from tests.fakes.waiting import guarded

PAGE = Reply(body=body_of(item()))
HTML = Reply(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})
BUSY = answer({"code": "503000001", "developerMessage": "later"}, 503)
FAULTS = {
    "500": answer({}, 500),
    "502": Reply(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}),
    "503": BUSY,
    "504": Reply(504),
    "408": Reply(408),
    "429": Reply(429),
    "html": HTML,
    "malformed": Reply(200, PAGE.body[:-30]),
    "cut": Reply(200, PAGE.body, cut=len(PAGE.bytes()) - 30),
    "timeout": Reply(200, PAGE.body, wait=1e6),
}
MORE_FAULTS = [
    ("html", Reply(200, b"  <html></html>", {"Content-Type": "application/json"})),
    ("malformed", answer({"code": "200000000"})),
    ("malformed", Reply(200, b"")),
    ("malformed", Reply(204, b"")),
    ("malformed", Reply(200, b"not gzip", {"Content-Encoding": "gzip"})),
    ("cut", Reply(cut=0)),
    ("cut", Reply(raw=b"not HTTP at all\r\n\r\n")),
    ("cut", Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 30 + PAGE.bytes())),
    ("cut", Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Le", cut=27)),
    ("timeout", Reply(200, PAGE.body, drip=1.0)),
    ("timeout", Reply(200, PAGE.body, drip=29.0)),
]


@pytest.mark.parametrize(("outcome", "fault"), [*FAULTS.items(), *MORE_FAULTS])
async def test_a_fault_that_passes_is_tried_again(outcome: str, fault: Reply, autojump_clock: MockClock) -> None:
    async with bench(fault, PAGE) as b:
        page = await b.search()
    assert len(page.batch) == 1
    assert b.observed[1:] == [("search", outcome), ("search", "ok")]


@pytest.mark.parametrize(("outcome", "fault"), FAULTS.items())
async def test_a_fault_that_stays_ends_in_unavailable(outcome: str, fault: Reply, autojump_clock: MockClock) -> None:
    async with bench(otherwise=fault) as b:
        began = trio.current_time()
        with pytest.raises(RouteeUnavailable, match=r"127\.0\.0\.1:\d+ .*\(tried \d times\)") as raised:
            await b.search()
        assert trio.current_time() - began < 61
    assert raised.value.outcome == outcome
    assert len(b.server.asked("/sms/")) == (2 if outcome == "timeout" else 4)


async def test_a_dripping_answer_ends_after_the_time_for_one_request(autojump_clock: MockClock) -> None:
    async with bench(otherwise=Reply(200, PAGE.body, drip=0.5), retry_policy=RetryPolicy(attempts=1)) as b:
        began = trio.current_time()
        with pytest.raises(RouteeUnavailable, match="no complete answer within 30 s"):
            await b.search()
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)


async def test_waits_between_attempts_grow_and_are_jittered(autojump_clock: MockClock) -> None:
    waits: list[list[float]] = []
    for seed in range(20):
        async with bench(otherwise=BUSY, retry_policy=RetryPolicy(attempts=7), chance=random.Random(seed)) as b:
            with pytest.raises(RouteeUnavailable):
                await b.search()
        times = [request.at for request in b.server.asked("/sms/")]
        waits.append([later - sooner for sooner, later in itertools.pairwise(times)])
    longest = [max(column) for column in zip(*waits, strict=True)]
    for ceiling, seen in zip((0.5, 1, 2, 4, 8, 15), longest, strict=True):
        assert ceiling / 2 < seen <= ceiling + 0.01
    assert len({tuple(row) for row in waits}) == 20


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_in_seconds_is_honoured(status: int, autojump_clock: MockClock) -> None:
    async with bench(answer({}, status, Retry_After="7"), PAGE) as b:
        await b.search()
    refused, repeated = b.server.asked("/sms/")
    assert repeated.at - refused.at == pytest.approx(7, abs=0.1)


async def test_retry_after_as_a_date_is_honoured_by_the_servers_own_clock(autojump_clock: MockClock) -> None:
    said = {"Retry_After": "Sat, 21 Nov 2026 16:00:09 GMT", "Date": "Sat, 21 Nov 2026 16:00:00 GMT"}
    async with bench(answer({}, 429, **said), answer({}, 429, Retry_After="Sat, 21 Nov 2026 18:00:20 GMT"), PAGE) as b:
        await b.search()
    first, second, third = [request.at for request in b.server.asked("/sms/")]
    assert second - first == pytest.approx(9, abs=0.1)
    assert third - first == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("nonsense", ["soon", "-5", "nan", "inf", "", "Sun, 99 Foo 2026"])
async def test_a_retry_after_of_nonsense_is_a_usual_wait(nonsense: str, autojump_clock: MockClock) -> None:
    async with bench(answer({}, 429, Retry_After=nonsense), PAGE) as b:
        await b.search()
    first, second = b.server.asked("/sms/")
    assert second.at - first.at <= 0.6


async def test_a_429_pauses_the_whole_account(autojump_clock: MockClock) -> None:
    async with bench(answer({}, 429, Retry_After="10"), otherwise=PAGE) as b, trio.open_nursery() as nursery:
        nursery.start_soon(b.search)
        await trio.sleep(1)
        for _ in range(5):
            nursery.start_soon(b.search)
    times = [request.at for request in b.server.asked("/sms/")]
    assert len(times) == 7
    assert min(times[1:]) - times[0] == pytest.approx(10, abs=0.1)


async def test_a_pause_longer_than_patience_fails_at_once_without_asking(autojump_clock: MockClock) -> None:
    async with bench(answer({}, 429, Retry_After="100000"), otherwise=PAGE) as b:
        began = trio.current_time()
        for _ in range(3):
            with pytest.raises(RouteeUnavailable) as raised:
                await b.search()
            assert raised.value.outcome == "429"
        assert trio.current_time() == began
        assert len(b.server.asked("/sms/")) == 1
        await trio.sleep(24 * 3600)
        await b.search()


async def test_a_machine_clock_that_is_set_back_does_not_lengthen_a_pause(autojump_clock: MockClock) -> None:
    clock = SteppingClock(NOW)
    async with (
        bench(answer({}, 429, Retry_After="10"), otherwise=PAGE, clock=clock) as b,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(b.search)
        await trio.sleep(1)
        clock.step = -60 * MINUTE
        nursery.start_soon(b.search)
    times = [request.at for request in b.server.asked("/sms/")]
    assert times[-1] - times[0] < 12


class SteppingClock(TrioClock):
    """A machine's clock that somebody sets."""

    step = 0

    def now(self) -> int:
        return super().now() + self.step


async def test_the_token_endpoint_is_tried_again_too(autojump_clock: MockClock) -> None:
    async with bench(PAGE) as b:
        b.server.tokens.extend([BUSY, HTML, Reply(200, b"{"), token()])
        await b.search()
    assert [outcome for _, outcome in b.observed] == ["503", "html", "malformed", "ok", "ok"]


async def test_an_unpacked_gzip_page_is_read() -> None:
    async with bench(Reply(200, gzip.compress(PAGE.body), {"Content-Encoding": "gzip"})) as b:
        assert len((await b.search()).batch) == 1


@pytest.mark.parametrize("packed", [False, True])
async def test_an_endless_answer_is_not_read_to_its_end(packed: bool) -> None:
    blanks = b" " * (33 * 2**20)
    endless = Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n" + blanks)
    if packed:
        endless = Reply(200, gzip.compress(blanks, 1), {"Content-Encoding": "gzip"})
    async with bench(endless) as b:
        with pytest.raises(RouteeUnavailable, match="larger than 32 MiB") as raised:
            await b.search()
    assert raised.value.outcome == "malformed"


async def unavailable(url: str) -> RouteeUnavailable:
    """The error of an account at that address."""
    async with bench(url=url, retry_policy=RetryPolicy(attempts=2, first=1)) as b:
        with pytest.raises(RouteeUnavailable) as raised:
            await b.routee.check()
        assert b.observed == [("token", raised.value.outcome)] * len(b.observed)
    return raised.value


async def test_a_refused_connection_says_so() -> None:
    with socket.socket() as bound:  # bound but not listening: nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        error = await unavailable(f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert error.outcome == "refused"
    assert "refuses the connection" in str(error)


class NoNames(trio.abc.HostnameResolver):
    """A machine without DNS."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_an_unknown_host_says_so() -> None:
    trio.socket.set_custom_hostname_resolver(NoNames())
    try:
        error = await unavailable("https://connect.routee.example")
    finally:
        trio.socket.set_custom_hostname_resolver(None)
    assert error.outcome == "dns"
    assert "no connection to connect.routee.example: its name cannot be resolved" in str(error)


async def test_an_untrusted_certificate_says_so() -> None:
    async with scripted(tls=certificate(trustme.CA())) as server:
        error = await unavailable(server.url.replace("http", "https"))
    assert error.outcome == "tls"
    assert "certificate" in str(error)


async def test_a_certificate_that_the_environment_trusts_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with (
        scripted(PAGE, tls=certificate(authority)) as server,
        bench(url=server.url.replace("http", "https")) as b,
    ):
        assert len((await b.search()).batch) == 1


async def test_a_server_without_tls_says_so() -> None:
    async with scripted() as server:
        error = await unavailable(server.url.replace("http", "https"))
    assert error.outcome == "tls"


def certificate(authority: trustme.CA) -> ssl.SSLContext:
    """A server's side of TLS, certified by ``authority``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://", "http://[::1", "http://127.0.0.1:99999"])
async def test_a_url_that_cannot_be_asked_says_so(url: str) -> None:
    assert "check the " in str(await unavailable(url))


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(PAGE) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.delenv("no_proxy", raising=False)
        async with bench(url="http://connect.routee.example") as b:
            await b.search()
        assert proxy.requests[0].target == "http://connect.routee.example/oauth/token"
        assert b.server.requests == []


async def test_a_proxy_that_cannot_be_used_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:hunter2@127.0.0.1:1")
    with pytest.raises(EnvironmentUnusable, match="HTTPS_PROXY") as raised:
        async with client("https://connect.routee.example"):
            pass
    assert "hunter2" not in str(raised.value)


async def test_cancelled_requests_leave_the_connections_usable() -> None:
    """encode/httpcore#1093: a request cancelled at the wrong moment takes its connection's place with it."""
    async with bench(otherwise=PAGE, concurrency=2, retry_policy=RetryPolicy(attempts=2, timeout=10 * SECOND)) as b:
        for ticks in range(60):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(b.search)
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        for _ in range(3):
            await served(b)


async def test_cancelled_connections_leave_room_for_new_ones() -> None:
    silent = Reply(200, PAGE.body, wait=1e6)
    async with bench(*[silent] * 20, otherwise=PAGE, concurrency=2) as b:
        for _ in range(10):
            with trio.move_on_after(0.01):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(b.search)
                    nursery.start_soon(b.search)
        b.server.answers.clear()
        await served(b)


async def test_a_pool_that_has_lost_its_connections_is_made_anew(autojump_clock: MockClock) -> None:
    """Here the connection is not lost but in use, which looks the same to the next request."""
    outcomes: list[str] = []

    async def ask() -> None:
        with pytest.raises(TryAgain) as raised:
            await connections.exchange(call, "Bearer token", 60)
        outcomes.append(raised.value.outcome)

    async with scripted(PAGE) as server:
        server.answers.append(Reply(200, PAGE.body, wait=30))
        connections, call = ConnectionPool(1), Endpoints(server.url, server.url).balance()
        connections.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await until(lambda: server.requests)
            nursery.start_soon(ask)
        assert sorted(outcomes) == ["cut", "pool"]
        assert (await connections.exchange(call, "Bearer token", 60)).status == 200
        await connections.close()


async def served(b: Bench) -> None:
    """As many requests as there are connections, together."""
    with guarded():
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(b.search)


async def test_closing_while_cancelled_closes_the_connections() -> None:
    async with scripted(PAGE) as server:
        with trio.CancelScope() as scope:
            async with Routee(
                name="main",
                application_id="a",
                application_secret="b",
                clock=TrioClock(NOW),
                api_url=server.url,
                auth_url=server.url,
            ) as routee:
                await routee.search(RouteeQuery(), NOW - 1, NOW)
                scope.cancel()
                await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught


async def test_a_large_answer_is_worked_on_in_a_thread() -> None:
    seen = [await in_worker(lambda _: threading.current_thread(), b"x" * size, 100) for size in (100, 101)]
    assert seen[0] is threading.main_thread()
    assert seen[1] is not threading.main_thread()


async def test_what_comes_of_a_large_answer_is_the_same() -> None:
    records = body_of(
        *(item(messageId=f"m{number}", body=random.Random(number).randbytes(500).hex()) for number in range(2_000))
    )
    packed = Reply(200, gzip.compress(records, 1), {"Content-Encoding": "gzip"})
    assert len(packed.body) > 64 * 1024
    assert len(records) > 1 << 20
    async with bench(packed) as b:
        page = await b.search()
    assert page.batch.message_id == [f"m{number}" for number in range(2_000)]


async def test_a_bomb_of_empty_records_is_malformed() -> None:
    bomb = gzip.compress(b'{"content":[' + b"{}," * 10_000_000 + b"{}]}", 1)
    async with bench(Reply(200, bomb, {"Content-Encoding": "gzip"}), retry_policy=RetryPolicy(attempts=1)) as b:
        with pytest.raises(RouteeUnavailable, match="holds more than 1000000 values"):
            await b.search()


async def search_while_the_thread_is_busy(b: Bench) -> Page:
    """Searches while the thread for large answers works on another one for ten minutes, and tests that the search waited for it."""
    busy, started = threading.Event(), trio.Event()

    async def keep_the_thread_busy() -> None:
        started.set()
        await in_worker(lambda _: busy.wait(60), b"12", 1)

    async def let_go() -> None:
        await trio.sleep(600)
        busy.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_the_thread_busy)
        await started.wait()
        nursery.start_soon(let_go)
        page = await b.search()
        assert busy.is_set()
    return page


async def test_that_an_answer_waits_to_be_unpacked_is_not_routees_time(autojump_clock: MockClock) -> None:
    records = body_of(*(item(messageId=f"m{n}", body=random.Random(n).randbytes(500).hex()) for n in range(300)))
    packed = Reply(200, gzip.compress(records, 1), {"Content-Encoding": "gzip"})
    assert len(packed.body) > 64 * 1024
    async with bench(packed, retry_policy=RetryPolicy(attempts=1)) as b:
        page = await search_while_the_thread_is_busy(b)
    assert len(page.batch) == 300


@pytest.mark.parametrize("record", [b"{}", b"0", b'{"messageId":"m","status":{"status":"Sent","date":"x"}}'])
async def test_a_small_page_of_many_unreadable_records_is_worked_on_in_a_thread(
    record: bytes, autojump_clock: MockClock
) -> None:
    count = min(20_000, 60_000 // (len(record) + 1))
    content = b'{"content":[' + b",".join([record] * count) + b"]}"
    assert len(content) < 64 * 1024  # a larger one waits for the thread to be unpacked
    async with bench(Reply(200, content)) as b:
        page = await search_while_the_thread_is_busy(b)
    assert len(page.rejected) == count
