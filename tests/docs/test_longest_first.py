"""The order of the tests themselves, where several processes share them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.longest_first import LONGEST, longest_first


@dataclass(frozen=True)
class Named:
    nodeid: str


@pytest.mark.parametrize("count", [8, 40, 43])
@pytest.mark.parametrize("processes", [1, 4])
def test_each_process_begins_with_one_of_the_longest_and_each_test_runs_once(count: int, processes: int) -> None:
    tests = [Named(f"tests/test_a.py::test_{number}") for number in range(count - 2)]
    tests += [Named(f"{LONGEST[0]}::one"), Named(f"{LONGEST[1]}[two]")]
    ordered = longest_first(tests, processes)
    assert sorted(ordered, key=tests.index) == tests
    first = [ordered[sum(_shares(count, processes)[:before])] for before in range(processes)]
    assert first[0] == tests[-2]
    assert processes == 1 or first[1] == tests[-1]


def _shares(count: int, processes: int) -> list[int]:
    """How many tests pytest-xdist gives to each process."""
    shares = list[int]()
    for left in range(processes, 0, -1):
        shares.append((count - sum(shares)) // left)
    return shares


@pytest.mark.parametrize("name", LONGEST)
def test_what_is_begun_first_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert f"def {test}" in (Path(__file__).parents[2] / path).read_text("utf-8")
