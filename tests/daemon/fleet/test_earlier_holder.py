"""From whom an account was taken, and why, in words."""

import pytest

from monitor.daemon.fleet.earlier_holder import Holders, has_lapsed, taken_from
from monitor.model.fleet import Fleet, LeaseView, WorkerView
from monitor.runtime.clock import MILLISECOND, SECOND

WORKERS = (WorkerView(1, "one:11", "1", "", 0, -SECOND), WorkerView(2, "two:22", "1", "", 0, 6 * SECOND))


@pytest.mark.parametrize(
    ("lease", "said", "lapsed"),
    [
        (None, ", which nobody held", False),
        (LeaseView("main", 3, None, None), ", which nobody held", False),
        (LeaseView("main", 3, 1, 0, -1_200 * MILLISECOND), " from one:11, which did not renew its lease for 7s", True),
        (
            LeaseView("main", 3, 9, 0, -SECOND),
            " from a daemon that is no longer known, which did not renew its lease for 7s",
            True,
        ),
        (LeaseView("main", 3, 2, 0, -SECOND), " again, after its lease was not renewed for 7s", False),
    ],
)
def test_the_words(lease: LeaseView | None, said: str, lapsed: bool) -> None:
    fleet = Fleet(WORKERS, () if lease is None else (lease,))
    assert taken_from(fleet, "main", 2) == said
    assert has_lapsed(fleet, "main", 2) == lapsed


def test_who_is_no_longer_known_is_named_as_it_was_heard_of() -> None:
    """A daemon that was killed leaves no row once it was started again in its place."""
    fleet = Fleet(WORKERS, (LeaseView("main", 3, 9, 0, -SECOND),))
    assert taken_from(fleet, "main", 2, "nine:99") == " from nine:99, which did not renew its lease for 7s"


def test_who_takes_what_this_worker_gave_away_is_told_once_unless_it_is_this_one_again() -> None:
    def held_by(worker: int | None) -> Fleet:
        return Fleet(WORKERS, (LeaseView("main", 3, worker, 0, SECOND),))

    holders = Holders(own=2)
    assert holders.follow(held_by(1)) == {}, "it was not this one's"
    for taker, told in ((1, {"main": "one:11"}), (2, {})):
        assert holders.follow(held_by(2)) == {}
        assert holders.last("main") == ""
        holders.gave("main")
        assert holders.follow(held_by(None)) == {}
        assert holders.follow(held_by(taker)) == told
        assert holders.follow(held_by(1)) == {}
        assert holders.last("main") == "one:11"
