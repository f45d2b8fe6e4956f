"""Further rows of docs/faults.md: addresses that lead nowhere, a day without Routee, clocks that jump, several troubles at once."""

import random
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
from e2e_folder import account

from monitor.daemon.flush_timer import flush_when_due
from monitor.ingest.poll.plan import SearchPlan
from monitor.ingest.poll.search_tasks import poll_search
from monitor.model.routee_query import RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant, TrioClock
from monitor.runtime.errors import RouteeUnavailable
from tests.fakes.http import Answer
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.tracking import FakeTracking
from tests.fakes.written import CONFIG, settings
from tests.faults.fault_stage import NOW, staged

IDLE = 0.005
"""Seconds of nothing happening after which the clock jumps: bytes and threads on their way take no time."""

NOWHERE = {
    "no such host": "http://routee.invalid:80",
    "connection refused": "http://127.0.0.1:1",
    "no TLS there": "https://127.0.0.1:{port}",
    "not HTTP": "http://127.0.0.1:{port}",
}


async def _not_http(stream: trio.SocketStream) -> None:
    async with stream:
        await stream.send_all(b"220 mail.example.org ESMTP\r\n")
        await stream.receive_some()


@pytest.mark.parametrize("fault", NOWHERE)
async def test_an_address_that_leads_nowhere_is_told_and_the_daemon_stays(
    tmp_path: Path, fault: str, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = IDLE
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, _not_http, 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        url = NOWHERE[fault].format(port=listener.socket.getsockname()[1])
        async with staged(tmp_path, begun=False, accounts=[account(url)]) as stage:
            await stage.until(lambda: stage.is_blind, "MonitorBlind")
            [entry] = stage.told.told[0].payload["alerts"]
            assert url.partition("://")[2] in entry["annotations"]["summary"]
            assert (await stage.asked("/healthz"))[0] == 200
            assert (await stage.asked("/readyz"))[0] == 503
        nursery.cancel_scope.cancel()


RULES = """
rules:
  - {name: Failed, kind: count, match: {status: Failed}, window: 2d, above: 2}
  - {name: Undelivered, kind: count, match: {status: Undelivered}, window: 2d, above: 2}
"""


async def test_a_day_of_503_is_one_alert_and_ends_in_the_true_state(autojump_clock: trio.testing.MockClock) -> None:
    clock = TrioClock(NOW)
    tracking = FakeTracking(clock)
    harness = PipelineHarness(settings(RULES, CONFIG.replace("repeat_interval: 4h", "repeat_interval: 7d")), clock)
    async with trio.open_nursery() as nursery:
        plan = SearchPlan("main", "all", RouteeQuery(), MINUTE // 2, ((HOUR, HOUR),), 0)
        nursery.start_soon(poll_search, plan, tracking, harness.sinks["main"], clock, None)
        nursery.start_soon(flush_when_due, harness.pipeline)
        _fail(tracking, "Failed", clock.now())
        await clock.sleep(10 * MINUTE)
        assert _told(harness) == [("Failed", "firing")]
        tracking.down = RouteeUnavailable("Routee answered 503", "503")
        await clock.sleep(DAY // 2)
        _fail(tracking, "Undelivered", clock.now())
        await clock.sleep(DAY // 2)
        assert _told(harness) == [("Failed", "firing"), ("MonitorBlind", "firing")], "one alert in a day"
        tracking.down = None
        await clock.sleep(10 * MINUTE)
        nursery.cancel_scope.cancel()
    assert sorted(_told(harness)[2:]) == [("MonitorBlind", "resolved"), ("Undelivered", "firing")]


def _fail(tracking: FakeTracking, status: str, now: Instant) -> None:
    for number in range(5):
        tracking.send(f"{status}-{number}", now - SECOND)
        tracking.report(f"{status}-{number}", now, status)


def _told(harness: PipelineHarness) -> list[tuple[str, str]]:
    return [(view.name, view.status) for one in harness.told for view in one.alerts]


STEPS = (HOUR // 2, -HOUR // 2, 30 * SECOND, -30 * SECOND)


class SteppedClock(TrioClock):
    """A wall clock that somebody sets; waiting is not touched by it."""

    step: Duration = 0

    def now(self) -> Instant:
        return super().now() + self.step


@pytest.mark.parametrize("step", STEPS)
async def test_a_clock_that_is_set_tells_nothing_false_and_stops_nothing(
    tmp_path: Path, step: Duration, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = IDLE
    clock = SteppedClock(NOW)
    true = TrioClock(NOW)
    async with staged(tmp_path, clock=clock, world=true) as stage:
        before = len(stage.told.told)
        clock.step = step
        await stage.passes(10 * MINUTE)
        new = [labels["alertname"] for labels in map(_labels, stage.told.told[before:])]
        assert "Failing" not in new, "nothing fires and nothing is over"
        clock.step = 0
        stage.changes()
        await stage.until(lambda: stage.told.failing() == {"GoesOn", "Begins"}, "the change", HOUR)


def _labels(told: object) -> dict[str, str]:
    [entry] = told.payload["alerts"]
    return dict(entry["labels"])


async def test_routee_and_the_webhook_in_trouble_at_once_lose_nothing(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = IDLE
    luck = random.Random(1)
    async with staged(tmp_path) as stage:
        stage.sandbox.fault("status", status=500, share=0.3)
        stage.told.answer = lambda asked: Answer(luck.choice([200, 429, 500, 503]))
        stage.changes()
        await stage.passes(10 * MINUTE)
        stage.sandbox.faults.clear()
        stage.told.answer = lambda asked: Answer()
        await stage.is_well_again()
