"""Types of values in YAML files (durations, names, addresses, secrets), each with its pattern for editors."""

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, StrictBool, StrictFloat, StrictInt, WithJsonSchema

from monitor.config.yaml.scalar import Fraction, Whole
from monitor.config.yaml.sentences import kind_of
from monitor.config.yaml.unread_secret import MAY_BE_UNREAD, why_unread
from monitor.runtime.clock import Duration, parse_duration
from monitor.runtime.environment_values import beginning

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
LABEL: Final = r"[A-Za-z_][A-Za-z0-9_]*"
PERIOD: Final = r"(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?"
_ZERO = re.compile(r"0[smhd]?")


def as_text(value: object) -> object:
    """Returns a number in its written form, so that ``012`` and ``+30`` need no quotes in text fields."""
    if isinstance(value, Whole | Fraction):
        return value.text
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(_NAME, value) or len(value) > 100:
        raise ValueError(
            f"{beginning(value, 100)} is not a name: letters, digits, _ and - (at most 100), beginning with a letter or _"
        )
    return value


def _period(value: object) -> Duration:
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"should be a duration like 30s, 5m, 1h30m or 7d, not {kind_of(value)}")


def _period_or_zero(value: object) -> Duration:
    if _ZERO.fullmatch(str(as_text(value))):
        return 0
    return _period(value)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and not re.search(r"\s", url) else None


def _url(value: str) -> str:
    parts = _split(value)
    if parts is None:
        raise ValueError("is not an address: write http://host or https://host, with a port and a path if needed")
    return value


def _open_url(value: str) -> str:
    parts = _split(_url(value))
    if parts and parts.username is not None:
        raise ValueError("must not hold a user name or password")
    return value.rstrip("/")


def _secret(value: SecretStr) -> SecretStr:
    _not_empty(value.get_secret_value())
    return value


def _secret_url(value: SecretStr) -> SecretStr:
    _url(value.get_secret_value())
    return value


def host_only(url: str | SecretStr) -> str:
    """Returns the part of an address that may be shown: scheme, host, and the port if it is written (``https://hooks.slack.com``)."""
    if why_unread(url):
        return "an address that is not known here"
    parts = _split(url.get_secret_value() if isinstance(url, SecretStr) else url)
    if parts is None:
        return "an address that cannot be read"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def clear_host(url: str) -> str:
    """Returns the other machine that the address reaches without TLS; empty if it is reached with TLS, or is this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host if parts.scheme == "http" and not is_loopback(host) else ""


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


_AS_TEXT = WithJsonSchema({"type": ["string", "number"]})
_ADDRESS = _pattern("https?://.+")

Text = Annotated[str, AfterValidator(_not_empty), BeforeValidator(as_text), _AS_TEXT]
"""Any text; a number keeps its written form."""
AnyText = Annotated[str, BeforeValidator(as_text), _AS_TEXT]
"""Any text, also an empty one."""
Name = Annotated[str, AfterValidator(_name), _pattern(_NAME)]
Period = Annotated[Duration, BeforeValidator(_period), _pattern(PERIOD)]
"""A duration of at least 1s, in microseconds."""
PeriodOrZero = Annotated[
    Duration,
    BeforeValidator(_period_or_zero),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{PERIOD}$"}, {"const": 0}]}),
]
"""A duration that may be ``0s``, in microseconds."""
Secret = Annotated[SecretStr, AfterValidator(_secret), BeforeValidator(as_text), MAY_BE_UNREAD, _AS_TEXT]
"""Text that is never shown."""
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url), MAY_BE_UNREAD, _ADDRESS]
"""An http(s) address that is never shown in full."""
Url = Annotated[str, AfterValidator(_open_url), _ADDRESS]
"""An http(s) address without a secret; a slash at its end is dropped."""
Flag = StrictBool
WholeNumber = StrictInt
Number = StrictFloat
