"""The groups of several accounts' reports, of which one daemon makes a single one."""

from itertools import permutations

import msgspec

from monitor.dispatch.scheduled_report import first_group, joined
from monitor.routing.route import AggregationGroup
from monitor.runtime.clock import DAY, SECOND

NOW = 1_800_000_000 * SECOND


def group(account: str, receiver: str, began: int, told: int | None) -> AggregationGroup:
    """Returns a group that began, and was told last, so many days ago."""
    told_at = None if told is None else NOW - told * DAY
    return msgspec.structs.replace(first_group(receiver, NOW - began * DAY, account), told_at=told_at)


def test_of_several_the_own_one_to_the_receiver_goes_on_from_the_latest_and_from_the_first_beginning() -> None:
    own = group("a", "ops", began=3, told=2)
    others = group("a", "managers", began=4, told=3), group("b", "ops", began=9, told=1), group("c", "ops", 1, None)
    for some in permutations((own, *others)):
        found = joined(some, "ops", NOW, "a")
        assert found == msgspec.structs.replace(own, started_at=NOW - 9 * DAY, told_at=NOW - DAY)


def test_what_another_account_has_told_is_not_told_again_by_one_that_has_none() -> None:
    found = joined([group("b", "ops", began=9, told=1)], "ops", NOW, "a")
    assert (found.account, found.started_at, found.told_at) == ("a", NOW - 9 * DAY, NOW - DAY)
    assert joined([], "ops", NOW, "a") == first_group("ops", NOW, "a")
