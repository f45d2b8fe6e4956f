"""What some modules of libraries get in the place of other modules, for as long as they are imported: what costs less and does the same for them.

Everybody else gets the real modules, before and afterwards. Where a library has no such module any more, nothing is replaced.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any, Final


class _Dictionary(type):
    """Stands for `TypedDict`, whose every annotation would be compiled. Called, its classes make dictionaries too."""

    def __new__(cls, name: str, bases: tuple[type, ...], own: dict[str, Any], **_: Any) -> type:
        return super().__new__(cls, name, bases, own)

    def __init__(cls, name: str, bases: tuple[type, ...], own: dict[str, Any], **_: Any) -> None:
        super().__init__(name, bases, own)

    def __call__(cls, *given: Any, **values: Any) -> dict[str, Any]:
        return dict(*given, **values)


def _dataclass(cls: type | None = None, /, **options: Any) -> Any:
    """Makes dataclasses quickly, with the options that that knows."""
    from dataclasses import dataclass as usual

    from monitor.runtime.dataclass import dataclass as quick

    known = {"frozen", "slots", "kw_only", "eq", "order"}
    make: Any = quick if options.keys() <= known else usual
    return make(**options) if cls is None else make(cls, **options)


def _class(name: str) -> type:
    """Returns a class of its own for each name, to derive from."""
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})


_QUICK: Final = {"dataclasses": {"dataclass": _dataclass}}
_PLAIN: Final = {name: {"TypedDict": _Dictionary("TypedDict", (), {})} for name in ("typing", "typing_extensions")}
_NO_SERVER: Final = {name: {"__getattr__": _class} for name in ("http.server", "socketserver", "wsgiref.simple_server")}
_WHILE: Final[Mapping[str, Mapping[str, Mapping[str, object]]]] = {
    # Forty dataclasses, of which few are used: 11 ms of whatever validates.
    "annotated_types": _QUICK,
    "pydantic._internal._decorators": _QUICK,
    "pydantic._internal._fields": _QUICK,
    "pydantic.aliases": _QUICK,
    "pydantic.fields": _QUICK,
    "pydantic.functional_serializers": _QUICK,
    "pydantic.functional_validators": _QUICK,
    "pydantic.json_schema": _QUICK,
    "pydantic.types": _QUICK,
    # A hundred types for those who check types: 5 ms and 0.4 MB.
    "pydantic_core.core_schema": _PLAIN,
    # The listener is another one (`monitor.daemon.http`): 4 ms and 0.6 MB of the daemon.
    "prometheus_client.exposition": _NO_SERVER,
}
"""While these modules are imported, what others have in the place of their own."""


def stand_in() -> None:
    """Replaces them from now on; call it before anything imports a library."""
    if _Replacing not in sys.meta_path:
        sys.meta_path.insert(0, _Replacing)


class _Replacing:
    """Finds the modules that get others, for Python's import."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Returns how the module of that name is imported, if it is one of them."""
        spec = PathFinder.find_spec(name, path, target) if name in _WHILE else None
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _replaced(_WHILE[module.__name__]):
            super().exec_module(module)


@contextmanager
def _replaced(others: Mapping[str, Mapping[str, object]]) -> Iterator[None]:
    made = {name: _made(name, content) for name, content in others.items()}
    before = {name: sys.modules.get(name) for name in others}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def _made(name: str, content: Mapping[str, object]) -> ModuleType:
    """Returns a module with all that the real one has, unless it makes each name when it is asked for it."""
    module = ModuleType(name)
    real = {} if "__getattr__" in content else vars(import_module(name))
    module.__dict__.update({**real, **content})
    return module
