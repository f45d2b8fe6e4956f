"""Chooses the proxy for a URL by the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.

Every client uses this module, so that all of them read the variables alike. In NO_PROXY, httpx accepts no address in brackets and no
network, and urllib accepts no network; urllib ignores ALL_PROXY. As in curl, a variable in small letters has precedence.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import EnvironmentUnusable, Problem, of_environment

_SCHEMES: Final = ("https", "http", "all")
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[\w.-]+")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Exempt:
    """One entry of NO_PROXY: a name with all names below it, or a network of addresses; optionally for one port or one scheme only."""

    name: str = ""
    network: Network | None = None
    port: int | None = None
    scheme: str = ""

    def covers(self, scheme: str, host: str, port: int | None) -> bool:
        """Whether a URL with these parts is reached without a proxy. Names are not resolved."""
        if self.port not in (None, port) or self.scheme not in ("", scheme):
            return False
        if self.network is not None:
            address = _address(host)
            return address is not None and address in self.network
        return self.name in ("*", host) or host.endswith(f".{self.name}")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of the environment. ``through`` maps a URL's scheme to the proxy's URL; the key ``all`` stands for any scheme."""

    through: Mapping[str, str] = field(default_factory=dict)
    exempt: tuple[Exempt, ...] = ()

    def of(self, url: str) -> str | None:
        """Returns the proxy's URL for ``url``; None where it is reached directly."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            return None  # the client that requests it reports what is wrong with it
        host = (parts.hostname or "").rstrip(".")
        if any(each.covers(parts.scheme, host, port) for each in self.exempt):
            return None
        return self.through.get(parts.scheme) or self.through.get("all")


def proxies(environment: Mapping[str, str] | None = None) -> Proxies:
    """Reads the environment. Raises EnvironmentUnusable, which names every variable that cannot be used, but not its password."""
    around = os.environ if environment is None else environment
    problems: list[Problem] = []
    through = {}
    for scheme in _SCHEMES:
        variable, value = _variable(scheme, around)
        if value:
            url = value if "://" in value else f"http://{value}"
            problems += [of_environment(variable, wrong) for wrong in _wrong_proxy(url)]
            through[scheme] = url
    variable, value = _variable("no", around)
    exempt = []
    for entry in re.split(r"[,\s]+", value):
        if not entry or entry.startswith("/"):
            continue  # a path, such as that of a socket, is meant for other programs
        read = _exempt(entry.lower())
        if read is None:
            problems.append(of_environment(variable, _NO_HOST.format(entry)))
        else:
            exempt.append(read)
    if problems:
        raise EnvironmentUnusable(problems)
    return Proxies(through, tuple(exempt))


_NO_HOST: Final = (
    "{!r} is not a host or a network: write names (example.org), addresses (192.0.2.7, ::1) or networks (10.0.0.0/8, fd00::/8), "
    "with commas between"
)


def _variable(scheme: str, around: Mapping[str, str]) -> tuple[str, str]:
    small = f"{scheme}_proxy"
    name = small if small in around else small.upper()
    return name, around.get(name, "").strip()


def _wrong_proxy(url: str) -> Iterator[str]:
    """Yields why a proxy cannot be used. Repeats only the scheme of its URL, which may contain a password."""
    scheme = url.partition("://")[0].lower()
    if scheme.startswith("socks"):
        yield f"a SOCKS proxy ({scheme}://) is not supported: name an HTTP proxy, http://HOST:PORT"
    elif scheme == "https":
        yield "an https:// proxy is not supported, because its password would be sent unencrypted: name an HTTP proxy, http://HOST:PORT"
    elif scheme != "http":
        yield f"a proxy's URL begins with http://, not {scheme}://: write http://HOST:PORT"
    elif not _has_host(url):
        yield "this is not the URL of a proxy: write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, special characters as %XX"


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
        host.encode("idna")
    except ValueError:  # UnicodeError is one
        return False
    return bool(_HOST.fullmatch(host) or _address(host)) and not re.search(r"\s", url)


def _exempt(entry: str) -> Exempt | None:
    """Parses an entry of NO_PROXY in small letters. Returns None if it is not a host or a network."""
    scheme, between, rest = entry.rpartition("://")
    bare = re.fullmatch(r"\[([^\]]*)\](/\d+)?(?::(\d+))?", rest)
    network = _network(bare[1] + (bare[2] or "") if bare else rest)
    if network is not None:
        port = int(bare[3]) if bare and bare[3] else None
        return Exempt(network=network, port=port, scheme=scheme)
    named = re.fullmatch(r"(?:\*?\.)?(\*|[\w.-]+?)\.?(?::(\d+))?", rest)
    if named is None or (between and not scheme):
        return None
    port = int(named[2]) if named[2] else None
    address = _network(named[1])
    return Exempt("" if address else named[1], address, port, scheme)


def _network(text: str) -> Network | None:
    """Parses a network or a single address; None if it is neither. Bits outside of the mask are ignored (10.1.2.3/8)."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> Address | None:
    """Parses an address; None if it is not one. Returns the IPv4 address of a mapped one such as ``::ffff:10.0.0.1``."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
