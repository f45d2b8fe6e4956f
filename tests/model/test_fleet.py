"""Who holds which account."""

from monitor.model.fleet import Fleet, LeaseView, WorkerView
from monitor.runtime.clock import SECOND


def worker(number: int, expires_in: int = SECOND) -> WorkerView:
    return WorkerView(number, f"host:{number}", "1", "", 0, expires_in)


FLEET = Fleet(
    (worker(2), worker(3), worker(4, 0)),
    (
        LeaseView("a", 1, 2, 0, SECOND),
        LeaseView("b", 2, 2, 0, 0),
        LeaseView("c", 3, None, None),
        LeaseView("d", 4, 3, 0, SECOND),
        LeaseView("e", 5, 9, 0, SECOND),
    ),
)


def test_a_lapsed_lease_has_no_holder() -> None:
    holders = {account: FLEET.holder_of(account) for account in "abcdex"}
    assert holders == {"a": worker(2), "b": None, "c": None, "d": worker(3), "e": None, "x": None}
    assert [FLEET.accounts_of(number) for number in (2, 3, 4)] == [("a",), ("d",), ()]
    assert FLEET.free(["x", "c", "b", "a"]) == ("c", "b")
    assert FLEET.lease("b") == LeaseView("b", 2, 2, 0, 0)


def test_only_those_heard_of_lately_live() -> None:
    assert FLEET.living == (worker(2), worker(3))
