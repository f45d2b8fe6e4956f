"""The local Routee keeps to Routee's API: endpoints, filters, paging, limits, errors."""

import httpx
import pytest
import trio

from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, iso
from monitor.simulation.sandbox import Sandbox
from tests.fakes.hand_clock import HandClock
from tests.fakes.routee import APPLICATION_ID, START, caller, local_routee, sms


def is_(field: str, term: str, operator: str = "is") -> dict[str, str]:
    return {"fieldName": field, "searchTerm": term, "searchOperator": operator}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_token_comes_for_the_right_credentials_only() -> None:
    async with local_routee(token_life=HOUR) as routee, httpx.AsyncClient(base_url=routee.url) as client:
        form = {"grant_type": "client_credentials"}
        right = await client.post("/oauth/token", data=form, auth=routee.sandbox.account.credentials)
        wrong = await client.post("/oauth/token", data=form, auth=(APPLICATION_ID, "no"))
        formless = await client.post("/oauth/token", auth=routee.sandbox.account.credentials)
    assert right.json()["token_type"] == "bearer"
    assert right.json()["expires_in"] == 3599
    assert (wrong.status_code, formless.status_code) == (401, 400)


async def test_without_a_good_token_everything_is_401() -> None:
    async with local_routee() as routee, httpx.AsyncClient(base_url=routee.url) as client:
        client.headers["Authorization"] = "Bearer guessed"
        paths = ("/sms/tracking/single/x", "/sms/tracking/campaign/x", "/campaigns/x", "/accounts/me/balance")
        answers = [await client.get(path) for path in paths]
        answers.append(await client.post("/sms/tracking", json=[]))
    assert [answer.status_code for answer in answers] == [401] * 5


async def test_a_token_expires(autojump_clock: object) -> None:
    async with local_routee(token_life=MINUTE) as routee, caller(routee.url) as call:
        before = await call.client.get("/accounts/me/balance")
        await trio.sleep(61)
        after = await call.client.get("/accounts/me/balance")
        await call.authorize()
        renewed = await call.client.get("/accounts/me/balance")
    assert [before.status_code, after.status_code, renewed.status_code] == [200, 401, 200]


async def test_a_page_has_every_documented_field_and_exactly_what_was_put() -> None:
    record = sms(
        "Undelivered", START - MINUTE, "Unknown Number", campaignName="Black Friday", campaignTrackingId="track-1"
    )
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.put(record)
        page = (await call.search()).json()
    rest = {name: value for name, value in page.items() if name != "content"}
    assert page["content"] == [record]
    assert rest == {
        "totalPages": 1,
        "totalElements": 1,
        "number": 0,
        "size": 20,
        "numberOfElements": 1,
        "first": True,
        "last": True,
    }


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (is_("status.status", "Failed"), "b"),
        (is_("status.status", "Failed", "is_not"), "ac"),
        (is_("status.status", "liver", "contains"), "ac"),
        (is_("status.status", "Un", "starts_with"), "c"),
        (is_("status.status", "ed", "ends_with"), "abc"),
        (is_("smsId", "a"), "a"),
        (is_("smsId", "a", "is_not"), "bc"),
        (is_("to", "+306900000001"), "a"),
        (is_("to", "306900000001"), ""),
        (is_("to", "+30690", "starts_with"), "ac"),
        (is_("to", "002", "ends_with"), "b"),
        (is_("to", "7", "contains"), "b"),
        (is_("direction", "Inbound"), "b"),
        (is_("direction", "Inbound", "is_not"), "ac"),
        (is_("label", "otp"), "a"),
        (is_("label", "otp", "is_not"), "bc"),
        (is_("label", "o", "contains"), "ac"),
        (is_("campaign", "Black Friday"), "c"),
        (is_("campaign", "Friday", "ends_with"), "c"),
        (is_("campaign", "black friday"), ""),
        ({"fieldName": "label", "searchTerm": "otp"}, "a"),
    ],
)
async def test_each_filter_and_operator_chooses(wanted: dict[str, str], found: str) -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.put(sms("Delivered", smsId="a", to="+306900000001", label="otp"))
        routee.sandbox.put(sms("Failed", smsId="b", to="+447000000002", label=None, direction="Inbound"))
        routee.sandbox.put(sms("Undelivered", smsId="c", to="+306900000003", campaignName="Black Friday"))
        assert sorted(record["smsId"] for record in await call.found([wanted])) == list(found)


async def test_filters_choose_drawn_traffic_as_a_scan_of_everything_would() -> None:
    async with (
        local_routee(HandClock(START), seed=5, history=6 * HOUR, messages=900, wild=True) as routee,
        caller(routee.url) as call,
    ):
        everything = await call.found(start=START - DAY, size=2000)
        sample = everything[7]
        cases = [
            (is_("to", sample["to"]), lambda each: each["to"] == sample["to"]),
            (is_("to", "+30", "starts_with"), lambda each: each["to"].lstrip("+").startswith("30")),
            (is_("to", "77", "contains"), lambda each: "77" in each["to"]),
            (is_("to", "5", "ends_with"), lambda each: each["to"].endswith("5")),
            (is_("smsId", sample["smsId"]), lambda each: each.get("smsId") == sample["smsId"]),
            (is_("smsId", "ab", "starts_with"), lambda each: each.get("smsId", "").startswith("ab")),
            (is_("label", "otp"), lambda each: each.get("label") == "otp"),
            (is_("label", "otp", "is_not"), lambda each: each.get("label") != "otp"),
            (is_("status.status", "Delivered", "is_not"), lambda each: each["status"]["status"] != "Delivered"),
        ]
        for wanted, holds in cases:
            expected = [each for each in everything if holds(each)]
            assert await call.found([wanted], start=START - DAY, size=2000) == expected, wanted


async def test_campaign_and_tracking_id_narrow_the_search() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for name, tracking in (("a", "t-1"), ("b", "t-2"), ("c", None)):
            routee.sandbox.put(sms(smsId=name, campaignTrackingId=tracking))
        of_campaigns = {record["smsId"] for record in await call.found(campaign="true")}
        of_one = [record["smsId"] for record in await call.found(trackingId="t-2")]
        unknown = await call.search(trackingId="t-3")
    assert (of_campaigns, of_one, code_of(unknown)) == ({"a", "b"}, ["b"], (400, "400009001"))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"size": 2001}, "size must be between 1 and 2000"),
        ({"size": 0}, "size must be between 1 and 2000"),
        ({"size": "many"}, "size is not a number: many"),
        ({"page": -1}, "page must not be negative"),
        ({"page": 1 << 31}, "page does not fit into 32 bits"),
        ({"sort": "colour"}, "Cannot sort by colour"),
        ({"campaign": "perhaps"}, "campaign is neither true nor false: perhaps"),
        ({"dateStart": "yesterday"}, "dateStart is not an ISO-8601 date-time: yesterday"),
        ({"dateStart": iso(START - 7 * DAY - 10 * SECOND)}, "dateStart is more than 7 days ago"),
        ({"dateStart": iso(START + SECOND)}, "dateStart is after dateEnd"),
    ],
)
async def test_a_wrong_query_is_400_with_a_code(query: dict[str, object], sentence: str) -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        answer = await call.search(**query)
    assert code_of(answer) == (400, "400005000")
    assert answer.json()["developerMessage"] == sentence


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[", b"[1]", b'[{"fieldName": "colour", "searchTerm": "x"}]', b'[{"fieldName": "to"}]'],
)
async def test_wrong_filters_are_400(body: bytes) -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        query = {"dateStart": iso(START - HOUR), "dateEnd": iso(START)}
        assert (await call.client.post("/sms/tracking", params=query, content=body)).status_code == 400


async def test_an_unknown_operator_is_400() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        assert (await call.search([is_("to", "3", "resembles")])).status_code == 400


async def test_pages_cut_the_newest_first_and_say_which_is_last() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for number in range(5):
            routee.sandbox.put(sms(date=START - number * SECOND, smsId=str(number)))
        pages = [(await call.search(page=page, size=2)).json() for page in range(4)]
    assert ["".join(record["smsId"] for record in page["content"]) for page in pages] == ["01", "23", "4", ""]
    assert [(page["first"], page["last"]) for page in pages] == [
        (True, False),
        (False, False),
        (False, True),
        (False, True),
    ]
    assert {(page["totalPages"], page["totalElements"]) for page in pages} == {(3, 5)}


async def test_offset_paging_shifts_when_messages_arrive_between_two_pages() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for number in range(4):
            routee.sandbox.put(sms(date=START - HOUR // 2 - number * SECOND, smsId=str(number)))
        first = await call.found(size=2)
        routee.sandbox.put(sms(date=START - SECOND, smsId="new"))
        second = await call.found(size=2, page=1)
    assert [record["smsId"] for record in first + second] == ["0", "1", "1", "2"]


async def test_sorting_goes_up_by_a_field_or_down() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for name, label in (("a", "y"), ("b", "x"), ("c", "z")):
            routee.sandbox.put(sms(smsId=name, label=label))
        up = [record["smsId"] for record in await call.found(sort="label")]
        down = [record["smsId"] for record in await call.found(sort="label,desc")]
    assert (up, down) == (["b", "a", "c"], ["c", "a", "b"])


@pytest.mark.parametrize(("select_by", "early", "late"), [("sent", 1, 0), ("status", 0, 1)])
async def test_a_range_selects_by_sending_or_by_the_present_status(select_by: str, early: int, late: int) -> None:
    async with local_routee(select_by=select_by) as routee, caller(routee.url) as call:
        routee.sandbox.put(sms(date=START - MINUTE), sent=START - 2 * HOUR)
        at_sending = await call.found(start=START - 3 * HOUR, end=START - HOUR)
        at_report = await call.found(start=START - HOUR, end=START)
    assert (len(at_sending), len(at_report)) == (early, late)


@pytest.mark.parametrize("select_by", ["sent", "status"])
async def test_both_ends_of_a_range_belong_to_it(select_by: str) -> None:
    async with local_routee(select_by=select_by) as routee, caller(routee.url) as call:
        routee.sandbox.put(sms(date=START - HOUR))
        routee.sandbox.put(sms(date=START))
        assert len(await call.found(start=START - HOUR, end=START)) == 2


async def test_a_changed_status_is_seen_at_once_and_the_rest_stays() -> None:
    record = sms("Sent", START - MINUTE, smsId="a")
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.put(record)
        before = await call.found()
        routee.sandbox.change("a", "Undelivered", START, "Expired", latency=60)
        after = await call.found()
    reason = {"detailedStatus": "Expired", "description": "The validity period ran out"}
    assert before == [record]
    assert after == [
        record | {"latency": 60, "status": {"status": "Undelivered", "date": iso(START), "reason": reason}}
    ]


async def test_a_drawn_message_can_be_changed_too() -> None:
    async with local_routee(HandClock(START), history=HOUR, messages=10) as routee, caller(routee.url) as call:
        sms_id = (await call.found())[0]["smsId"]
        routee.sandbox.change(sms_id, "Failed", START, "Brand New")
        assert (await call.found([is_("smsId", sms_id)]))[0]["status"]["reason"]["detailedStatus"] == "Brand New"
    with pytest.raises(KeyError, match="No message has the smsId 'nobody'"):
        routee.sandbox.change("nobody", "Failed")


async def test_one_message_is_tracked_as_a_list_of_its_parts() -> None:
    async with local_routee(HandClock(START), history=DAY, messages=300) as routee, caller(routee.url) as call:
        everything = await call.found(start=START - 2 * DAY, size=2000)
        long = next(record for record in everything if record["parts"] > 1)
        parts = (await call.client.get(f"/sms/tracking/single/{long['messageId']}")).json()
        unknown = await call.client.get("/sms/tracking/single/nobody")
    assert [part["part"] for part in parts] == list(range(1, long["parts"] + 1))
    assert {part["messageId"] for part in parts} == {long["messageId"]}
    assert long in parts
    assert code_of(unknown) == (404, "404005000")


async def test_a_tracked_message_names_its_campaign_otherwise_than_a_search() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.put(sms(messageId="m", campaignName="Black Friday"))
        part = (await call.client.get("/sms/tracking/single/m")).json()[0]
    assert (part["campaign"], "campaignName" in part) == ("Black Friday", False)


async def test_a_campaign_is_tracked_without_a_range_and_has_a_state_of_its_own() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        for number, status in enumerate(["Delivered", "Delivered", "Failed"]):
            date = START - (8 + number) * DAY
            routee.sandbox.put(sms(status, date, campaignTrackingId="t", campaignName="Black Friday"))
        routee.sandbox.put_campaign("t", {"state": "Finished", "smsAnalysis": {"numberOfRecipients": 4}})
        page = (await call.client.get("/sms/tracking/campaign/t", params={"size": 2})).json()
        state = (await call.client.get("/campaigns/t")).json()
        unknown = [await call.client.get(path) for path in ("/campaigns/u", "/sms/tracking/campaign/u")]
    assert (page["totalElements"], len(page["content"]), page["last"]) == (3, 2, False)
    assert (state["state"], state["campaignName"]) == ("Finished", "Black Friday")
    assert state["statuses"] == {"Delivered": 2, "Failed": 1}
    assert state["smsAnalysis"]["numberOfRecipients"] == 4
    assert [code_of(answer) for answer in unknown] == [(400, "400009001")] * 2


async def test_the_balance_is_in_euros() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        routee.sandbox.balance = 20.5
        answer = (await call.client.get("/accounts/me/balance")).json()
    assert answer == {"balance": 20.5, "currency": {"code": "EUR", "name": "Euro", "sign": "€"}}


async def test_what_does_not_exist_is_404_and_a_wrong_method_405() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        answers = [await call.client.get(path) for path in ("/", "/sms/tracking/single/", "/sms/tracking")]
    assert [answer.status_code for answer in answers] == [404, 404, 405]


async def test_gzip_is_used_where_it_is_switched_on_and_allowed() -> None:
    async with (
        local_routee(HandClock(START), history=HOUR, messages=50, gzip=True) as routee,
        caller(routee.url) as call,
    ):
        packed = await call.search()
        call.client.headers["Accept-Encoding"] = "identity"
        plain = await call.search()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()


async def test_requests_are_counted_by_endpoint() -> None:
    async with local_routee() as routee, caller(routee.url) as call:
        await call.search()
        await call.search()
        state = (await call.client.get("/sandbox/state")).json()
    assert state["requests"] == {"token": 1, "search": 2}
    assert (routee.requests(), state["answers"], state["now"][:16]) == (2, {"200": 3}, iso(START)[:16])


def test_nothing_is_shown_of_the_secret(capsys: pytest.CaptureFixture[str]) -> None:
    class Still:
        def now(self) -> int:
            return START

        async def sleep(self, duration: int) -> None:
            raise AssertionError("nobody waits here")

    assert "hush" not in repr(Sandbox(Still(), credentials=("app", "hush")))
