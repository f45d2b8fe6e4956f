"""Logs troubles that may last for hours without flooding the log with the same line."""

import logging
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from monitor.runtime.clock import MINUTE, Clock, Duration, Instant

QUIET: Final[Duration] = 10 * MINUTE
"""The shortest time between two log lines for the same reason."""
_MOST_REASONS: Final = 20
"""The most reasons that are remembered. The one that has not happened for longest is forgotten first."""
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_DIGITS: Final = re.compile(r"\d[\d.,:]*")


class ThrottledLog:
    """One kind of trouble with one thing, named by ``what`` (``search outbound of account main``).

    Logs its beginning, each reason that was not logged in the last ten minutes, and its end. A line after a pause says how many
    failures were not logged meanwhile. Reasons that differ only in numbers are the same. ``fields`` are logged with each line.
    """

    def __init__(
        self,
        log: logging.Logger,
        what: str,
        clock: Clock,
        level: int = logging.WARNING,
        fields: Mapping[str, str] = _NONE,
    ) -> None:
        self._log = log
        self._fields = fields
        self._what = what
        self._clock = clock
        self._level = level
        self._said: dict[str, Instant] = {}
        self._unsaid = 0
        self._began: int | None = None
        """How often it has happened since its beginning was logged; None while no trouble has been logged."""

    def arose(self, reason: str) -> None:
        """Records that the trouble happened (again)."""
        self._began = None if self._began is None else self._began + 1
        now, kind = self._clock.now(), _DIGITS.sub("#", reason)
        last = self._said.pop(kind, None)
        if last is not None and 0 <= now - last < QUIET:
            self._said[kind] = last
            self._unsaid += 1
            return
        again = f" ({_failures(self._unsaid, 'more ')} since this was last logged)" if self._unsaid else ""
        self._log.log(self._level, "%s: %s%s", self._what, reason, again, extra=dict(self._fields))
        self._began = 1 if self._began is None else self._began
        self._unsaid = 0
        self._said[kind] = now
        if len(self._said) > _MOST_REASONS:
            del self._said[next(iter(self._said))]

    def over(self) -> None:
        """Records that the trouble did not happen this time; logs the end only if the beginning was logged."""
        if self._began is not None:
            self._log.info("%s: works again after %s", self._what, _failures(self._began), extra=dict(self._fields))
            self._began = None


def _failures(count: int, more: str = "") -> str:
    return f"1 {more}failure" if count == 1 else f"{count} {more}failures"
