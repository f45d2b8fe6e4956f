"""Parses and formats ``host:port``, as people write it for the listener and as requests send it in the header Host."""

import re
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import ListenError

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named to be replaced, not to be bound


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. ``host`` has no brackets; an empty one means every interface. Port 0 means any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses ``127.0.0.1:9465``, ``[::1]:9465`` or ``:9465``. Raises ListenError."""
        host, colon, port = text.strip().rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        bracketed = host == f"[{bare}]"
        valid_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535
        if not colon or not valid_port or (":" in bare) != bracketed:
            raise ListenError(f"{text!r} is not an address to listen on; write it like 127.0.0.1:9465 or [::1]:9465")
        return cls(bare, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, scheme: str = "http") -> str:
        """Returns the URL by which a program on this machine reaches it; a wildcard address is reached over loopback."""
        return f"{scheme}://{Address(_WILDCARDS.get(self.host, self.host), self.port)}"


def site_of(url: str) -> SplitResult:
    """Returns the parts of a URL that somebody sent, as in the header Origin; empty ones if it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def named_host(header: str) -> str:
    """Returns the host of a header Host in lower case, without port and brackets; empty if the header is not ``host[:port]``."""
    found = _HOST.fullmatch(header)
    return "" if found is None else (found[1] or found[2]).lower().removesuffix(".")
