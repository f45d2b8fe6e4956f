"""The client against a server that says what the test scripts: questions, tokens, verdicts."""

import base64
import gc
import json
import logging
import warnings
from urllib.parse import parse_qs, urlsplit

import pytest
import trio
import trio.testing
from routee_client import at_once, bench, client, until
from routee_pages import NOW, body_of, item
from trio.testing import MockClock

from monitor.ingest.routee.retry import RetryPolicy
from monitor.model.routee_query import Filter, RouteeQuery, Tracking
from monitor.runtime.clock import HOUR, MINUTE
from monitor.runtime.errors import RouteeRefused, RouteeRejected, RouteeUnavailable
from tests.fakes.scripted import Reply, answer, token

PAGE = Reply(body=body_of(item()))
UNAUTHORISED = answer({"code": "401000001", "developerMessage": "token expired"}, 401)


async def test_a_search_asks_as_documented() -> None:
    question = RouteeQuery((Filter("direction", "Outbound"), Filter("to", "+30", "starts_with")), True, "182d20da")
    async with bench(PAGE) as b:
        tracking: Tracking = b.routee
        page = await tracking.search(question, NOW - MINUTE - 1, NOW + 1, page=3, size=500)
    (request,) = b.server.asked("/sms/tracking")
    query = {name: value for name, (value,) in parse_qs(urlsplit(request.target).query).items()}
    assert query == {
        "dateStart": "2026-11-21T17:58:59.999Z",
        "dateEnd": "2026-11-21T18:00:00.001Z",
        "page": "3",
        "size": "500",
        "trackingId": "182d20da",
        "campaign": "true",
    }
    assert json.loads(request.body) == [
        {"fieldName": "direction", "searchTerm": "Outbound", "searchOperator": "is"},
        {"fieldName": "to", "searchTerm": "+30", "searchOperator": "starts_with"},
    ]
    assert request.headers["authorization"] == "Bearer token"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "gzip"
    assert len(page.batch) == 1


async def test_a_plain_search_sends_no_filters_and_whole_seconds() -> None:
    async with bench(PAGE) as b:
        await b.routee.search(RouteeQuery(campaign=False), NOW - MINUTE, NOW)
    (request,) = b.server.asked("/sms/tracking")
    assert request.body == b"[]"
    assert "dateEnd=2026-11-21T18%3A00%3A00Z" in request.target
    assert "campaign=false" in request.target


async def test_the_token_is_asked_for_as_documented() -> None:
    async with bench() as b:
        await b.routee.check()
    (request,) = b.server.requests
    assert (request.method, request.target) == ("POST", "/oauth/token")
    assert request.body == b"grant_type=client_credentials"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"app:S3CRET"


async def test_the_other_endpoints_are_asked_and_read() -> None:
    state = {
        "state": "Running",
        "campaignName": "Spring",
        "scheduledDate": "2026-11-21T17:00:00Z",
        "statuses": {"Delivered": 5, "Failed": "2"},
        "smsAnalysis": {"numberOfRecipients": 9},
    }
    balance = {"balance": "200.5", "currency": {"code": "EUR"}}
    async with bench(answer([item()]), PAGE, answer(state), answer(balance)) as b:
        assert len((await b.routee.single("a/b c")).batch) == 1
        assert len((await b.routee.campaign("id", page=2, size=10)).batch) == 1
        campaign = await b.routee.campaign_state("id")
        assert (await b.routee.balance()).amount == 200.5
    assert (campaign.name, campaign.state, campaign.recipients, campaign.created_at) == ("Spring", "Running", 9, None)
    assert campaign.statuses == {"Delivered": 5, "Failed": 2}
    assert [request.target for request in b.server.requests[1:]] == [
        "/sms/tracking/single/a%2Fb%20c",
        "/sms/tracking/campaign/id?page=2&size=10",
        "/campaigns/id",
        "/accounts/me/balance",
    ]
    assert b.observed == [(name, "ok") for name in ("token", "single", "campaign", "campaign_state", "balance")]


async def test_many_callers_share_one_token() -> None:
    async with bench(otherwise=PAGE) as b:
        b.server.tokens.append(Reply(200, token().body, wait=0.05))
        await at_once(20, b.search)
    assert len(b.server.asked("oauth")) == 1


async def test_a_token_is_renewed_before_it_expires(autojump_clock: MockClock) -> None:
    async with bench(otherwise=PAGE) as b:
        b.server.tokens.extend([token("first", 600), token("second", 600)])
        for wait, expected in ((0, "first"), (530, "first"), (20, "second")):
            await trio.sleep(wait)
            await b.search()
            assert b.server.requests[-1].headers["authorization"] == f"Bearer {expected}"


async def test_a_storm_of_401_renews_the_token_once_even_if_it_is_the_same_again() -> None:
    slow = Reply(401, UNAUTHORISED.body, wait=0.02)
    async with bench(*[slow] * 8, otherwise=PAGE, concurrency=8) as b:
        await at_once(8, b.search)
    assert len(b.server.asked("oauth")) == 2
    assert len(b.server.asked("/sms/")) == 16


@pytest.mark.parametrize("status", [401, 403])
async def test_a_question_refused_twice_is_refused_with_what_to_check(status: int) -> None:
    async with bench(otherwise=answer({"code": "403000001", "developerMessage": "no permission"}, status)) as b:
        with pytest.raises(RouteeRefused, match=r"account main.*no permission.*permissions") as raised:
            await b.search()
    assert raised.value.outcome == str(status)
    assert len(b.server.asked("oauth")) == 2
    assert len(b.server.asked("/sms/")) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_wrong_credentials_are_refused_with_what_to_check(status: int) -> None:
    async with bench() as b:
        b.server.tokens.append(answer({"error": "unauthorized", "error_description": "Bad credentials"}, status))
        with pytest.raises(RouteeRefused, match=r"account main.*Bad credentials.*application_id") as raised:
            await b.routee.check()
    assert raised.value.outcome == str(status)


async def test_callers_who_wait_for_a_token_share_its_failure() -> None:
    failures: list[str] = []

    async def ask() -> None:
        with pytest.raises(RouteeRefused) as raised:
            await b.search()
        failures.append(str(raised.value))

    async with bench() as b:
        b.server.tokens.extend([Reply(401, b"{}", wait=0.05)] * 10)
        await at_once(10, ask)
        assert len(b.server.asked("oauth")) == 1
        await ask()
        assert len(b.server.asked("oauth")) == 2
    assert len(set(failures)) == 1


async def test_a_caller_cancelled_while_it_fetches_the_token_leaves_the_others_served() -> None:
    async with bench(otherwise=PAGE) as b, trio.open_nursery() as nursery:
        b.server.tokens.append(Reply(200, token().body, wait=60))
        first = trio.CancelScope()

        async def cancelled() -> None:
            with first:
                await b.search()

        nursery.start_soon(cancelled)
        await until(lambda: b.server.requests)
        nursery.start_soon(b.search)
        await trio.testing.wait_all_tasks_blocked()
        first.cancel()
    assert len(b.server.asked("oauth")) == 2
    assert len(b.server.asked("/sms/")) == 1


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_wrong_question_is_rejected_at_once_with_its_code(status: int) -> None:
    said = {"code": "404005000", "developerMessage": "tracking\nnot found" + "!" * 500}
    async with bench(answer(said, status)) as b:
        with pytest.raises(RouteeRejected, match=r"404005000.*tracking\ufffdnot found!") as raised:
            await b.routee.single("nothing")
    assert (raised.value.code, raised.value.outcome) == ("404005000", str(status))
    assert len(str(raised.value)) < 330
    assert b.observed[-1] == ("single", str(status))


async def test_a_404_that_is_not_routees_hints_at_the_url() -> None:
    async with bench(Reply(404, b"<html>nothing here</html>", {"Content-Type": "text/html"})) as b:
        with pytest.raises(RouteeRejected, match="check the URL") as raised:
            await b.search()
    assert raised.value.code == ""


async def test_a_redirect_is_not_followed() -> None:
    async with bench(Reply(302, b"", {"Location": "http://127.0.0.1:1/secret"})) as b:
        with pytest.raises(RouteeUnavailable, match="redirect") as raised:
            await b.search()
    assert raised.value.outcome == "302"
    assert len(b.server.requests) == 2


@pytest.mark.parametrize("value", ["", None, 5, "a b", "a\r\nX: y", "ü"])
async def test_a_token_that_fits_into_no_header_is_malformed(value: object, autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.server.tokens.extend([answer({"access_token": value})] * 4)
        with pytest.raises(RouteeUnavailable, match="access_token") as raised:
            await b.routee.check()
    assert raised.value.outcome == "malformed"


async def test_secrets_and_tokens_show_nowhere(caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    caplog.set_level(logging.DEBUG)
    replies = [answer({}, 503), Reply(raw=b"garbage\r\n\r\n"), Reply(200, b"{"), UNAUTHORISED, UNAUTHORISED]
    async with bench(*replies) as b:
        b.server.tokens.extend([token("T0KEN"), token("T0KEN")])
        with pytest.raises((RouteeUnavailable, RouteeRefused)) as raised:
            await b.search()
    shown = [repr(b.routee), str(b.routee), repr(raised.value), str(raised.value), caplog.text]
    basic = base64.b64encode(b"app:S3CRET").decode()
    assert not [text for text in shown for secret in ("T0KEN", "S3CRET", basic) if secret in text]
    assert "HTTP Request" not in caplog.text


async def test_a_client_that_was_not_entered_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await client("http://127.0.0.1:1").check()


async def test_requests_at_once_are_bounded() -> None:
    async with bench(otherwise=Reply(200, PAGE.body, wait=0.01), concurrency=3) as b:
        await at_once(12, b.search)
    assert b.server.at_once == 3


async def test_a_body_in_thousands_of_pieces_lets_other_tasks_run() -> None:
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n"
    turns = 0
    async with bench(Reply(raw=body), retry_policy=RetryPolicy(attempts=1)) as b, trio.open_nursery() as nursery:

        async def count() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(count)
        with pytest.raises(RouteeUnavailable):
            await b.search()
        nursery.cancel_scope.cancel()
    assert turns > 30_000 / 60


async def test_a_body_in_thousands_of_pieces_that_is_given_up_leaves_nothing_open() -> None:
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n"
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        async with bench(Reply(raw=body), retry_policy=RetryPolicy(attempts=1)) as b:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def give_up() -> None:
                        while not b.server.requests:
                            await trio.lowlevel.checkpoint()
                        for _ in range(100):
                            await trio.lowlevel.checkpoint()
                        scope.cancel()

                    nursery.start_soon(give_up)
                    await b.search()
            assert scope.cancelled_caught
            gc.collect()
            await trio.lowlevel.checkpoint()
    assert [str(one.message) for one in found if one.category is ResourceWarning] == []


async def test_requests_a_second_are_bounded(autojump_clock: MockClock) -> None:
    async with bench(otherwise=PAGE, requests_per_second=5) as b:
        await at_once(30, b.search)
        times = [request.at for request in b.server.requests]
    assert len(times) == 31
    for start in times:
        assert len([at for at in times if start <= at < start + 2]) <= 5 + 2 * 5 + 1
    assert times[-1] - times[0] == pytest.approx((31 - 5) / 5, abs=0.1)


async def test_a_try_for_the_token_is_told_once_to_whoever_asks_for_several_pages(autojump_clock: MockClock) -> None:
    told: list[str] = []

    def failed(outcome: str, sentence: str) -> None:
        told.append(outcome)

    async def ask() -> None:
        with pytest.raises(RouteeUnavailable):
            await b.routee.search(RouteeQuery(), NOW - HOUR, NOW, failed=failed)

    async with bench(retry_policy=RetryPolicy(attempts=3)) as b:
        b.server.tokens.extend([Reply(503)] * 3)
        await at_once(4, ask)
        assert told == ["503"] * len(b.server.asked("oauth"))
