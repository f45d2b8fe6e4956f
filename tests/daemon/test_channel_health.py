"""A channel that takes nothing is told of on another receiver, until it takes something again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from monitor.daemon.channel_health import ChannelWatch
from monitor.daemon.health import Health
from monitor.notify.outbox import Failing, Outbox
from monitor.runtime.clock import HOUR, MINUTE
from monitor.runtime.errors import StoreError
from tests.fakes.operator_harness import AT_ONCE, TWO, OperatorHarness

OPS, ONCALL = ("ops", "console/0"), ("oncall", "console/0")
THREE = TWO.replace("receivers:\n", "receivers:\n  - {name: third, console: [{}]}\n")


class RecordingHealth(Health):
    """Keeps what is reported of channels."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)
        self.reported: list[Mapping[tuple[str, str], str]] = []

    def channels(self, failing: Mapping[tuple[str, str], str]) -> None:
        self.reported.append(failing)
        super().channels(failing)


@dataclass
class Watched(OperatorHarness):
    """A world whose deliveries fare as the test says."""

    config: str = TWO
    outbox: Outbox = field(default_factory=Outbox)

    def __post_init__(self) -> None:
        OperatorHarness.__init__(self, config=self.config)
        self.health = self.harness.services.health = RecordingHealth()

    @property
    def reported(self) -> list[Mapping[tuple[str, str], str]]:
        return self.health.reported

    async def look(self, later: int = 0) -> None:
        self.clock.at += later
        names = self.harness.pipeline.dispatcher.channels
        channels = [(receiver, channel) for receiver, some in names.items() for channel in some]
        await ChannelWatch(self.harness.pipeline, self.outbox, channels).update()

    def fails(self, channel: tuple[str, str] = OPS, *, refused: bool = False) -> None:
        self.outbox.failing[channel] = Failing(self.clock.at, "503 Service Unavailable", refused)

    def takes(self, channel: tuple[str, str] = OPS) -> None:
        self.outbox.failing.pop(channel, None)
        self.outbox.accepted_channels.add(channel)


async def test_after_five_minutes_another_receiver_is_told_what_fails_why_and_what_to_do() -> None:
    world = Watched()
    world.fails()
    await world.look(5 * MINUTE - 1)
    assert (world.told, world.reported) == ([], [{}])
    await world.look(1)
    assert [one.receiver for one in world.told] == ["oncall"]
    view = world.last.alerts[0]
    assert view.labels == {
        "alertname": "NotificationFailing",
        "receiver": "ops",
        "channel": "console/0",
        "severity": "critical",
    }
    assert "503 Service Unavailable" in view.annotations["summary"]
    assert "send-test" in view.annotations["description"]
    assert world.reported[-1] == {OPS: "503 Service Unavailable"}
    await world.look(HOUR)
    assert len(world.told) == 1


async def test_it_is_over_when_the_channel_takes_something_again() -> None:
    world = Watched()
    world.fails()
    await world.look(5 * MINUTE)
    world.takes()
    await world.look(5 * MINUTE)
    assert [one.reason for one in world.told] == ["first", "all resolved"]
    assert {one.receiver for one in world.told} == {"oncall"}


async def test_a_dead_letter_is_told_at_once() -> None:
    world = Watched()
    world.fails(refused=True)
    await world.look()
    assert "refused" in world.last.alerts[0].why


async def test_after_a_restart_it_stays_until_something_is_taken() -> None:
    world = Watched()
    world.fails()
    await world.look(5 * MINUTE)
    world.outbox = Outbox()
    await world.restart()
    await world.look(HOUR)
    assert len(world.told) == 1
    world.takes()
    await world.look()
    assert world.last.reason == "all resolved"


async def test_with_one_receiver_only_it_is_told_there() -> None:
    world = Watched(AT_ONCE)
    world.fails()
    await world.look(5 * MINUTE)
    assert [one.receiver for one in world.told] == ["ops"]


async def test_where_the_first_choice_fails_too_the_next_receiver_is_told_of_both() -> None:
    world = Watched(THREE)
    world.fails(OPS)
    await world.look(5 * MINUTE)
    assert world.last.receiver == "third"
    world.fails(("third", "console/0"))
    await world.look(5 * MINUTE)
    told = {(view.labels["receiver"], one.receiver) for one in world.told for view in one.alerts}
    assert {("ops", "oncall"), ("third", "oncall")} <= told
    world.takes(OPS)
    world.takes(("third", "console/0"))
    await world.look(5 * MINUTE)
    await world.flush(5 * MINUTE)
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_a_channel_that_the_configuration_no_longer_has_fails_no_more() -> None:
    world = Watched(THREE)
    world.fails(("third", "console/0"))
    await world.look(5 * MINUTE)
    world.outbox = Outbox()
    await world.restart(config=TWO)
    await world.look(5 * MINUTE)
    assert world.last.reason == "all resolved"


async def test_what_the_store_refused_is_told_at_the_next_look() -> None:
    world = Watched()
    world.fails()
    world.harness.store.failures = 1
    with pytest.raises(StoreError):
        await world.look(5 * MINUTE)
    await world.look()
    assert len(world.told) == 1
