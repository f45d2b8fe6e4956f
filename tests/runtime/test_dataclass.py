"""Dataclasses that are made quickly behave as those of the standard library (docs/decisions/0034-start-up.md)."""

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from monitor.runtime.dataclass import dataclass

T = TypeVar("T")
Maker = Callable[..., Any]
"""Makes a dataclass of a class."""


@pytest.fixture(params=[dataclasses.dataclass, dataclass], ids=["of the standard library", "made quickly"])
def maker(request: pytest.FixtureRequest) -> Maker:
    made: Maker = request.param
    return made


def _point(maker: Maker, **options: Any) -> Any:
    @maker(**options)
    class Point:
        x: int
        y: int = 2
        seen: list[int] = field(default_factory=list, compare=False)
        secret: str = field(default="hidden", repr=False, kw_only=True)

    return Point


@pytest.fixture(params=[{}, {"slots": True}, {"frozen": True}, {"frozen": True, "slots": True}], ids=str)
def point(request: pytest.FixtureRequest, maker: Maker) -> Any:
    return _point(maker, **request.param)


def test_fields_have_the_values_that_are_given_or_their_defaults(point: Any) -> None:
    for _ in range(2):  # the first object and the others
        one, other = point(1), point(1, y=3, secret="s", seen=[4])
        assert (one.x, one.y, one.seen, one.secret) == (1, 2, [], "hidden")
        assert (other.x, other.y, other.seen, other.secret) == (1, 3, [4], "s")
    assert one.seen is not point(1).seen


@pytest.mark.parametrize("given", [((), {}), ((1, 2, [], "s"), {}), ((1,), {"z": 2}), ((1,), {"x": 2})])
def test_what_is_no_field_is_refused_by_name(point: Any, given: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
        point(*given[0], **given[1])


def test_a_class_keeps_the_init_that_it_has(maker: Maker) -> None:
    @maker(slots=True)
    class Path:
        steps: list[str]

        def __init__(self, first: str, *others: str) -> None:
            self.steps = [first, *others]

    assert Path("a", "b") == Path("a", "b") != Path("a")
    assert Path("a", "b").steps == ["a", "b"]


def test_objects_are_equal_if_their_compared_fields_are(point: Any) -> None:
    assert point(1, seen=[1]) == point(1, seen=[2])
    assert point(1) != point(1, secret="other")
    assert point(1) != (1, 2, "hidden")
    assert point(1).__eq__(object()) is NotImplemented


def test_only_what_does_not_change_can_be_hashed(maker: Maker) -> None:
    frozen = _point(maker, frozen=True, slots=True)
    assert len({frozen(1), frozen(1, seen=[3]), frozen(2)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(_point(maker, slots=True)(1))


def test_a_field_is_hashed_if_it_is_compared_unless_it_says_otherwise(maker: Maker) -> None:
    @maker(frozen=True, slots=True)
    class Named:
        name: str
        text: str = field(default="", hash=False)
        number: int = field(default=0, compare=False, hash=True)

    one = Named("a", "x", 1)
    assert hash(one) == hash(Named("a", "y", 1))
    assert one != Named("a", "y", 1)
    assert hash(one) != hash(Named("a", "x", 2))
    assert one == Named("a", "x", 2)


def test_without_eq_each_object_is_equal_to_itself_alone(maker: Maker) -> None:
    point = _point(maker, eq=False)
    one = point(1)
    assert one == one
    assert one != point(1)
    assert len({one, point(1)}) == 2


@pytest.mark.parametrize("slots", [False, True])
def test_what_is_frozen_can_be_neither_set_nor_deleted(maker: Maker, slots: bool) -> None:
    one = _point(maker, frozen=True, slots=slots)(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del one.x
    assert one.x == 1


def test_slots_take_no_other_attribute(maker: Maker) -> None:
    with pytest.raises(AttributeError):
        _point(maker, slots=True)(1).z = 2


def test_an_object_shows_the_fields_that_may_be_shown(point: Any, maker: Maker) -> None:
    assert repr(point(1)).endswith("_point.<locals>.Point(x=1, y=2, seen=[])")
    one = _point(maker)(1)
    one.y = one
    assert repr(one).endswith("Point(x=1, y=..., seen=[])")


def test_functions_that_a_class_has_itself_are_kept(maker: Maker) -> None:
    @maker(frozen=True, slots=True)
    class Own:
        x: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    assert Own(1) == Own(2)
    assert (hash(Own(1)), repr(Own(1))) == (7, "own")


def test_objects_are_ordered_field_by_field(maker: Maker) -> None:
    @maker(frozen=True, slots=True, order=True)
    class Version:
        name: str
        number: int

    assert Version("a", 2) < Version("b", 1) <= Version("b", 1)
    assert Version("b", 2) > Version("b", 1) >= Version("b", 1)
    with pytest.raises(TypeError):
        assert Version("a", 1) < 3  # type: ignore[operator]  # which is the point


def test_one_field_and_none_compare_too(maker: Maker) -> None:
    @maker(frozen=True, slots=True, order=True)
    class One:
        x: int

    @maker(frozen=True, slots=True)
    class Nothing:
        pass

    assert (One(1) == One(1), One(1) < One(2), hash(One(1)) == hash(One(1))) == (True, True, True)
    assert Nothing() == Nothing()
    assert len({Nothing(), Nothing()}) == 1


def test_fields_are_inherited_and_what_follows_is_done(maker: Maker) -> None:
    @maker(slots=True)
    class Base(Generic[T]):
        x: T
        y: int = 1

    @maker(slots=True, kw_only=True)
    class Longer(Base[int]):
        z: int
        total: int = field(init=False)
        shared: list[int] = field(init=False, default_factory=list)

        def __post_init__(self) -> None:
            self.total = self.x + self.y + self.z

    assert (Longer(1, z=3).total, Longer(1, 2, z=3).total) == (5, 6)
    assert Longer(1, z=3).shared == []
    assert Base(1) != Longer(1, z=3)
    assert Longer.__match_args__ == ("x", "y")  # type: ignore[attr-defined]  # mypy does not know it


def test_the_tools_of_the_standard_library_take_it(point: Any) -> None:
    one = point(1, secret="s")
    assert dataclasses.replace(one, y=5) == point(1, 5, secret="s")
    assert dataclasses.asdict(one) == {"x": 1, "y": 2, "seen": [], "secret": "s"}
    assert [each.name for each in dataclasses.fields(one)] == ["x", "y", "seen", "secret"]
    assert copy.copy(one) == copy.deepcopy(one) == one


@dataclass(frozen=True, slots=True)
class Stored:
    """At the top of a module, where pickle finds it."""

    x: int
    y: tuple[int, ...] = ()


def test_what_is_frozen_can_be_stored() -> None:
    assert pickle.loads(pickle.dumps(Stored(1, (2,)))) == Stored(1, (2,))


def test_the_program_has_no_others() -> None:
    """Each of the standard library's costs half a millisecond at every start."""
    here = Path(__file__).parents[2] / "monitor"
    usual = re.compile(r"^from dataclasses import .*\bdataclass\b", re.MULTILINE)
    found = {str(file.relative_to(here)) for file in here.rglob("*.py") if usual.search(file.read_text())}
    assert found == set()
