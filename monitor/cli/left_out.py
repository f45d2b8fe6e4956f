"""Parts of libraries that nothing here uses, and that every command or every daemon would import all the same.

Where a library has no such part any more, nothing is left out.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final


class _AnyType:
    """Stands for each of NumPy's types; ``NDArray[np.int64]`` is the same."""

    def __class_getitem__(cls, what: object) -> type:
        return cls


def _type(name: str) -> type:
    """Returns what stands for the type of that name, whichever a version of NumPy asks for."""
    if name.startswith("__"):
        raise AttributeError(name)
    return _AnyType


def _never(value: object) -> bool:
    return False


_EMPTY: Final[Mapping[str, Mapping[str, object]]] = {
    # Connections of a client that waits in its thread: everything here is asynchronous. TLS over UDP: 8 ms and 0.5 MB together.
    "httpcore._sync": {"__getattr__": _type},
    "httpcore._sync.connection_pool": {"__getattr__": _type},
    "trio._dtls": {"__getattr__": _type},
    # Looks through all installed packages for plugins of pydantic, of which there are none: 5 ms and 1 MB of every command.
    "pydantic.plugin._loader": {"get_plugins": tuple},
    # The listener speaks HTTP/1.1 alone (`monitor.daemon.http.http1`). HTTP/2 and WebSockets: 15 ms and 2 MB of the daemon.
    "hypercorn.protocol.h2": {"H2Protocol": type("H2Protocol", (), {})},
    "hypercorn.protocol.ws_stream": {"WSStream": type("WSStream", (), {})},
    "h2": {},
    "h2.events": {},
    # What only those need who check types, and docstrings: 20 ms and 1 MB of everything that counts.
    "numpy.typing": {"__getattr__": _type},
    "numpy._typing": {"__getattr__": _type},
    "numpy._core._add_newdocs": {},
    "numpy._core._add_newdocs_scalars": {},
    # Linear algebra, which nothing here does: 3 ms and 0.5 MB.
    "numpy.linalg": {"__getattr__": _type},
    # np.unique asks whether its array is a masked one, of which there are none: 8 ms and 1 MB.
    "numpy.ma": {"is_masked": _never, "isMaskedArray": _never},
}
"""Empty modules in the place of those that their libraries cannot do without, with the names that are asked of them."""
_PACKAGES: Final = ("h2", "httpcore._sync")
_ABSENT: Final = ("httpcore._async.http2", "httpx._main")
"""What its library does without: HTTP/2, and httpx's own command line, which would import rich and Pygments into every daemon."""


class _EmptyModules:
    """Finds and makes the empty modules, for Python's import."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Returns how the module of that name is made if it is an empty one."""
        if name not in _EMPTY:
            return None
        return ModuleSpec(name, _EmptyModules, is_package=name in _PACKAGES)  # type: ignore[arg-type]  # a class may load too

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        """Returns the module."""
        module = ModuleType(spec.name)
        module.__dict__.update(_EMPTY[spec.name])
        return module

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Does nothing: all that it has, it has already."""


def leave_out_unused() -> None:
    """Keeps them from being imported; call it before anything imports a library."""
    if _EmptyModules not in sys.meta_path:
        sys.meta_path.insert(0, _EmptyModules)
    for name in _ABSENT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None keeps a module from being imported
