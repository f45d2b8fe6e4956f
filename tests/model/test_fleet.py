"""Who holds which account."""

import pytest

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


@pytest.mark.parametrize(("accounts", "share"), [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_the_living_share_all_accounts(accounts: int, share: int) -> None:
    assert FLEET.living == (worker(2), worker(3))
    assert FLEET.share(accounts) == share
    assert Fleet().share(accounts) == accounts
