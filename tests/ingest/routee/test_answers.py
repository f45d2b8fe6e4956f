"""Routee's small answers, and the bytes that they come in."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.routee.answers import decode_balance, decode_campaign_state, decode_error, decode_token
from monitor.ingest.routee.decompress import LARGEST_BODY, Damaged, TooLarge, unpacked
from monitor.ingest.routee.wire import Malformed
from monitor.model.message import Unread
from monitor.model.routee_query import AccountBalance
from monitor.runtime.clock import parse_iso

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = ["access_token", "expires_in", "balance", "currency", "state", "statuses", "smsAnalysis", "createdAt", "code"]
objects = st.dictionaries(st.sampled_from([*names, "developerMessage", "message", "error"]), json_values)


def packed(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_token_has_a_lifetime_of_an_hour_unless_it_says_otherwise() -> None:
    assert decode_token(packed({"access_token": "t", "expires_in": 630720000})).lifetime == 630720000
    assert decode_token(packed({"access_token": "t", "expires_in": "86400"})).lifetime == 86400
    for odd in (None, "soon", -1, 0, float("nan"), float("inf")):
        assert decode_token(packed({"access_token": "t", "expires_in": odd})).lifetime == 3600


def test_a_token_shows_in_no_repr() -> None:
    assert "T0KEN" not in repr(decode_token(packed({"access_token": "T0KEN"})))


def test_a_balance_may_come_in_several_shapes() -> None:
    assert decode_balance(b'{"balance": 200.0, "currency": {"code": "EUR"}}') == AccountBalance(200.0, "EUR")
    assert decode_balance(b'{"balance": "-1.5", "currency": "EUR"}') == AccountBalance(-1.5, "EUR")
    assert decode_balance(b'{"balance": 0}') == AccountBalance(0.0, "")


def test_a_campaigns_state_is_read_with_all_that_may_be_missing() -> None:
    full = {
        "state": "Finished",
        "campaignName": "Spring",
        "scheduledDate": "2026-11-21T17:00:00Z",
        "createdAt": 1_795_280_824_000,
        "statuses": {"Delivered": 5, "Failed": "2", "Odd": None, "Negative": -3},
        "smsAnalysis": {"numberOfRecipients": "7"},
    }
    state = decode_campaign_state(packed(full), "id")
    assert (state.tracking_id, state.name, state.state, state.recipients) == ("id", "Spring", "Finished", 7)
    assert state.statuses == {"Delivered": 5, "Failed": 2}
    assert state.scheduled_at == parse_iso("2026-11-21T17:00:00Z")
    assert state.created_at == 1_795_280_824_000_000
    assert state.unread == (Unread("statuses", '{"Negative": -3}', 1),)
    bare = decode_campaign_state(b'{"state": "Running"}', "id")
    assert bare.unread == ()
    assert (bare.name, bare.statuses, bare.recipients, bare.scheduled_at) == ("", {}, None, None)


def test_what_of_a_campaign_cannot_be_read_is_told() -> None:
    answer = {"state": "Running", "statuses": [1], "smsAnalysis": {"numberOfRecipients": "1_000"}, "createdAt": "soon"}
    state = decode_campaign_state(packed(answer), "id")
    assert (state.recipients, state.statuses, state.created_at) == (None, {}, None)
    assert [(one.field, one.value) for one in state.unread] == [
        ("numberOfRecipients", '"1_000"'),
        ("createdAt", '"soon"'),
        ("statuses", "[1]"),
    ]


def test_an_error_gives_code_and_explanation_bounded_and_on_one_line() -> None:
    assert decode_error(b'{"code": "400005000", "developerMessage": "bad"}') == ("400005000", "bad")
    assert decode_error(b'{"code": 400005000}') == ("400005000", "")
    assert decode_error(b'{"error": "unauthorized", "error_description": "Bad credentials"}') == ("", "Bad credentials")
    assert decode_error(packed({"developerMessage": "a\nb" * 500}))[1] == ("a\ufffdb" * 500)[:200]
    for nothing in (b"", b"<html>", b"[]", b"null", b"{}", b"\xff"):
        assert decode_error(nothing) == ("", "")


@given(st.binary(max_size=50) | objects.map(packed) | json_values.map(packed))
def test_no_answer_raises_anything_but_malformed(body: bytes) -> None:
    decode_error(body)
    for decode in (decode_token, decode_balance, lambda answer: decode_campaign_state(answer, "id")):
        try:
            decode(body)
        except Malformed:
            continue


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "GZIP", "x-gzip", "deflate"])
def test_a_body_is_unpacked(encoding: str) -> None:
    plain = b"page" * 1000
    pack = {"": bytes, "identity": bytes, "deflate": zlib.compress}.get(encoding, gzip.compress)
    assert unpacked(pack(plain), encoding) == plain


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (b"plain", "gzip", Damaged),
        (gzip.compress(b"page" * 1000, mtime=0)[:-9], "gzip", Damaged),
        (gzip.compress(b"page", mtime=0), "br", Damaged),
        (gzip.compress(bytes(LARGEST_BODY + 1), 1, mtime=0), "gzip", TooLarge),
    ],
)
def test_a_body_that_cannot_be_unpacked_says_why(body: bytes, encoding: str, error: type[ValueError]) -> None:
    with pytest.raises(error):
        unpacked(body, encoding)


def test_the_largest_body_is_taken() -> None:
    assert len(unpacked(gzip.compress(bytes(LARGEST_BODY), 1, mtime=0), "gzip")) == LARGEST_BODY
