"""The traffic is what the seed says, and looks like traffic."""

import itertools
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.message import FINAL
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, parse_iso
from monitor.simulation.sandbox import Sandbox, Traffic
from monitor.simulation.sandbox.ids import MESSAGE, SMS, Ids
from monitor.simulation.sandbox.population import STEADY
from monitor.simulation.sandbox.search import SearchRequest
from monitor.simulation.sandbox.tables import DELIVERED_CODE
from tests.fakes.hand_clock import HandClock

NOON = parse_iso("2026-11-18T12:00:00Z")


def seen(sandbox: Sandbox) -> list[bytes]:
    """Everything that can be seen now, newest first."""
    now = sandbox.advance()
    return sandbox.encoded(sandbox.select(SearchRequest(), now), now)


def records(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [msgspec.json.decode(text) for text in seen(sandbox)]


def week(seed: int = 1, messages: int = 60_000, **more: Any) -> Sandbox:
    return Sandbox(HandClock(NOON), seed=seed, history=7 * DAY, messages=messages, **more)


def test_the_same_seed_gives_the_same_messages_and_another_seed_others() -> None:
    first, again, other = (Sandbox(HandClock(), seed=seed, history=HOUR, messages=500, wild=True) for seed in (1, 1, 2))
    assert seen(first) == seen(again)
    assert not set(seen(first)) & set(seen(other))


def test_live_traffic_does_not_depend_on_how_often_it_is_looked_at() -> None:
    often_clock, once_clock = HandClock(), HandClock()
    often, once = (Sandbox(clock, seed=1, traffic=Traffic(300)) for clock in (often_clock, once_clock))
    for _ in range(120):
        often_clock.at += 7 * SECOND
        often.advance()
    once_clock.at = often_clock.at
    assert seen(often) == seen(once)
    assert len(seen(once)) > 1000


def test_history_holds_exactly_as_many_messages_as_were_asked_for() -> None:
    sandbox = week(messages=5_000)
    rows = sandbox.messages.rows
    assert int((rows.part == 1).sum()) == 5_000
    assert rows.created.min() >= NOON - 7 * DAY
    assert rows.created.max() < NOON


def test_a_message_lives_from_queued_through_sent_to_its_end_and_never_back() -> None:
    clock = HandClock()
    sandbox = Sandbox(clock, seed=1, traffic=Traffic(600))
    clock.at += 10 * SECOND
    order = {"Queued": 0, "Sent": 1} | dict.fromkeys(FINAL, 2)
    last: dict[str, tuple[int, str]] = {}
    met: set[tuple[int, int]] = set()
    for _ in range(90):
        clock.at += SECOND
        for record in records(sandbox):
            status = (order[record["status"]["status"]], record["status"]["date"])
            before = last.get(record["smsId"], status)
            assert before <= status
            assert before[0] < 2 or before == status
            met.add((before[0], status[0]))
            last[record["smsId"]] = status
    assert {(0, 1), (1, 2)} <= met


def test_nothing_is_reported_from_the_future() -> None:
    clock = HandClock()
    sandbox = Sandbox(clock, seed=1, traffic=Traffic(600), wild=True, history=5 * MINUTE)
    for _ in range(20):
        clock.at += 3 * SECOND
        assert max(parse_iso(record["status"]["date"]) for record in records(sandbox)) <= clock.at


def test_latency_is_given_on_delivered_messages_only_and_leads_back_to_the_sending() -> None:
    sandbox = week(messages=2_000)
    numbers = sandbox.select(SearchRequest(), NOON)
    created = sandbox.messages.rows.created[numbers].tolist()
    for record, sent in zip(records(sandbox), created, strict=True):
        assert ("latency" in record) == (record["status"]["status"] == "Delivered")
        assert (
            parse_iso(record["status"]["date"]) - record.get("latency", 0) * SECOND == sent or "latency" not in record
        )


def test_volumes_are_zipfian_seasonal_and_overdispersed() -> None:
    sandbox = week()
    rows = sandbox.messages.rows
    greek = sorted((int((rows.route == code).sum()) for code in range(3)), reverse=True)
    assert 1.5 < greek[0] / greek[1] < 2.7
    assert 2.2 < greek[0] / greek[2] < 4.2
    hours = (rows.created // HOUR) % 24
    assert (hours == 13).sum() > 4 * (hours == 1).sum()
    steady = rows.created[(rows.stream < 10) & (hours >= 12) & (hours < 15)]
    counts = np.unique(steady // (10 * MINUTE), return_counts=True)[1]
    assert counts.var() > 1.5 * counts.mean()


def test_reports_are_log_normal_with_a_tail_of_hours() -> None:
    rows = week().messages.rows
    waited = (rows.last_at - rows.sent_at)[rows.outcome == DELIVERED_CODE]
    assert 2 * SECOND < np.median(waited) < 10 * SECOND
    assert 0.005 < (waited > HOUR).mean() < 0.06
    assert 0.0005 < (waited > 10 * HOUR).mean() < 0.02


def test_failures_multi_part_messages_and_campaigns_have_their_shares() -> None:
    sandbox = week()
    rows = sandbox.messages.rows
    firsts = rows.take(rows.part == 1)
    assert 0.07 < (firsts.parts > 1).mean() < 0.09
    assert 0.01 < (rows.outcome != DELIVERED_CODE).mean() < 0.12
    of_campaigns = sandbox.known.streams.where(lambda stream: stream.campaign is not None)[rows.stream]
    assert 0.08 < of_campaigns.mean() < 0.4


def test_a_campaign_is_a_burst_of_one_sender_and_has_a_state() -> None:
    sandbox = week()
    campaign = max(sandbox.model.campaigns.values(), key=lambda each: each.recipients)
    code = sandbox.known.streams.code(campaign.stream)
    created = sandbox.messages.rows.created[sandbox.messages.rows.stream == code]
    assert len(created) > 100
    assert created.max() - created.min() <= campaign.duration
    assert sum(sandbox.statuses(NOON, campaign.stream.tracking_id).values()) == len(created)


def test_no_history_means_nothing_and_no_traffic_stays_nothing() -> None:
    clock = HandClock()
    sandbox = Sandbox(clock)
    clock.at += DAY
    assert seen(sandbox) == []


def test_wild_records_are_odd_in_every_way_that_was_seen() -> None:
    tame, wild = records(week(messages=3_000)), records(week(messages=30_000, wild=True))
    dates = Counter(record["status"]["date"][19:20] + record["status"]["date"][-1:] for record in wild)
    assert dates["ZZ"] > dates[".Z"] > 0
    assert dates["+0"] > 0
    for name in ("label", "operator", "groups", "latency", "price", "from", "direction", "applicationName", "body"):
        assert any(record.get(name, 0) is None for record in wild), name
        assert any(name not in record for record in wild), name
    assert any(record.get("country") == "Greece" for record in wild)
    assert any(not record["to"].startswith("+") for record in wild)
    assert any(isinstance(record.get("price"), str) for record in wild)
    assert any("smsId" not in record for record in wild)
    assert any("reason" not in record["status"] and record["status"]["status"] in FINAL for record in wild)
    assert any("campaign" in record for record in wild)
    assert not any("campaign" in record or record["country"] == "Greece" for record in tame)
    assert sum(a != b for a, b in itertools.pairwise(sorted({len(record) for record in tame}))) <= 6


@given(st.integers(0, 1 << 39), st.integers(0, 1 << 70), st.sampled_from([SMS, MESSAGE]))
def test_an_identifier_leads_back_to_its_number_and_no_other_sandbox_knows_it(
    number: int, seed: int, kind: int
) -> None:
    text = Ids(seed).text(number, kind)
    assert Ids(seed).number(text, kind) == number
    assert Ids(seed).number(text, 1 - kind) is None
    assert Ids(seed + 1).number(text, kind) is None


@given(st.text(max_size=40))
def test_a_made_up_identifier_is_nobodys(text: str) -> None:
    assert Ids(1).number(text, SMS) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(0, 40), st.sampled_from(["sent", "status"]), st.data())
def test_any_range_gives_what_a_plain_scan_gives(seed: int, count: int, select_by: Any, data: st.DataObject) -> None:
    sandbox = Sandbox(HandClock(NOON), seed=seed, history=HOUR, messages=count, select_by=select_by)
    low, high = sorted(data.draw(st.tuples(st.integers(NOON - 2 * HOUR, NOON), st.integers(NOON - HOUR, NOON + HOUR))))
    rows = sandbox.messages.rows
    dates = rows.created if select_by == "sent" else rows.present(NOON)[1]
    plain = [number for number in range(len(rows)) if low <= dates[number] <= high and rows.created[number] <= NOON]
    plain.sort(key=lambda number: (dates[number], number), reverse=True)
    assert sandbox.select(SearchRequest(low, high), NOON).tolist() == plain


@pytest.mark.parametrize("season", [0.0, 1.0])
def test_the_rate_is_kept_over_a_week(season: float) -> None:
    clock = HandClock(NOON)
    sandbox = Sandbox(clock, seed=1, traffic=Traffic(20, season=season, campaign_share=0), history=7 * DAY)
    assert int((sandbox.messages.rows.part == 1).sum()) == pytest.approx(20 * 7 * 24 * 60, rel=0.05)


def test_the_applications_have_names_as_customers_choose_them() -> None:
    """A tool that renames things in this program took one of them for its own word."""
    assert {stream.application for _, stream in STEADY} == {
        *("core-banking", "checkout", "parcels", "identity", "appointments"),
        *("check-in", "billing", "wallet", "calls", "replies"),
    }
