"""Each fault really happens, as a client sees it and on the bare socket."""

import json
from typing import Any

import httpx
import pytest
import trio

from monitor.runtime.clock import MINUTE, SECOND
from monitor.simulation.sandbox import Sandbox, run_sandbox, serve
from tests.fakes.hand_clock import HandClock
from tests.fakes.routee import START, LocalRoutee, caller, local_routee, sms
from tests.fakes.waiting import guarded

WRONG_FAULTS: list[Any] = [
    {},
    [],
    {"kind": "htm"},
    {"kind": "html", "colour": 1},
    {"kind": "cut", "at": "x"},
    {"kind": "cut", "for": "x"},
    {"kind": "cut", "count": "3"},
    {"kind": "cut", "share": 2},
    {"kind": "status", "status": 200},
    {"kind": "status", "endpoint": "serch"},
]


async def raw_balance(routee: LocalRoutee) -> tuple[bytes, BaseException | None]:
    """Every byte that comes for one request, and the error that ended it."""
    token, _ = routee.sandbox.account.new_token(routee.sandbox.now())
    port = int(routee.url.rsplit(":", 1)[1])
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(
        f"GET /accounts/me/balance HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    received, error = b"", None
    try:
        async for piece in stream:
            received += piece
    except trio.BrokenResourceError as broken:
        error = broken
    await trio.aclose_forcefully(stream)
    return received, error


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
async def test_any_error_status_with_routees_body_and_only_so_often(status: int) -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.fault("status", status=status, count=2)
        answers = [await call.client.get("/accounts/me/balance") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].json()["code"].startswith(str(status))
    assert "Retry-After" not in answers[0].headers


@pytest.mark.parametrize("again", [7, "Sat, 21 Nov 2026 12:01:00 GMT"])
async def test_retry_after_in_seconds_or_as_a_date(again: Any) -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.fault("status", status=429, retry_after=again)
        assert (await call.search()).headers["Retry-After"] == str(again)


async def test_the_account_that_is_not_found_has_its_documented_code() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.fault("status", status=404)
        assert (await call.search()).json()["code"] == "404001001"


async def test_html_as_from_a_proxy() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.fault("html", status=504)
        answer = await call.search()
    assert (answer.status_code, answer.headers["Content-Type"], answer.text[:6]) == (504, "text/html", "<html>")


async def test_a_fault_keeps_to_its_endpoint_and_spares_the_token_unless_named() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.fault("status", endpoint="search")
        spared = await call.client.get("/accounts/me/balance")
        hit = await call.search()
        routee.sandbox.faults.clear()
        routee.sandbox.fault("status", status=500)
        await call.token()
        routee.sandbox.fault("status", status=500, endpoint="token")
        form = {"grant_type": "client_credentials"}
        failing = await call.client.post("/oauth/token", data=form, auth=routee.sandbox.account.credentials)
    assert (spared.status_code, hit.status_code, failing.status_code) == (200, 503, 500)


def test_a_fault_ends_by_the_sandboxs_clock_and_hits_its_share() -> None:
    clock = HandClock()
    sandbox = Sandbox(clock)
    sandbox.fault("html", for_=MINUTE, share=0.25)
    hits = sum(bool(sandbox.faults.take("search", clock.now())) for _ in range(2000))
    clock.at += MINUTE
    assert 400 < hits < 600
    assert sandbox.faults.take("search", clock.now()) == []


@pytest.mark.parametrize(("at", "some"), [(0, False), (0.5, True)])
async def test_a_cut_resets_the_connection_before_the_body_is_whole(at: float, some: bool) -> None:
    async with local_routee() as routee:
        routee.sandbox.fault("cut", at=at)
        received, error = await raw_balance(routee)
    assert isinstance(error, trio.BrokenResourceError)
    assert (b"HTTP/1.1 200" in received) <= some
    assert not received.endswith(b"}}")


async def test_a_client_meets_a_cut_as_a_broken_answer() -> None:
    async with local_routee(history=60 * MINUTE, messages=2000) as routee, caller(routee.url) as call:
        routee.sandbox.fault("cut", count=1)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await call.search(size=2000)
        assert (await call.search(size=2000)).status_code == 200


async def test_dripping_takes_as_long_as_its_pieces(autojump_clock: object) -> None:
    async with local_routee() as routee:
        routee.sandbox.fault("drip", bytes=10, seconds=2.0)
        began = trio.current_time()
        received, error = await raw_balance(routee)
        took = trio.current_time() - began
    body = received.partition(b"\r\n\r\n")[2]
    assert error is None
    assert json.loads(body)["currency"]["code"] == "EUR"
    assert took == pytest.approx(2 * -(-len(body) // 10))


async def test_a_delay_holds_the_answer_back(autojump_clock: object) -> None:
    async with local_routee() as routee:
        routee.sandbox.fault("delay", seconds=40)
        began = trio.current_time()
        await raw_balance(routee)
        assert trio.current_time() - began == pytest.approx(40)


async def test_truncated_json_has_a_matching_length() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.fault("truncated", at=0.7)
        answer = await call.search()
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_wrong_types_in_records_or_in_the_page() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for _ in range(6):
            routee.sandbox.put(sms())
        routee.sandbox.fault("wrong_types", count=1)
        content = await call.found()
        routee.sandbox.fault("wrong_types", where="page")
        page = (await call.search()).json()
    assert (content[0]["status"], content[1]["status"]["date"], content[3]) == ("Delivered", 17, None)
    assert content[4]["status"]["status"] == "Delivered"
    assert not isinstance(page["content"], list)


@pytest.mark.parametrize(("shift", "second", "total"), [(1, "12", 7), (-1, "34", 5)])
async def test_page_drift_repeats_items_or_skips_them(shift: int, second: str, total: int) -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for number in range(6):
            routee.sandbox.put(sms(date=START - number * SECOND, smsId=str(number)))
        routee.sandbox.fault("page_drift", shift=shift)
        pages = [(await call.search(size=2, page=page)).json() for page in (0, 1)]
    assert ["".join(record["smsId"] for record in page["content"]) for page in pages] == ["01", second]
    assert [page["totalElements"] for page in pages] == [6, total]


async def test_short_pages_lose_nothing_when_last_is_trusted() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for number in range(5):
            routee.sandbox.put(sms(date=START - number * SECOND, smsId=str(number)))
        routee.sandbox.fault("short_pages", items=2)
        pages = [(await call.search(size=4, page=page)).json() for page in range(3)]
    assert "".join(record["smsId"] for page in pages for record in page["content"]) == "01234"
    assert [page["last"] for page in pages] == [False, False, True]


async def test_expired_tokens_are_refused_until_a_new_one_comes() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.fault("expired_tokens", count=1)
        refused = await call.search()
        await call.authorize()
        again = await call.search()
    assert (refused.status_code, again.status_code) == (401, 200)


async def test_faults_are_switched_over_http() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        order = {"kind": "status", "status": 500, "for": "5m", "endpoint": "search"}
        added = (await call.client.post("/sandbox/faults", json=order)).json()
        listed = (await call.client.get("/sandbox/faults")).json()
        hit = await call.search()
        await call.client.delete(f"/sandbox/faults/{added['id']}")
        spared = await call.search()
        wrong = [await call.client.post("/sandbox/faults", json=each) for each in WRONG_FAULTS]
        cleared = await call.client.delete("/sandbox/faults")
    assert listed == [added]
    assert (hit.status_code, spared.status_code, cleared.status_code) == (500, 200, 200)
    assert {answer.status_code for answer in wrong} == {400}


async def test_messages_are_put_and_changed_over_http() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        keys = (await call.client.post("/sandbox/messages", json=[sms("Sent", smsId="a"), sms(smsId="b")])).json()
        change = {"status": "Failed", "detailedStatus": "Failed"}
        await call.client.post("/sandbox/messages/a", json=change)
        unknown = await call.client.post("/sandbox/messages/nobody", json=change)
        statuses = (await call.client.get("/sandbox/state")).json()["statuses"]
    assert (keys, statuses, unknown.status_code) == ({"keys": ["a", "b"]}, {"Failed": 1, "Delivered": 1}, 404)


async def test_cancelling_stops_at_once_though_clients_hang_on() -> None:
    with guarded():
        async with trio.open_nursery() as nursery:
            sandbox = Sandbox(HandClock())
            url = await nursery.start(serve, sandbox)
            sandbox.fault("delay", seconds=3600, endpoint="balance")
            idle = await trio.open_tcp_stream("127.0.0.1", int(url.rsplit(":", 1)[1]))
            async with httpx.AsyncClient(base_url=url) as client:
                nursery.start_soon(_hang, client)
                while not sandbox.requests["balance"]:
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        assert await idle.receive_some() == b""
        await trio.aclose_forcefully(idle)


async def _hang(client: httpx.AsyncClient) -> None:
    await client.get("/accounts/me/balance")


async def test_what_is_not_http_gets_400_and_a_half_request_hurts_nobody() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        port = int(routee.url.rsplit(":", 1)[1])
        async with await trio.open_tcp_stream("127.0.0.1", port) as nonsense:
            await nonsense.send_all(b"hello\r\n\r\n")
            assert (await nonsense.receive_some()).startswith(b"HTTP/1.1 400")
        async with await trio.open_tcp_stream("127.0.0.1", port) as no_url:
            await no_url.send_all(b"GET http://[ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\r\n\r\n")
            assert (await no_url.receive_some()).startswith(b"HTTP/1.1 400")
        async with await trio.open_tcp_stream("127.0.0.1", port) as half:
            await half.send_all(b"POST /sms/tracking HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[")
        assert (await call.search()).status_code == 200


async def test_run_sandbox_hands_back_its_url_and_runs_faster_than_the_world() -> None:
    async with trio.open_nursery() as nursery:
        url, sandbox = await nursery.start(
            lambda task_status: run_sandbox(
                seed=1, rate=6000, speed=10_000, credentials=("a", "b"), task_status=task_status
            )
        )
        before = sandbox.now()
        async with httpx.AsyncClient(base_url=url) as client:
            answer = await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("a", "b"))
            while not (state := (await client.get("/sandbox/state")).json())["parts"]:
                pass
        assert answer.status_code == 200
        assert sandbox.now() - before > 10 * SECOND
        assert state["statuses"]
        nursery.cancel_scope.cancel()
