"""Pages of messages: what is read, what is tolerated, what is set aside."""

import json
import math
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from routee_pages import NOW, body_of, item, status

from monitor.ingest.routee.decompress import LARGEST_BODY
from monitor.ingest.routee.tolerant import SMALLEST_HASH
from monitor.ingest.routee.wire import Malformed, decode_page, decode_parts, read_json
from monitor.model.message import CODED_FIELDS, GROUPS_SEPARATOR, UNKNOWN
from monitor.model.routee_query import PAGE_SIZE
from monitor.runtime.clock import DAY, iso, parse_iso


def row(**changed: object) -> dict[str, Any]:
    """The one part of a page with one record."""
    (only,) = decode_page(body_of(item(**changed)), NOW).batch.rows()
    return only


def rejected(record: object) -> tuple[str, str]:
    """Why that record was set aside, and what is kept of it; a good record beside it goes on."""
    page = decode_page(body_of(record, item()), NOW)
    assert len(page.batch) == 1
    (only,) = page.rejected
    return only.why, only.record


def test_a_documented_record_is_read_in_full() -> None:
    assert row() == {
        "messageId": "a6b62347-0000",
        "part": 1,
        "parts": 1,
        "date": parse_iso("2026-11-21T17:07:04Z"),
        "status": "Undelivered",
        "detailedStatus": "Unknown Number",
        "operator": "Cosmote",
        "country": "GR",
        "campaign": "Black Friday",
        "campaignTrackingId": "182d20da-0000",
        "label": "promo",
        "from": "Shop",
        "direction": "Outbound",
        "applicationName": "app-1",
        "originatingService": "Sms",
        "groups": "vip",
        "to": "+306912345678",
        "latency": 3.0,
        "price": 0.045,
    }


def test_the_envelope_says_number_total_and_whether_it_is_the_last() -> None:
    page = decode_page(body_of(item(), number=2, totalElements=5120, last=False), NOW)
    assert (page.number, page.total, page.last) == (2, 5120, False)


@pytest.mark.parametrize(
    ("envelope", "last"),
    [
        ({"last": "true"}, True),
        ({"last": "False"}, False),
        ({"last": None, "totalPages": 1}, True),
        ({"last": None, "totalPages": "2"}, False),
        ({"last": None, "totalPages": None}, False),
    ],
)
def test_last_is_found_out_where_it_is_not_plainly_said(envelope: dict[str, object], last: bool) -> None:
    assert decode_page(body_of(item(), **envelope), NOW).last is last


def test_without_last_and_number_of_pages_an_empty_page_is_the_last() -> None:
    assert decode_page(b'{"content": []}', NOW, number=3).last
    assert decode_page(b'{"content": []}', NOW, number=3).number == 3


def test_numbers_of_the_envelope_may_be_texts() -> None:
    page = decode_page(body_of(item(), number="1", totalElements="5"), NOW)
    assert (page.number, page.total) == (1, 5)


def test_an_empty_page_is_empty() -> None:
    page = decode_page(body_of(), NOW)
    assert (len(page.batch), page.total, page.last, page.rejected) == (0, 0, True, ())
    assert set(page.batch.fields) == set(CODED_FIELDS)


def test_missing_and_null_and_empty_fields_are_unknown() -> None:
    needed = {"messageId": "m", "status": {"status": "Sent", "date": "2026-11-21T17:00:00Z"}}
    names = set(item()) - {"messageId", "status", "body"}
    for lacking in (needed, needed | dict.fromkeys(names), needed | dict.fromkeys(names, "")):
        (found,) = decode_page(body_of(lacking), NOW).batch.rows()
        assert {found[name] for name in (*CODED_FIELDS, "to") if name != "status"} == {UNKNOWN}
        assert (found["part"], found["parts"], found["latency"], found["price"]) == (1, 1, None, None)


def test_the_campaign_comes_under_either_name() -> None:
    assert row(campaignName=None, campaign="Spring")["campaign"] == "Spring"
    assert row(campaignName="", campaign="Spring")["campaign"] == "Spring"
    assert row(campaignName=None, campaign=True)["campaign"] == UNKNOWN


@pytest.mark.parametrize(
    ("given_as", "read_as"),
    [
        ("+306912345678", "+306912345678"),
        ("306912345678", "+306912345678"),
        (306912345678, "+306912345678"),
        ("Shop", "Shop"),
        ("00306912345678", "+00306912345678"),
    ],
)
def test_recipients_get_their_plus(given_as: object, read_as: str) -> None:
    assert row(to=given_as)["to"] == read_as


def test_a_missing_message_id_is_replaced_by_the_sms_id() -> None:
    assert row(messageId=None)["messageId"] == "b6ba5647-0000"
    assert row(messageId="")["messageId"] == "b6ba5647-0000"


def test_an_unknown_status_is_data() -> None:
    assert row(status=status("Parked"))["status"] == "Parked"


def test_callbacks_spellings_of_a_status_are_read() -> None:
    found = row(status={"name": "Failed", "updatedDate": "2026-11-21T17:00:00Z"}, message="text", body=None)
    assert (found["status"], found["date"]) == ("Failed", parse_iso("2026-11-21T17:00:00Z"))


def test_an_inbound_message_may_only_say_when_it_was_received() -> None:
    received = row(status={"status": "Delivered"}, direction="Inbound", receivedDate="2026-11-21T17:00:00Z")
    assert iso(received["date"]) == "2026-11-21T17:00:00Z"


def test_numbers_may_be_texts_and_texts_numbers() -> None:
    found = row(price="0.045", latency="3", parts="2", part="2", label=12, operator=7.5, **{"from": 30210})
    assert (found["price"], found["latency"], found["parts"], found["part"]) == (0.045, 3.0, 2, 2)
    assert (found["label"], found["operator"], found["from"]) == ("12", "7.5", "30210")


@pytest.mark.parametrize("amount", [-1, "-0.5", float("nan"), float("inf"), "Infinity", "abc", True, [], {}, 10**400])
def test_amounts_that_make_no_sense_are_not_given(amount: object) -> None:
    found = row(price=amount, latency=amount)
    assert (found["price"], found["latency"]) == (None, None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0,05", 0.05),
        ("0,045", 0.045),
        (" 0.05 ", 0.05),
        ("\u00a00,05", 0.05),
        ("5e-2", 0.05),
        ("1E3", 1000.0),
        ("+1", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("12,5", 12.5),
        ("1234,567", 1234.567),
        (0, 0.0),
        ("0", 0.0),
    ],
)
def test_amounts_may_be_written_in_several_ways(written: object, read: float) -> None:
    page = decode_page(body_of(item(price=written, latency=written), item()), NOW)
    found = next(page.batch.rows())
    assert (found["price"], found["latency"], page.batch.unread) == (read, read, ())


NO_AMOUNTS = ["1_000", "1,000", "1.000,5", "1,2,3", "NaN", "inf", "-Infinity", "٠", "٠,٥", "0x10", "€0.05", "-1", -0.5]
NO_AMOUNTS += [True, False, [], {}, float("nan"), "e5", ",", "+", "1 000", "9" * 400]


@pytest.mark.parametrize("written", NO_AMOUNTS)
def test_what_is_no_amount_counts_as_missing_and_is_told(written: object) -> None:
    page = decode_page(body_of(item(price=written), item(price=written), item(latency=written), item()), NOW)
    assert [one["price"] for one in page.batch.rows()] == [None, None, 0.045, 0.045]
    assert [one["latency"] for one in page.batch.rows()] == [3.0, 3.0, None, 3.0]
    assert [(one.field, one.count) for one in page.batch.unread] == [("latency", 1), ("price", 2)]
    assert page.rejected == ()


@pytest.mark.parametrize("written", [None, ""])
def test_what_is_not_given_is_told_to_nobody(written: object) -> None:
    page = decode_page(body_of(item(price=written, latency=written)), NOW)
    assert page.batch.unread == ()


def test_what_is_told_of_values_is_what_was_written_masked_and_bounded() -> None:
    prices = ["1_000", "call +306912345678", 306912345678 * -1, "x" * 900, *(f"{i}_0" for i in range(50))]
    found = decode_page(body_of(*(item(price=price) for price in prices)), NOW).batch.unread
    assert len(found) == 20
    told = " ".join(one.value for one in found)
    assert '"1_000"' in told
    assert "6912345678" not in told
    assert max(len(one.value) for one in found) <= 60


@pytest.mark.parametrize("reason", [None, "Expired", {"detailedStatus": "Expired"}, {"description": "x"}, [], 5])
def test_a_reason_may_have_any_shape(reason: object) -> None:
    expected = {"Expired": "Expired", 5: "5"}.get(str(reason) if isinstance(reason, str) else 5 if reason == 5 else "")
    if isinstance(reason, dict) and "detailedStatus" in reason:
        expected = "Expired"
    assert row(status=status(reason=reason))["detailedStatus"] == (expected or UNKNOWN)


@pytest.mark.parametrize(
    ("groups", "read_as"),
    [
        (["vip", "gold"], f"vip{GROUPS_SEPARATOR}gold"),
        ("vip", "vip"),
        ([], UNKNOWN),
        (["", None, "vip", 7], f"vip{GROUPS_SEPARATOR}7"),
        (["a", ""], "a"),
        ([""], UNKNOWN),
        ([f"a{GROUPS_SEPARATOR}b"], "a\ufffdb"),
        ({"a": 1}, UNKNOWN),
    ],
)
def test_groups_are_joined(groups: object, read_as: str) -> None:
    assert row(groups=groups)["groups"] == read_as


def test_many_groups_are_cut_between_groups() -> None:
    names = [f"group-{n:04}" for n in range(500)]
    kept = row(groups=names)["groups"].split(GROUPS_SEPARATOR)
    assert kept == names[: len(kept)]
    assert 50 < len(kept) < 500


def test_values_are_cut_and_freed_of_control_characters() -> None:
    assert row(label="a" * 1000)["label"] == "a" * 256
    assert row(label="one\ntwo\x00\u202e\x85")["label"] == "one\ufffdtwo\ufffd\ufffd\ufffd"
    assert row(label="Ελλάδα\u00a0– ναι")["label"] == "Ελλάδα\u00a0– ναι"
    assert row(to="+30\n69")["to"] == "+30\ufffd69"


def test_halves_of_surrogate_pairs_and_stray_bytes_do_no_harm() -> None:
    assert row(label="x\ud800y")["label"] == "x\ufffdy"
    broken = body_of(item(label="MARK")).replace(b"MARK", b"a\xffb")
    assert decode_page(broken, NOW).batch.fields["label"] == ["a\ufffdb"]


def test_a_part_is_known_by_its_number_else_by_its_sms_id() -> None:
    assert row(parts=3, part=2)["part"] == 2
    assert row(parts=3, part=None)["part"] >= SMALLEST_HASH
    assert row(parts=3, part=None)["part"] == row(parts=3, part=None, label="other")["part"]
    assert row(parts=3, part=None)["part"] != row(parts=3, part=None, smsId="another")["part"]
    assert row(parts=None, part=None)["part"] == 1
    assert row(parts=1, part=-4)["part"] == 1


@pytest.mark.parametrize("count", [-5, 0, 10**12, -(10**12), "9" * 30, 2.5, float("nan")])
def test_parts_stay_in_range(count: object) -> None:
    found = row(parts=count, part=count)
    assert 1 <= found["parts"] < 2**31
    assert 0 <= found["part"] < 2**31


def test_a_record_without_any_id_is_set_aside_with_recipient_masked_and_without_body() -> None:
    why, record = rejected(item(messageId=None, smsId=None))
    assert why == "it has neither messageId nor smsId"
    assert json.loads(record)["to"] == "+30691•••••78"
    assert json.loads(record)["body"] == "…"
    assert "1234 " not in record


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"status": None}, "no status"),
        ({"status": {}}, "no status"),
        ({"status": {"date": "2026-11-21T17:00:00Z"}}, "no status"),
        ({"status": {"status": "Sent"}}, "no date"),
        ({"status": {"status": "Sent", "date": None}}, "no date"),
        ({"status": status(date="yesterday")}, "unreadable"),
        ({"status": status(date="0001-01-01T00:00:00Z")}, "before the year 2000"),
        ({"status": status(date=iso(NOW + 2 * DAY))}, "ahead"),
        ({"parts": 3, "part": None, "smsId": None}, "one of several parts"),
        ({"messageId": "x" * 300}, "longer than 256"),
    ],
)
def test_a_record_that_lacks_what_is_needed_is_set_aside(changed: dict[str, object], why: str) -> None:
    assert why in rejected(item(**changed))[0]


@pytest.mark.parametrize("record", [None, 5, "+306912345678 hello", [], ["+306912345678"], True, 1.5])
def test_what_is_no_object_is_set_aside_by_its_kind_only(record: object) -> None:
    why, text = rejected(record)
    assert why == "it is not an object"
    assert "69123" not in text


def test_numbers_and_bodies_anywhere_in_a_record_set_aside_are_hidden() -> None:
    hidden = {"status": None, "to": 306912345678, "message": "secret", "from": "+306955555555"}
    nested = {"extra": {"to": ["306977777777"], "text": "secret", "+306988888888": "see 306966666666"}}
    record = rejected(item(**hidden) | nested)[1]
    assert "secret" not in record
    for middle in ("12345", "55555", "77777", "66666", "88888"):
        assert middle not in record


def test_what_is_kept_of_a_record_is_bounded() -> None:
    assert len(rejected(item(status=None, label="x" * 5000))[1]) == 500
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    assert len(rejected(item(status=None) | deep)[1]) <= 500


@pytest.mark.parametrize("null", ["null", "NULL", "Null"])
@pytest.mark.parametrize("odd", [{"label": 7}, {"part": "1"}, {"part": "1,0"}])
def test_null_as_a_text_is_read_alike_on_all_pages(null: str, odd: dict[str, object]) -> None:
    """msgspec takes it for null where a field may be null and is no text. ``odd`` decides whether msgspec or `read_part` reads the record."""
    found = row(status=status("Failed", reason=null), groups=null, latency=null, price=null, operator=null, **odd)
    usual = row(status=status("Failed", reason=None), groups=None, latency=None, price=None, operator=null, **odd)
    np.testing.assert_equal(found, usual)
    assert found["operator"] == null


def test_one_bad_record_does_not_change_how_the_others_are_read() -> None:
    records = [item(messageId=f"m{n}", part=n % 3 + 1, parts=3, label=None if n % 2 else "x") for n in range(50)]
    alone = decode_page(body_of(*records), NOW)
    beside = decode_page(body_of(5, *records), NOW)
    assert list(alone.batch.rows()) == list(beside.batch.rows())
    assert len(beside.rejected) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"<html></html>",
        b'{"content": 5}',
        b'{"content": {}}',
        b'{"code": "400005000"}',
        body_of(item())[:-40],
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"content":' + b"[" * 100_000,
    ],
)
def test_an_answer_that_is_no_page_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_page(body, NOW)


def test_a_page_without_content_but_null_is_empty() -> None:
    assert len(decode_page(b'{"content": null, "totalElements": 0, "last": true}', NOW).batch) == 0


def test_a_byte_order_mark_is_forgiven() -> None:
    assert len(decode_page(b"\xef\xbb\xbf" + body_of(item()), NOW).batch) == 1


def test_single_tracking_is_a_list_of_parts() -> None:
    parts = [item(part=n, parts=2, campaignName=None, campaign="Spring") for n in (1, 2)]
    page = decode_parts(json.dumps([*parts, 7]).encode())
    assert list(page.batch.key) == [1, 2]
    assert (page.batch.fields["campaign"], page.last, len(page.rejected)) == (["Spring"] * 2, True, 1)
    assert len(decode_parts(json.dumps(parts).encode()).batch) == 2
    for wrong in (b"{}", b"5", b"", b"[{"):
        with pytest.raises(Malformed):
            decode_parts(wrong)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
known_names = sorted([*item(), "campaign", "receivedDate"])
odd_statuses = json_values | st.dictionaries(
    st.sampled_from(["status", "date", "reason", "name", "updatedDate"]),
    json_values | st.just("2026-11-21T17:00:00.5+0200"),
)
odd_records = json_values | st.fixed_dictionaries(
    {}, optional={name: odd_statuses if name == "status" else json_values for name in known_names}
).map(lambda changed: item() | changed)


@given(
    st.lists(odd_records, max_size=4),
    st.dictionaries(st.sampled_from(["number", "totalElements", "last", "totalPages"]), json_values),
)
def test_every_record_is_either_read_or_set_aside(records: list[object], envelope: dict[str, object]) -> None:
    page = decode_page(body_of(*records, **envelope), NOW)
    batch = page.batch
    assert len(batch) + len(page.rejected) == len(records)
    assert page.number >= 0
    assert page.total >= 0
    assert all(len(column) == len(batch) for column in (batch.recipient, batch.key, *batch.fields.values()))
    assert ((batch.key >= 0) & (batch.key < 2**31) & (batch.parts >= 1) & (batch.parts < 2**31)).all()
    assert not np.any(batch.latency < 0)
    for name in set(CODED_FIELDS) - {"groups"}:
        for value in batch.fields[name]:
            assert value
            assert len(value) <= 256
            assert value.encode()
    for kept in page.rejected:
        assert len(kept.record.encode()) <= 2000


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_body_raises_anything_but_malformed(body: bytes) -> None:
    with suppress(Malformed):
        decode_page(body, NOW)
    with suppress(Malformed):
        decode_parts(body)


DIGITS = 100_000


@pytest.mark.parametrize(
    "content",
    [
        b"{}," * 1_000_000 + b"{}",
        b"0," * 2_000_000 + b"0",
        b'"",' * 1_000_000 + b'""',
        (b"[" * 500 + b"]" * 500 + b",") * 5_000 + b"0",
        b"{" + b'"a":0,' * 1_000_000 + b'"b":0}',
        b'{"a":NaN},' * 600_000 + b"0",
    ],
    ids=["empty records", "numbers", "texts", "lists in lists", "one name again and again", "what is no JSON"],
)
def test_a_page_of_millions_of_values_is_malformed_before_anything_is_made_of_them(content: bytes) -> None:
    body = b'{"content":[' + content + b"]}"
    with pytest.raises(Malformed, match="holds more than 1000000 values"):
        decode_page(body, NOW)


@pytest.mark.parametrize("decode", [decode_parts, read_json])
def test_so_are_the_other_answers(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(Malformed, match="holds more than 1000000 values"):
        decode(b"[" + b"{}," * 1_000_000 + b"{}]")


def test_a_page_holds_far_more_records_than_were_asked_for_or_is_taken_whole() -> None:
    assert len(decode_page(body_of(*[item()] * 2_100), NOW, size=100).batch) == 2_100
    for record in (item(), {}):
        with pytest.raises(Malformed, match="holds 20001 records, far more than were asked for"):
            decode_page(body_of(*[record] * 20_001), NOW, size=2_000)
    assert len(decode_page(body_of(*[item()] * 20_001), NOW, size=3_000).batch) == 20_001


@pytest.mark.parametrize("text", ["x" * 10 * 153, "न" * 10 * 67], ids=["GSM", "Unicode"])
def test_a_full_page_of_messages_of_ten_parts_has_room_four_times(text: str) -> None:
    records = [item(smsId=f"{number:036}", messageId=f"{number:036}", body=text) for number in range(PAGE_SIZE)]
    page = json.dumps({"content": records}, ensure_ascii=False).encode()
    assert 4 * len(page) <= LARGEST_BODY
    assert len(decode_page(page, NOW).batch) == PAGE_SIZE


DEAR = "😀" + "x" * 4_000
"""A text whose every character takes four bytes of memory."""


@pytest.mark.parametrize(
    ("records", "times"),
    [
        ([item(body=DEAR)] * 1_000, 1),
        ([item(operator=DEAR, label=DEAR)] * 500, 5),
        ([item(groups=[DEAR])] * 1_000, 5),
        ([item(groups=["😀" + "x" * 100] * 40)] * 1_000, 6),
        ([item(status=None, body=DEAR)] * 1_000, 1),
        ([["😀" + "x" * 30] * 100_000], 1),
        ([item(price=math.nan, label=DEAR)] * 1_000, 10),
        ([math.nan, ["😀" + "x" * 30] * 100_000], 10),
    ],
    ids=["texts", "fields", "groups", "many groups", "set aside", "huge record", "no JSON", "no JSON, many values"],
)
def test_a_page_takes_memory_in_proportion_to_its_size(records: list[object], times: int) -> None:
    page = json.dumps({"content": records}, ensure_ascii=False).encode()
    tracemalloc.start()
    try:
        decode_page(page, NOW)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < times * len(page)


def test_a_huge_record_that_is_not_as_documented_is_set_aside_unread() -> None:
    huge = {"label": "x" * 3 * 2**20}
    assert rejected(item(**huge, status=7)) == ("it is far larger than any record of Routee's", '{"…": "…"}')
    assert rejected(item(**huge, status=None)) == ("it is far larger than any record of Routee's", '{"…": "…"}')
    assert rejected(item(**huge, messageId="", smsId="")) == ("it has neither messageId nor smsId", '{"…": "…"}')


def test_commas_and_brackets_within_texts_are_no_values() -> None:
    label = ",[{" * 500_000
    page = decode_page(body_of(item(label=label), item(label='\\"' * 10), item(status=None, label=label)), NOW)
    assert (len(page.batch), len(page.rejected)) == (2, 1)
    assert page.batch.fields["label"][0] == label[:256]


def test_a_text_that_never_ends_is_read_once() -> None:
    with pytest.raises(Malformed, match="cut off"):
        decode_page(b'{"content":["' + b'\\",' * 1_500_000, NOW)


@pytest.mark.parametrize(
    "name", ["price", "latency", "parts", "part", "foo", "label", "messageId", "smsId", "to", "date"]
)
@pytest.mark.parametrize("beside", [b"1", b"NaN"], ids=["a good page", "a page that is no JSON"])
def test_a_number_of_many_digits_spoils_one_record_at_most(name: str, beside: bytes) -> None:
    good = json.dumps(item()).encode()
    odd = good[:-1] + b', "%s": %s}' % (name.encode(), b"9" * DIGITS)
    page = decode_page(b'{"x": %s, "content": [%s,%s,%s]}' % (beside, good, odd, good), NOW)
    assert len(page.batch) + len(page.rejected) == 3
    assert len(page.batch) >= 2
    assert next(iter(page.batch.rows())) == row()
    assert all(len(one.record) <= 500 for one in page.rejected)


@pytest.mark.parametrize("digits", [300, 309, 400, 4_301])
@pytest.mark.parametrize("name", ["price", "parts", "label", "messageId", "campaign", "status"])
def test_nor_does_one_that_no_float_can_hold(name: str, digits: int) -> None:
    odd = json.dumps(item())[:-1] + f', "{name}": {"9" * digits}}}'
    page = decode_page(f'{{"content": [{json.dumps(item())}, {odd}]}}'.encode(), NOW)
    assert len(page.batch) + len(page.rejected) == 2
    assert next(iter(page.batch.rows())) == row()


@pytest.mark.parametrize("name", ["number", "totalElements", "totalPages", "size", "last", "other"])
def test_a_number_of_many_digits_around_the_records_spoils_none(name: str) -> None:
    body = b'{"%s": %s, "content": [%s]}' % (name.encode(), b"9" * DIGITS, json.dumps(item()).encode())
    page = decode_page(body, NOW, number=4)
    assert list(page.batch.rows()) == [row()]
    assert 0 <= page.number < 2**31
    assert 0 <= page.total < 2**31


@pytest.mark.parametrize("amount", [1e308, 1e18, 2**63, 2.0**64, "1e300", 10**400])
def test_an_amount_too_large_to_be_one_is_missing_and_told_as_unreadable(amount: object) -> None:
    page = decode_page(body_of(item(price=amount, latency=amount), item()), NOW)
    assert np.isnan(page.batch.price[0])
    assert np.isnan(page.batch.latency[0])
    assert (page.batch.price[1], page.batch.latency[1]) == (0.045, 3.0)
    assert {one.field for one in page.batch.unread} == {"price", "latency"}


def test_a_long_text_of_a_record_set_aside_is_looked_at_from_its_start_and_no_number_is_cut_in_two() -> None:
    digits, words = "9" * (1 << 20), "see " * 499 + "+306912345678 " * 1000
    record = rejected(item(status=None, label=digits, operator=words))[1]
    assert len(record) <= 500
    assert "99999" not in record
    assert "69123" not in record
