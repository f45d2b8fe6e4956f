"""Parses times as a person types them: in the zone of the terminal, unless they name another one."""

from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.output import say
from monitor.runtime.dataclass import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.runtime.clock import Duration, Instant

    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType  # generic in newer versions of click only

_LIKE: Final = "2026-11-21T18:00 (in your time zone) or 2026-11-21T18:00:00Z"


@dataclass(frozen=True, slots=True)
class When:
    """An instant, or (if ``instant`` is None) a span before another instant."""

    instant: "Instant | None" = None
    before: "Duration" = 0

    def relative_to(self, other: "Instant") -> "Instant":
        """Returns the instant; a span counts back from ``other``."""
        return other - self.before if self.instant is None else self.instant


class TimeType(_Type):
    """The type of a time: the command gets its instant. A time without a zone is in the terminal's zone, and standard error shows which instant
    that is.
    """

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        parsed = _parsed(value)
        if parsed is None:
            self.fail(f"{value[:60]!r} is not a time. Write it like {_LIKE}.", param, ctx)
        return self._instant(value, parsed, param, ctx)

    def _instant(
        self, text: str, parsed: "datetime", param: click.Parameter | None, ctx: click.Context | None
    ) -> "Instant":
        from monitor.runtime.clock import from_datetime

        try:
            local = parsed.astimezone()  # in the terminal's zone, if the text has none
            later = parsed.replace(fold=1).astimezone()
        except (OverflowError, ValueError, OSError):  # the exception depends on the C library
            self.fail(f"{text!r} is too far from now.", param, ctx)
        if parsed.tzinfo is None:
            if local.replace(tzinfo=None) != parsed:
                self.fail(f"{text!r} does not exist in your time zone: the clocks change over it.", param, ctx)
            if ctx is None or not ctx.resilient_parsing:
                _tell(param, text, local, twice=later != local)
        return from_datetime(local)


class WhenType(TimeType):
    """The type of a time, or of a span back from another instant such as ``7d``: the command gets a `When`."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from monitor.runtime.clock import parse_duration

        if not isinstance(value, str):
            return value
        try:
            return When(before=parse_duration(value))
        except ValueError:
            parsed = _parsed(value)
        if parsed is None:
            self.fail(f"{value[:60]!r} is neither a span like 7d nor a time like {_LIKE}.", param, ctx)
        return When(self._instant(value, parsed, param, ctx))


TIME: Final = TimeType()
WHEN: Final = WhenType()


def local_and_utc(instant: "Instant") -> str:
    """Returns an instant in the terminal's zone, and also in UTC if that differs: ``2026-11-21T18:00:00+02:00 (EET), 16:00Z``."""
    from monitor.runtime.clock import to_datetime

    return _local_and_utc(to_datetime(instant).replace(microsecond=0).astimezone())


def _local_and_utc(local: "datetime") -> str:
    from datetime import UTC

    utc = local.astimezone(UTC)
    if local.utcoffset() == utc.utcoffset():
        return utc.isoformat().replace("+00:00", "Z")
    day = "" if utc.date() == local.date() else f"{utc.date()} "
    return f"{local.isoformat()} ({local.tzname()}), {day}{utc:%H:%M}Z"


def _parsed(text: str) -> "datetime | None":
    from datetime import datetime

    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _tell(param: click.Parameter | None, text: str, local: "datetime", *, twice: bool) -> None:
    option = f"{param.opts[0]} " if param is not None else ""
    again = " It comes twice that night; this is the first time." if twice else ""
    say(f"{option}{text} has no time zone. It is read in yours: {_local_and_utc(local)}.{again}", err=True)
