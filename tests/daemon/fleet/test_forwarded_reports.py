"""What one daemon hands another of a callback: the holder keeps the same as if it had come there, and no number is stored on the way."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.daemon.fleet.forwarded_reports import NewerForm, PushedReports, decode, encode
from monitor.ingest.routee.callback import batch_of_callbacks, decode_callback
from monitor.model.privacy import Mode, RecipientMask
from monitor.runtime.clock import HOUR
from monitor.window import Window
from tests.fakes.pushed import campaign, pushed
from tests.fakes.routee import START

KEY = b"k" * 32
NUMBERS = ("+306912345678", "+4915112345678")


def reports(*records: object) -> PushedReports:
    callback = decode_callback(json.dumps(records).encode())
    batch = batch_of_callbacks([callback], START + HOUR)
    return PushedReports(batch, callback.campaigns, callback.rejected)


def some() -> PushedReports:
    outbound = pushed("Failed", to=NUMBERS[0], operator="Cosmote", price=0.04, latency=3)
    inbound = pushed("Delivered", to="54001", direction="Inbound", price=None, latency="?", **{"from": NUMBERS[1]})
    return reports(outbound, inbound, campaign(Delivered=7), pushed(status=""))


def held(found: PushedReports, mode: Mode) -> object:
    """What the holder's window then has."""
    window = Window("main", RecipientMask(mode, KEY))
    window.push(found.batch, frozenset())
    unsaved = window.unsaved()
    return unsaved.blob, list(unsaved.entries)


@pytest.mark.parametrize("mode", ["mask", "hash", "show"])
def test_the_holder_keeps_the_same_as_if_it_had_come_there(mode: Mode) -> None:
    given = some()
    handed = decode(encode(given, RecipientMask(mode, KEY)))
    assert held(handed, mode) == held(given, mode)
    assert handed.campaigns == given.campaigns
    assert handed.rejected == given.rejected
    assert len(handed.rejected) == 1
    assert handed.batch.unread == given.batch.unread != ()


@pytest.mark.parametrize("mode", ["mask", "hash"])
def test_no_number_and_no_text_of_a_message_is_stored_on_the_way(mode: Mode) -> None:
    body = encode(some(), RecipientMask(mode, KEY))
    for number in (*NUMBERS, "Hello"):
        assert number.lstrip("+").encode() not in body


def test_another_versions_form_is_refused_and_a_newer_one_told_apart() -> None:
    body = msgspec.msgpack.encode({"form": 2, "other": "things"})
    with pytest.raises(NewerForm, match="newer version"):
        decode(body)
    for body in (msgspec.msgpack.encode({"form": 0}), msgspec.msgpack.encode({"form": "?"}), b"\xc1"):
        with pytest.raises(ValueError, match=r"version|malformed") as caught:
            decode(body)
        assert not isinstance(caught.value, NewerForm)


@pytest.mark.parametrize(
    "change",
    [
        {"texts": {}},
        {"key": [1 << 63]},
        {"date": []},
        {"parts": ["one"]},
    ],
)
def test_what_has_another_content_than_its_form_says_is_a_value_error(change: dict[str, object]) -> None:
    written = msgspec.msgpack.decode(encode(some(), RecipientMask("mask", KEY)))
    body = msgspec.msgpack.encode(written | change)
    with pytest.raises(ValueError, match=r"content|length|fields|Expected|malformed|range"):
        decode(body)


def test_a_field_that_is_not_known_is_a_value_error() -> None:
    written = msgspec.msgpack.decode(encode(some(), RecipientMask("mask", KEY)))
    written["texts"]["more"] = written["texts"]["to"]
    with pytest.raises(ValueError, match=r"it has the fields .*more"):
        decode(msgspec.msgpack.encode(written))


@given(st.text(max_size=20), st.sampled_from(["mask", "hash", "show"]))
def test_a_sealed_number_is_treated_as_the_number_itself(number: str, mode: Mode) -> None:
    privacy = RecipientMask(mode, KEY)
    sealed = privacy.sealed(number)
    assert privacy.hash(sealed) == privacy.hash(number)
    assert privacy.texts([sealed, "+306912345679"]) == privacy.texts([number, "+306912345679"])
    assert privacy.sender(sealed) == privacy.sender(number)
