"""What is said of the troubles of a search."""

import random

import pytest
from trio.testing import MockClock

from monitor.ingest.poll.trouble import Trouble
from monitor.ingest.routee.rate_limit import Steady
from monitor.ingest.routee.retry import Attempts, RetryPolicy, TryAgain, retried
from monitor.runtime.clock import DAY, HOUR, MINUTE, TrioClock, parse_iso
from monitor.runtime.errors import RouteeUnavailable


class Hands:
    """A clock set by hand."""

    at = parse_iso("2026-11-21T10:02:00Z")

    def now(self) -> int:
        return self.at

    async def sleep(self, duration: int) -> None:
        raise NotImplementedError


def test_the_last_trouble_is_said_with_its_number_of_tries_and_since_when() -> None:
    clock = Hands()
    trouble = Trouble(clock)
    assert not str(trouble)
    trouble.met("503", "routee is not serving now (HTTP 503)")
    assert str(trouble) == "503 from Routee, 1 try since 10:02 UTC"
    clock.at += MINUTE
    trouble.met("timeout", "routee gave no complete answer")
    assert str(trouble) == "routee gave no complete answer (1 try since 10:03 UTC)"
    trouble.met("503", "routee is not serving now (HTTP 503)")
    assert str(trouble) == "503 from Routee, 2 tries since 10:02 UTC"
    clock.at += DAY
    assert str(trouble) == "503 from Routee, 2 tries since 2026-11-21 10:02 UTC"
    trouble.over()
    assert not str(trouble)
    clock.at += HOUR
    trouble.ended("paging", "pages moved")
    assert str(trouble) == "pages moved (1 try since 11:03 UTC)"


def test_the_end_of_tries_that_were_counted_is_no_further_try() -> None:
    trouble = Trouble(Hands())
    trouble.met("503", "routee is not serving now (HTTP 503)")
    trouble.ended("503", "routee is not serving now (HTTP 503) (tried 4 times)")
    assert str(trouble) == "503 from Routee, 1 try since 10:02 UTC"
    for tries in ("1 try", "2 tries"):
        trouble.ended("401", "the credentials are not taken")
        assert str(trouble) == f"the credentials are not taken ({tries} since 10:02 UTC)"


def test_the_store_is_named_where_it_is_the_reason() -> None:
    trouble = Trouble(Hands())
    trouble.ended("store", "the store monitor.db is locked")
    assert str(trouble) == "what is read cannot be stored: the store monitor.db is locked (1 try since 10:02 UTC)"
    trouble.ended("store", "the store monitor.db is locked")
    assert "(2 tries since" in str(trouble)


async def test_a_poll_that_is_still_trying_says_so(autojump_clock: MockClock) -> None:
    clock = TrioClock(Hands.at)
    trouble, said = Trouble(clock), list[str]()

    async def attempt(attempts_so_far: Attempts) -> None:
        attempts_so_far.begin()
        said.append(str(trouble).partition(" since ")[0])
        raise TryAgain("503", "routee is not serving now (HTTP 503)")

    with pytest.raises(RouteeUnavailable) as raised:
        await retried(attempt, RetryPolicy(), Steady(clock), random.Random(1), trouble.met)
    trouble.ended(raised.value.outcome, str(raised.value))
    assert said == ["", "503 from Routee, 1 try", "503 from Routee, 2 tries", "503 from Routee, 3 tries"]
    assert str(trouble).startswith("503 from Routee, 4 tries")
