"""The demo tells its story to the end, cleans up after itself, and stops when it is told to."""

import io
import logging
import os
import pty
import re
import tempfile
from pathlib import Path

import pytest
import trio

from monitor.config.settings import load
from monitor.runtime.clock import HOUR, MINUTE, SECOND, parse_iso
from monitor.simulation.demo.clock import StoryProgress
from monitor.simulation.demo.runner import DEFAULT_SEED, demo, is_open, own_configuration, rules
from monitor.simulation.demo.screen import Screen
from monitor.simulation.demo.sparklines import DeliverySnapshot, SparklineHistory
from tests.fakes.hand_clock import HandClock
from tests.fakes.operator_harness import RULES, OperatorHarness
from tests.fakes.waiting import guarded

SPEED = 300.0


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


async def test_both_incidents_are_told_with_their_reasons_and_their_ends(tmp_path: Path) -> None:
    stream = io.StringIO()
    handlers = list(logging.getLogger().handlers)
    with guarded():
        await demo(speed=SPEED, seed=DEFAULT_SEED, forever=False, stream=stream, stop=trio.Event())
    story = stream.getvalue()
    outage = (
        r"starts failing",
        r"▌ CRITICAL OperatorFailureRate",
        r"▌ \d[\d.]*% of [\d,]+ messages to Cosmote \(GR\) failed in 15m, threshold 30%",
        r"▌ RESOLVED OperatorFailureRate",
        r"init --config ~/sms/monitor.yaml",
    )
    filtered = (
        r"filter what Shop sends",
        r"▌ WARNING UndeliveredSpike",
        r"▌ \d+ Carrier Violation in 15m, [\d.]+x the usual",
        r"▌ why .*\d+% sender Shop",
        r"▌ RESOLVED UndeliveredSpike",
        r"init --config ~/sms/monitor.yaml",
    )
    for told in (outage, filtered):  # on a busy machine the first is told when the second has begun
        places = [found.start() if (found := re.search(line, story)) else line for line in told]
        assert all(isinstance(place, int) for place in places), story
        assert places == sorted(places), story
    alerts = re.findall(r"^▌ (CRITICAL|WARNING|RESOLVED) (\w+)", story, re.MULTILINE)
    of_rules = [(what, name) for what, name in alerts if name != "MonitorBlind"]  # a busy machine may not keep up
    assert len(of_rules) == len(set(of_rules)) == 4, story
    stamps = re.findall(r"^(\d\d:\d\d:\d\d)  ", story, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d  \d+ messages/min", story, re.MULTILINE)
    assert stamps == sorted(stamps), "what happens and how the traffic does stand in the order of time"
    said = float(re.findall(r"It\s+takes\s+about\s+(\d+)s;", story)[0])
    assert said == 49 * 60 / SPEED // 1 + 8
    shares = [int(share) for share in re.findall(r"   (\d+)% of the demo$", story, re.MULTILINE)]
    assert shares == sorted(shares)
    assert shares[-1] >= 50
    assert not list(tmp_path.iterdir())
    assert logging.getLogger().handlers == handlers


async def test_it_stops_at_once_when_told_to(tmp_path: Path) -> None:
    stream, stop = io.StringIO(), trio.Event()
    async with trio.open_nursery() as nursery:

        async def show() -> None:
            await demo(speed=SPEED, seed=1, forever=True, stream=stream, stop=stop)

        nursery.start_soon(show)
        while "starts failing" not in stream.getvalue():
            await trio.sleep(0.05)
        stop.set()
    assert stream.getvalue().rstrip().endswith("nothing of it is left behind.")
    assert not list(tmp_path.iterdir())


def test_what_it_says_to_copy_can_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text(own_configuration().replace("rules/", f"{rules()}/"), "utf-8")
    secrets = {
        "ROUTEE_APPLICATION_ID": "id",
        "ROUTEE_APPLICATION_SECRET": "not-a-real-secret",
        "SLACK_BOT_TOKEN": "xoxb-1",
    }
    settings = load(tmp_path / "monitor.yaml", secrets)
    assert {rule.name for rule in settings.rules} >= {
        "OperatorFailureRate",
        "OperatorFailureShift",
        "CampaignFailureRate",
    }


def test_away_from_a_checkout_it_names_the_rules_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"rules: [{rules()}/*.yaml]" in own_configuration()


def test_a_line_about_the_traffic_says_when_it_is_written_like_those_around_it() -> None:
    polled = parse_iso("2026-11-21T10:15:59Z")
    snapshot = DeliverySnapshot(polled, 257, 0.733, 1)
    line = SparklineHistory().plain(snapshot, polled + 70 * SECOND)
    assert line == "10:17:09  257 messages/min  73.3% delivered  1 alert firing"


async def test_it_is_over_when_all_ends_were_sent_although_the_groups_of_incidents_stay() -> None:
    world = OperatorHarness(RULES.replace("    window", "    for: 1m\n    incident: {by: [operator]}\n    window"))
    course = [is_open(world.harness.pipeline)]
    for failing in (4, 4, 0):
        await world.poll(Cosmote=failing)
        course.append(is_open(world.harness.pipeline))
    assert course == [False, True, True, True], "pending, told, and its end not told yet"
    await world.flush(5 * MINUTE)
    assert [reason for reason, _ in world.to("ops")] == ["first", "all resolved"]
    assert world.harness.pipeline.dispatcher.groups
    assert not is_open(world.harness.pipeline)


def test_progress_begins_with_the_story_and_is_not_whole_before_its_end() -> None:
    clock = HandClock(0)
    progress, endless = StoryProgress(clock, 40 * MINUTE), StoryProgress(clock, None)
    clock.at += HOUR
    assert progress.done == 0
    progress.begin()
    endless.begin()
    shares = []
    for _ in range(3):
        clock.at += 20 * MINUTE
        shares.append(progress.done)
    assert shares == [0.5, 0.99, 0.99]
    assert endless.done is None


@pytest.mark.parametrize("width", [20, 40, 80, 120, 300])
def test_the_changing_line_never_wraps(width: int) -> None:
    history = SparklineHistory()
    for delivered in (None, 0.97, 0.5, 1.0):
        snapshot = DeliverySnapshot(1_795_280_824_000_000, 12_345, delivered, 2)
        history.add(snapshot)
        for done in (None, 0.0, 0.42):
            assert history.line(snapshot, width, done).cell_len < width
    if width >= 120:
        assert "42% of the demo" in history.line(snapshot, width, 0.42).plain


def test_on_a_terminal_what_is_printed_takes_the_place_of_the_changing_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    leader, follower = pty.openpty()
    with open(follower, "w", encoding="utf-8") as stream:  # noqa: PTH123 — a descriptor, not a path
        screen = Screen(stream)
        screen.live("changing")
        screen.write("half a line, ")
        screen.live("must wait")
        screen.write("and its end\n")
        screen.live("again")
        seen = b""
        while b"again" not in seen:  # a terminal hands on what was written piece by piece
            seen += os.read(leader, 1000)
    os.close(leader)
    assert seen.decode() == "\r\x1b[2Kchanging\r\x1b[2Khalf a line, and its end\r\n\r\x1b[2Kagain"


def test_without_a_terminal_nothing_moves_and_nothing_breaks() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    screen = Screen(stream)
    screen.live("changing")
    screen.write("▌ bar\n")
    raw = stream.detach()
    assert isinstance(raw, io.BytesIO)
    assert raw.getvalue() == b"? bar\n"
    screen.write("nobody reads any more")
    assert screen.disconnected
