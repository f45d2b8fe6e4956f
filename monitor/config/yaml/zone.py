"""Time zones by IANA's names, like ``Europe/Athens``."""

import re
import zoneinfo
from typing import Annotated, Final

from pydantic import AfterValidator

from monitor.config.yaml.types import Text
from monitor.config.yaml.words import suggest
from monitor.runtime.environment_values import beginning

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?\s*([+-])0?(\d{1,2})(?::?00)?", re.IGNORECASE)


def zone_of(name: str) -> str:
    """Returns the name of a time zone. Raises ValueError with the most similar name if it is unknown."""
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        hint = _fixed(name) or suggest(name, zoneinfo.available_timezones()) or "; write it like Europe/Athens"
        raise ValueError(f"{beginning(name, 100)} is not a time zone{hint}") from None
    return name


def _fixed(name: str) -> str:
    """Returns what to write for ``UTC+3``: a place, or IANA's zone of that offset, whose sign is inverted."""
    found = _OFFSET.fullmatch(name.strip())
    zone = "" if found is None else f"Etc/GMT{'-' if found[1] == '+' else '+'}{int(found[2])}"
    if zone not in zoneinfo.available_timezones():
        return ""
    return f": name a place, as in Europe/Athens, which knows summer time; or {zone}, which is {name.strip()} all year"


Zone = Annotated[Text, AfterValidator(zone_of)]
"""The name of a time zone."""
