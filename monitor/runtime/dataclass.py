"""Dataclasses that are made quickly: `dataclass` of the standard library, except that nothing is compiled when a class is made.

The standard library writes up to six functions for each class as text and compiles them: half a millisecond for each of some hundred
classes, of most of which a command makes no object. Here ``__init__`` is written and compiled when the first object is made. The other functions are
the same for all classes, or closures over the names of the fields.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter, ge, gt, le, lt
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

_USUAL = object()
"""The default of a field whose default is made anew for each object."""

Key = Callable[[Any], Any]

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        cls: type | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        order: bool = False,
    ) -> Any:
        """Returns the class as a dataclass, or what makes one of a class; the options are those of the standard library."""

        def made(plain: type) -> type:
            own = plain.__dict__
            has_eq, has_hash, has_repr = "__eq__" in own, own.get("__hash__") is not None, "__repr__" in own
            if not plain.__doc__:
                plain.__doc__ = plain.__name__  # or the standard library writes one, which takes longer than all else
            found: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(plain)
            found.__init__ = _init_at_first(found, frozen)
            if not has_repr:
                found.__repr__ = _repr
            if frozen:
                found.__setattr__, found.__delattr__ = _refuse_to_set, _refuse_to_delete
                found.__getstate__, found.__setstate__ = _state, _restore
            if eq and not has_eq:
                found.__eq__ = _eq(_key(found, lambda field: field.compare))
            if eq and not has_hash:
                found.__hash__ = _hash(found) if frozen else None
            if order:
                _add_order(found)
            return found

        return made if cls is None else made(cls)


def _init_at_first(cls: Any, frozen: bool) -> Callable[..., None]:
    """Returns an ``__init__`` that is replaced by the right one at its first call."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it is one
        cls.__init__ = made = _init(cls, frozen)
        made(self, *args, **kwargs)

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    return __init__


def _init(cls: Any, frozen: bool) -> Callable[..., None]:
    """Writes and compiles the ``__init__`` of a class."""
    every = [field for field in dataclasses.fields(cls) if field.init or _has_default(field)]
    taken = [field for field in every if field.init]
    names: dict[str, Any] = {"set_": object.__setattr__, "usual_": _USUAL}
    names |= {f"default_{field.name}": field.default for field in every if field.default is not MISSING}
    names |= {f"make_{field.name}": field.default_factory for field in every if field.default_factory is not MISSING}
    given = [_parameter(field) for field in taken if not field.kw_only]
    named = [_parameter(field) for field in taken if field.kw_only]
    parameters = ", ".join(["self", *given, *(["*", *named] if named else [])])
    assign = "set_(self, {0!r}, {1})" if frozen else "self.{0} = {1}"
    lines = [assign.format(field.name, _value(field)) for field in every]
    lines += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    text = f"def __init__({parameters}):\n" + "\n".join(f" {line}" for line in lines or ["pass"])
    made: dict[str, Any] = {}
    exec(text, names, made)  # noqa: S102 - the names of fields alone are in it, as in the standard library
    init: Callable[..., None] = made["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=default_{field.name}"
    return field.name if field.default_factory is MISSING else f"{field.name}=usual_"


def _value(field: Field[Any]) -> str:
    """Returns the expression of the value that a field gets."""
    if field.default_factory is MISSING:
        return field.name if field.init else f"default_{field.name}"
    made = f"make_{field.name}()"
    return f"{made} if {field.name} is usual_ else {field.name}" if field.init else made


def _key(cls: Any, counts: Callable[[Field[Any]], bool | None]) -> Key:
    """Returns what makes of an object the values of its fields that count."""
    names = [field.name for field in dataclasses.fields(cls) if counts(field)]
    return attrgetter(*names) if names else lambda _: ()


def _eq(key: Key) -> Callable[[Any, Any], Any]:
    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807 - it is one
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(cls: Any) -> Callable[[Any], int]:
    key = _key(cls, lambda field: field.compare if field.hash is None else field.hash)

    def __hash__(self: Any) -> int:  # noqa: N807 - it is one
        return hash(key(self))

    return __hash__


def _add_order(cls: Any) -> None:
    """Adds comparisons of two objects by the values of their fields, in the fields' order."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]

    def key(one: Any) -> tuple[Any, ...]:
        return tuple(getattr(one, name) for name in names)

    def compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
        def function(self: Any, other: Any) -> Any:
            return compare(key(self), key(other)) if other.__class__ is self.__class__ else NotImplemented

        return function

    cls.__lt__, cls.__le__, cls.__gt__, cls.__ge__ = map(compared, (lt, le, gt, ge))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: Any, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
