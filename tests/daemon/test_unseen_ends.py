"""An alert that the store lost ends in the history an hour later, unless it was found again."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trio.testing

from monitor.alerts.alert_episodes import AlertEpisode, alert_episodes
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.retention import run_retention
from monitor.model.alert import Transition, TransitionSubject, What
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.store.postgresql import open_postgresql
from monitor.store.protocol import Commit, Store
from monitor.store.sqlite import open_sqlite
from tests.fakes.hand_clock import HandClock
from tests.fakes.inline_store import InlineStoreFront
from tests.store.store_samples import alert

LOST = alert(operator="Nova")


@dataclass
class Housekeeping:
    """The daemon's housekeeping on a store that lost an alert which fires."""

    store: Store
    clock: HandClock

    async def look(self) -> None:
        """Lets it look once more."""
        await trio.sleep(6)

    def write(self, what: What, **also: object) -> None:
        about = TransitionSubject("main", LOST.group, 0 if what == "pending" else 1, by="Ann")
        moved = Transition(LOST.fingerprint, LOST.rule, self.clock.at, what, None, 0.25, about)
        self.store.commit(Commit(transitions=[moved], **also))  # type: ignore[arg-type]  # fields of the commit

    @property
    def episodes(self) -> list[AlertEpisode]:
        return alert_episodes(reversed(self.store.transitions()))


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened: Store = open_sqlite(tmp_path / "monitor.db")
    else:
        address: PostgresqlAddress = request.getfixturevalue("postgresql_tables")
        opened = open_postgresql(address)
    with closing(opened):
        yield opened


async def watched(store: Store, nursery: trio.Nursery) -> Housekeeping:
    clock = HandClock()
    world = Housekeeping(store, clock)
    world.write("fired")
    clock.at += 10 * MINUTE
    front = InlineStoreFront(store)
    nursery.start_soon(run_retention, front, clock, Metrics(clock), Health(), lambda: 30 * DAY)
    await world.look()
    return world


async def test_what_is_not_found_again_within_an_hour_ended_when_it_was_first_missing(
    store: Store, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with trio.open_nursery() as nursery:
        world = await watched(store, nursery)
        assert f"the store has lost 1 alert: {LOST.rule} Nova" in caplog.text
        missing_since = world.clock.at
        world.clock.at += HOUR - MINUTE
        await world.look()
        assert [one.ended_at for one in world.episodes] == [None], "it may still be found again"
        for _ in range(3):
            world.clock.at += HOUR
            await world.look()
        [over] = world.episodes
        assert (over.ended_at, over.because, over.events[-1].what) == (missing_since, "end_not_seen", "resolved")
        assert [event.what for event in over.events] == ["fired", "resolved"], "once"
        assert over.events[-1].about == TransitionSubject("main", LOST.group, 1), "nobody ended it"
        assert caplog.text.count("the store has lost") == 1
        nursery.cancel_scope.cancel()


async def test_what_is_found_again_goes_on(store: Store, autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        world = await watched(store, nursery)
        world.clock.at += MINUTE
        world.write("fired", alerts=[LOST])
        for _ in range(3):
            world.clock.at += HOUR
            await world.look()
        again, lost = world.episodes
        assert (again.ended_at, lost.ended_at, lost.because) == (None, again.began_at, "end_not_seen")
        nursery.cancel_scope.cancel()


async def test_what_was_found_again_and_lost_once_more_is_awaited_anew(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        world = await watched(store, nursery)
        world.clock.at += 30 * MINUTE
        world.write("pending")
        world.clock.at += 40 * MINUTE
        await world.look()
        assert world.episodes[0].ended_at is None
        noticed = world.clock.at
        world.clock.at += HOUR
        await world.look()
        again = world.episodes[0]
        assert (again.ended_at, again.events[-1].what, again.fired) == (noticed, "dropped", False)
        nursery.cancel_scope.cancel()


async def test_a_clock_that_is_set_back_does_not_put_the_end_off(
    store: Store, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        world = await watched(store, nursery)
        world.clock.at -= 5 * MINUTE
        for _ in range(2):
            await world.look()
            world.clock.at += HOUR
        await world.look()
        [over] = world.episodes
        assert over.because == "end_not_seen"
        nursery.cancel_scope.cancel()
