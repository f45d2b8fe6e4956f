"""The order in which tests are spread over several processes: who begins with what lasts longest is not waited for at the end."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

LONGEST = (
    "tests/e2e/test_e2e_kill.py",
    "tests/e2e/test_e2e_cluster.py::test_a_removed_account_is_given_up_once_the_end_of_its_alerts_is_told",
    "tests/faults/test_kills.py",
    "tests/e2e/test_e2e_far.py",
)
"""Files and tests that last for half a minute and longer, most of which wait, the longest first."""


class Test(Protocol):
    """What pytest has collected."""

    @property
    def nodeid(self) -> str: ...


T = TypeVar("T", bound=Test)


def longest_first(tests: Sequence[T], processes: int) -> list[T]:
    """Returns the tests with some of the longest at the beginning of each process's share.

    pytest-xdist (``--dist worksteal``) gives each process an equal share of what is collected, without a change of order.
    """
    ranks = {test: rank for test in tests if (rank := _rank(test)) is not None}
    longest = sorted(ranks, key=lambda test: ranks[test])
    others = iter([test for test in tests if test not in ranks])
    ordered: list[T] = []
    for process in range(processes):
        share = (len(tests) - len(ordered)) // (processes - process)
        begins_with = longest[process::processes]
        ordered += begins_with
        ordered += [test for _, test in zip(range(share - len(begins_with)), others, strict=False)]
    return [*ordered, *others]


def _rank(test: Test) -> int | None:
    return next((rank for rank, name in enumerate(LONGEST) if test.nodeid.startswith(name)), None)
