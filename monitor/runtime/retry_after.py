"""Parses the header Retry-After (RFC 9110, 10.2.3) and HTTP's dates."""

import re
from email.utils import parsedate_to_datetime
from typing import Final

from monitor.runtime.clock import DAY, LATEST, SECOND, Duration, Instant, from_datetime

LONGEST_WAIT: Final = DAY
"""The longest wait, even if a Retry-After asks for more."""

_SECONDS: Final = re.compile(r"\d+(\.\d*)?", re.ASCII)


def retry_after(text: str | None, now: Instant) -> Duration | None:
    """Returns how long a Retry-After header (seconds or an HTTP date) asks to wait from ``now`` on, at most a day; None if unreadable."""
    text = (text or "").strip()
    if _SECONDS.fullmatch(text):
        return round(min(float(text), LONGEST_WAIT / SECOND) * SECOND)
    at = http_date(text)
    return None if at is None else min(max(at - now, 0), LONGEST_WAIT)


def http_date(text: str | None) -> Instant | None:
    """Returns the instant of an HTTP date (``Sun, 22 Nov 2026 08:49:37 GMT``); None if it is missing, unreadable or out of range."""
    try:
        at = from_datetime(parsedate_to_datetime(text)) if text else None
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at is not None and 0 <= at <= LATEST else None
