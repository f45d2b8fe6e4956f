"""The requests of a day: what would be enough, and what polling knows when."""

import numpy as np
import pytest
from trio.testing import MockClock

from benchmarks.ingest.fewest_requests import FewestRequests
from benchmarks.ingest.late_traffic import FIRST_NUMBER, LATE_SHARE, SOON, late_sandbox
from benchmarks.ingest.requests import requests_of_a_day
from monitor.runtime.clock import DAY, HOUR, SECOND
from monitor.simulation.sandbox import Sandbox
from monitor.simulation.sandbox.messages import NEVER, Rows
from tests.fakes.hand_clock import HandClock
from tests.fakes.routee import START

A_PAGE = 10


def sandbox_of(count: int) -> Sandbox:
    """A message each second, each reported at once."""
    sandbox = Sandbox(HandClock(START), traffic=None)
    rows = Rows.empty(count)
    rows.created[:] = rows.sent_at[:] = rows.last_at[:] = START + np.arange(count) * SECOND
    sandbox.messages.append(rows)
    return sandbox


def test_a_sweep_needs_the_pages_in_which_something_has_changed() -> None:
    sandbox = sandbox_of(100)
    fewest, now = FewestRequests(sandbox, A_PAGE), START + HOUR
    fewest.swept(START - SECOND, now, now)
    assert fewest.requests["sweep"] == 10
    fewest.swept(START - SECOND, now, now)
    assert fewest.requests["sweep"] == 10
    sandbox.messages.rows.last_at[[0, 5, 50]] = now
    fewest.swept(START - SECOND, now, now)
    assert fewest.requests["sweep"] == 12


def test_a_poll_needs_a_request_and_more_for_what_is_new() -> None:
    fewest, last = FewestRequests(sandbox_of(100), A_PAGE), START + 99 * SECOND
    fewest.polled(last, 25 * SECOND)
    assert fewest.requests["polls"] == 3
    fewest.polled(last, 25 * SECOND)
    assert fewest.requests["polls"] == 4


def test_a_tenth_of_the_messages_is_reported_late() -> None:
    rows = late_sandbox(HandClock(START), 20_000, DAY).messages.rows
    reported = rows.last_at != NEVER
    late = reported & (rows.last_at - rows.created > SOON)
    assert np.count_nonzero(late) / len(rows) == pytest.approx(LATE_SHARE, abs=0.01)
    assert (rows.last_at - rows.created)[late].max() <= 48 * HOUR
    assert (np.diff(rows.created) >= 0).all()
    assert rows.to.tolist() == list(range(FIRST_NUMBER, FIRST_NUMBER + len(rows)))


async def test_what_polls_and_sweeps_reach_is_exact(autojump_clock: MockClock) -> None:
    found = {one.what: one.value for one in await requests_of_a_day(3_000, 2 * HOUR)}
    assert found["polls after which all that they reach is exact"] == 1
    assert found["sweeps after which all that they reach is exact"] == 1
    assert found["polls at which the window's counts are what was received"] == 1
    assert found["requests against the fewest possible"] >= 1
    assert 0 < found["a late report until it is seen, median"] <= found["the same, the longest"]
