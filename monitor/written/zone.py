"""Time zones as people write them: IANA's names, ``Europe/Athens``."""

import zoneinfo
from typing import Annotated

from pydantic import AfterValidator

from monitor.written.types import Text
from monitor.written.words import suggest


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        known = zoneinfo.available_timezones()
        hint = suggest(name, known) or "; write it like Europe/Athens"
        raise ValueError(f"{name[:100]!r} is not a time zone{hint}") from None
    return name


Zone = Annotated[Text, AfterValidator(_zone)]
"""The IANA name of a time zone that this machine knows."""
