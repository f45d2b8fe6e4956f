"""Two people change the same at the same moment, each at another worker: both changes count, or one of the two is told."""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import pytest

from monitor.runtime.clock import HOUR, MINUTE
from monitor.runtime.errors import ChangedMeanwhile, DecidedTooLate, NothingThere
from tests.daemon.test_shared_pipeline import Pair, silence


async def with_silence() -> Pair:
    pair = await Pair().start()
    await pair.first.actions.put_silence(silence(pair))
    return pair


def at_once(pair: Pair, change: Callable[[], Awaitable[object]]) -> None:
    """Has the second worker make a change after the first one has read what is there, and before it writes its own."""

    async def once() -> bool:
        await change()
        return False

    pair.first.front.meanwhile = once


async def test_both_extend_a_silence() -> None:
    pair = await with_silence()
    at_once(pair, partial(pair.second.actions.extend_silence, "s1", HOUR))
    await pair.first.actions.extend_silence("s1", HOUR)
    assert [one.ends_at - one.starts_at for one in pair.store.load().silences] == [3 * HOUR]
    assert pair.first.pipeline.dispatcher.silences.all() == tuple(pair.store.load().silences)


async def test_of_two_forms_one_is_told_that_somebody_else_has_changed_the_silence() -> None:
    pair = await with_silence()
    [seen] = pair.store.load().silences
    pair.clock.at += MINUTE
    mine, theirs = (msgspec.structs.replace(silence(pair, name), comment=name) for name in ("mine", "theirs"))
    at_once(pair, partial(pair.second.actions.change_silence, "s1", theirs, seen.updated_at))
    with pytest.raises(ChangedMeanwhile, match="somebody has changed this silence"):
        await pair.first.actions.change_silence("s1", mine, seen.updated_at)
    assert [one.comment for one in pair.store.load().silences] == ["theirs"]


async def test_a_silence_that_one_was_told_is_ended_is_not_extended_by_the_other() -> None:
    pair = await with_silence()
    at_once(pair, partial(pair.second.actions.expire_silence, "s1"))
    with pytest.raises(ValueError, match="expired"):
        await pair.first.actions.extend_silence("s1", HOUR)
    assert [one.state(pair.clock.at) for one in pair.store.load().silences] == ["expired"]


@pytest.mark.parametrize("account", ["a", "b"], ids=["held here", "held elsewhere"])
async def test_an_acknowledgement_that_both_remove_is_removed_once(account: str) -> None:
    pair = await Pair().start()
    holder = pair.first if account == "a" else pair.second
    await pair.fail(holder, account)
    [alert] = holder.firing(account)
    await pair.first.actions.acknowledge(alert.fingerprint, "Ann")
    at_once(pair, partial(pair.second.actions.unacknowledge, alert.fingerprint))
    with pytest.raises(NothingThere):
        await pair.first.actions.unacknowledge(alert.fingerprint)
    assert pair.store.load().acks == []
    assert [one.what for one in pair.store.transitions] == ["fired", "acknowledged", "unacknowledged"]


async def test_who_acknowledges_while_another_does_is_told_what_is_stored() -> None:
    pair = await Pair().start()
    await pair.fail(pair.first, "a")
    [alert] = pair.first.firing("a")

    others = 0

    async def twice() -> bool:
        nonlocal others
        others += 1
        if others == 1:
            await pair.second.actions.acknowledge(alert.fingerprint, "Bob")
        else:
            pair.clock.at += MINUTE
        return others == 1

    pair.first.front.meanwhile = twice
    told = await pair.first.actions.acknowledge(alert.fingerprint, "Ann")
    assert others == 2, "the first try was decided too late"
    assert (told.by, told.at) == ("Ann", pair.clock.at)
    assert pair.store.load().acks == [told]


async def test_a_change_is_given_up_while_others_never_stop_changing() -> None:
    pair = await with_silence()
    health = pair.first.services.health
    health.searches([])
    count = 0

    async def again_and_again() -> bool:
        nonlocal count
        count += 1
        await pair.second.actions.put_silence(silence(pair, f"other{count}"))
        return True

    pair.first.front.meanwhile = again_and_again
    with pytest.raises(DecidedTooLate, match="nothing was changed; try again"):
        await pair.first.actions.expire_silence("s1")
    assert 1 < count < 10
    assert health.unready() == [], "the store is well"
    pair.first.front.meanwhile = None
    await pair.first.actions.expire_silence("s1")
