"""Anything at all, for a short while: the long runs are `.ci/fuzz`'s."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import SEEDS, TARGETS

pytestmark = pytest.mark.filterwarnings("ignore")  # what a stranger's template or expression warns of is theirs


@pytest.mark.parametrize("target", TARGETS)
def test_bytes_of_any_kind_harm_nothing(target: str) -> None:
    @settings(max_examples=60, deadline=None, database=None)
    @given(st.binary(max_size=300))
    def feed(data: bytes) -> None:
        TARGETS[target](data)

    feed()


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_nearly_right_harms_nothing(target: str) -> None:
    luck = random.Random(target)
    for _ in range(150):
        TARGETS[target](mutated(luck, SEEDS[target]))


def test_every_target_has_seeds() -> None:
    assert SEEDS.keys() == TARGETS.keys()
