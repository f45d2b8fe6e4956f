"""Parts of libraries that nothing here uses, and that every command or every daemon would import all the same.

Where a library has no such part any more, nothing is left out.
"""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Final


class _AnyType:
    """Stands for each of NumPy's types; ``NDArray[np.int64]`` is the same."""

    def __class_getitem__(cls, what: object) -> type:
        return cls


_TYPES: Final = dict.fromkeys(("ArrayLike", "DTypeLike", "NBitBase", "NDArray"), _AnyType)
_EMPTY: Final[Mapping[str, Mapping[str, object]]] = {
    # Looks through all installed packages for plugins of pydantic, of which there are none: 5 ms and 1 MB of every command.
    "pydantic.plugin._loader": {"get_plugins": tuple},
    # The listener speaks HTTP/1.1 alone (`monitor.daemon.http.http1`). HTTP/2 and WebSockets: 15 ms and 2 MB of the daemon.
    "hypercorn.protocol.h2": {"H2Protocol": type("H2Protocol", (), {})},
    "hypercorn.protocol.ws_stream": {"WSStream": type("WSStream", (), {})},
    # What only those need who check types, and docstrings: 20 ms and 1 MB of everything that counts.
    "numpy.typing": _TYPES,
    "numpy._typing": _TYPES,
    "numpy._core._add_newdocs": {},
    "numpy._core._add_newdocs_scalars": {},
    "h2": {},
    "h2.events": {},
}
"""Empty modules in the place of those that their libraries cannot do without, with the names that are asked of them."""
_ABSENT: Final = ("httpcore._async.http2", "httpcore._sync.http2", "httpx._main")
"""What its library does without: HTTP/2, and httpx's own command line, which would import rich and Pygments into every daemon."""


def leave_out_unused() -> None:
    """Keeps them from being imported; call it before anything imports a library."""
    for name, names in _EMPTY.items():
        module = ModuleType(name)
        module.__dict__.update(names)
        sys.modules.setdefault(name, module)
    for name in _ABSENT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # None keeps a module from being imported
