"""Changes that people make: each is one commit, or nothing."""

from itertools import count

import pytest

from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import MOST_SILENCES, Silence, new_silence
from monitor.runtime.clock import HOUR, MINUTE
from monitor.runtime.errors import ChangedMeanwhile, NothingThere, StoreError
from tests.fakes.hand_clock import HandClock
from tests.fakes.operator_harness import RULES, OperatorHarness
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import settings

IDS = count()


@pytest.fixture
def world() -> PipelineHarness:
    return PipelineHarness(settings(), HandClock())


def silence(world: PipelineHarness, text: str, comment: str = "why") -> Silence:
    now = world.clock.now()
    return new_silence(
        parse_matchers(text),
        starts_at=now,
        ends_at=now + HOUR,
        created_by="Ann",
        comment=comment,
        now=now,
        id=f"s{next(IDS)}",
    )


def states(world: PipelineHarness) -> dict[str, str]:
    """The stored silences, by their first matcher."""
    return {str(one.matchers[0]): one.state(world.clock.now()) for one in world.store.load().silences}


async def test_another_silence_replaces_the_old_one_in_one_commit(world: PipelineHarness) -> None:
    first = silence(world, "operator=Cosmote")
    await world.actions.put_silence(first)
    before = len(world.store.commits)
    made = await world.actions.change_silence(first.id, silence(world, "operator=Nova"))
    assert len(world.store.commits) == before + 1
    assert made.id != first.id
    assert states(world) == {'operator="Cosmote"': "expired", 'operator="Nova"': "active"}


async def test_what_the_store_refuses_changes_neither_of_the_two(world: PipelineHarness) -> None:
    first = silence(world, "operator=Cosmote")
    await world.actions.put_silence(first)
    world.store.failures = 1
    with pytest.raises(StoreError):
        await world.actions.change_silence(first.id, silence(world, "operator=Nova"))
    assert states(world) == {'operator="Cosmote"': "active"}
    assert world.pipeline.dispatcher.silences.all() == (first,)


async def test_the_same_silence_keeps_its_id_and_its_start(world: PipelineHarness) -> None:
    first = silence(world, "operator=Cosmote")
    await world.actions.put_silence(first)
    world.clock.at += 10 * MINUTE
    made = await world.actions.change_silence(first.id, silence(world, "operator=Cosmote", "longer"), first.updated_at)
    assert (made.id, made.starts_at, made.ends_at) == (first.id, first.starts_at, first.ends_at + 10 * MINUTE)
    assert [one.comment for one in world.store.load().silences] == ["longer"]


async def test_only_the_state_that_was_looked_at_is_changed(world: PipelineHarness) -> None:
    first = silence(world, "operator=Cosmote")
    await world.actions.put_silence(first)
    world.clock.at += MINUTE
    await world.actions.extend_silence(first.id, HOUR)
    with pytest.raises(ChangedMeanwhile, match="has changed this silence"):
        await world.actions.change_silence(first.id, silence(world, "operator=Nova"), first.updated_at)
    seen = world.pipeline.dispatcher.silences.all()[0].updated_at
    world.clock.at += 3 * HOUR
    with pytest.raises(ChangedMeanwhile, match="has ended"):
        await world.actions.change_silence(first.id, silence(world, "operator=Nova"), seen)
    with pytest.raises(NothingThere):
        await world.actions.change_silence("none", silence(world, "operator=Nova"))
    assert states(world) == {'operator="Cosmote"': "expired"}


async def test_where_as_many_silences_exist_as_can_be_kept_a_change_drops_the_one_that_it_ends(
    world: PipelineHarness,
) -> None:
    kept = [silence(world, f"operator=o{number}") for number in range(MOST_SILENCES)]
    for one in kept:
        world.pipeline.dispatcher.silences.put(one)
    made = await world.actions.change_silence(kept[0].id, silence(world, "operator=other"))
    known = {one.id for one in world.pipeline.dispatcher.silences.all()}
    assert (len(known), made.id in known, kept[0].id in known) == (MOST_SILENCES, True, False)


async def test_an_acknowledgement_is_recorded_with_the_severity_that_its_edited_rule_gives() -> None:
    world = OperatorHarness()
    await world.poll(Cosmote=4)
    await world.restart(RULES.replace("severity: warning", "severity: info"))
    await world.ack("Cosmote")
    known = [(one.what, one.about.severity) for one in world.harness.store.transitions if one.about is not None]
    assert known[-2:] == [("eased", "info"), ("acknowledged", "info")]
