"""Dataclasses that are made quickly: `dataclass` of the standard library, except that nothing is compiled when a class is made.

The standard library writes up to six functions for each class as text and compiles them: half a millisecond for each of some hundred
classes, of most of which a command makes no object. Here ``__init__``, ``__eq__`` and ``__hash__`` are compiled when they are first called.
The other functions are the same for all classes.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import ge, gt, le, lt
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

_USUAL = object()
"""The default of a field whose default is made anew for each object."""

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
            has_init = "__init__" in own
            if not plain.__doc__:
                plain.__doc__ = plain.__name__  # or the standard library writes one, which takes longer than all else
            found: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(plain)
            if not has_init:
                _at_first(found, "__init__", _frozen_init if frozen else _init)
            if not has_repr:
                found.__repr__ = _repr
            if frozen:
                found.__setattr__, found.__delattr__ = _refuse_to_set, _refuse_to_delete
                found.__getstate__, found.__setstate__ = _state, _restore
            if eq and not has_eq:
                _at_first(found, "__eq__", _eq)
            if eq and not has_hash:
                found.__hash__ = None
                if frozen:
                    _at_first(found, "__hash__", _hash)
            if order:
                _add_order(found)
            return found

        return made if cls is None else made(cls)


def _at_first(cls: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Gives the class a function of that name that is replaced, at its first call, by what ``make`` returns."""

    def function(self: Any, *given: Any, **named: Any) -> Any:
        made = make(cls)
        setattr(cls, name, made)
        return made(self, *given, **named)

    function.__qualname__ = f"{cls.__qualname__}.{name}"
    setattr(cls, name, function)


def _frozen_init(cls: Any) -> Callable[..., None]:
    return _init(cls, "set_(self, {0!r}, {1})")


def _init(cls: Any, assign: str = "self.{0} = {1}") -> Callable[..., None]:
    """Writes and compiles the ``__init__`` of a class."""
    every = [field for field in dataclasses.fields(cls) if field.init or _has_default(field)]
    taken = [field for field in every if field.init]
    names: dict[str, Any] = {"set_": object.__setattr__, "usual_": _USUAL}
    names |= {f"default_{field.name}": field.default for field in every if field.default is not MISSING}
    names |= {f"make_{field.name}": field.default_factory for field in every if field.default_factory is not MISSING}
    given = [_parameter(field) for field in taken if not field.kw_only]
    named = [_parameter(field) for field in taken if field.kw_only]
    parameters = ", ".join(["self", *given, *(["*", *named] if named else [])])
    lines = [assign.format(field.name, _value(field)) for field in every]
    lines += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    return _compiled(cls, f"__init__({parameters})", lines, names)


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


def _eq(cls: Any) -> Callable[..., Any]:
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    same = f"return {_values('self', names)} == {_values('other', names)}"
    return _compiled(
        cls, "__eq__(self, other)", ["if other.__class__ is self.__class__:", " " + same, "return NotImplemented"]
    )


def _hash(cls: Any) -> Callable[..., Any]:
    names = [field.name for field in dataclasses.fields(cls) if (field.compare if field.hash is None else field.hash)]
    return _compiled(cls, "__hash__(self)", [f"return hash({_values('self', names)})"])


def _values(one: str, names: list[str]) -> str:
    return f"({''.join(f'{one}.{name}, ' for name in names)})"


def _compiled(cls: Any, head: str, lines: list[str], names: dict[str, Any] | None = None) -> Callable[..., Any]:
    """Returns the function with that head and these lines; ``names`` are those that it knows."""
    text = f"def {head}:\n" + "\n".join(f" {line}" for line in lines or ["pass"])
    made: dict[str, Any] = {}
    exec(text, names or {}, made)  # noqa: S102 - the names of fields alone are in it, as in the standard library
    function: Callable[..., Any] = next(iter(made.values()))
    function.__qualname__ = f"{cls.__qualname__}.{function.__name__}"
    return function


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
