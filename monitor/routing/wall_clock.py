"""A time of day on chosen days of the week, by the wall clock of a time zone: which instants that is, through daylight saving time too."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.runtime.clock import Instant, from_datetime, to_datetime
from monitor.runtime.dataclass import dataclass

_LONGEST_LOOK = 8
"""Days within which every weekday comes, and one more."""


@dataclass(frozen=True, slots=True)
class DailyTime:
    """``minute`` of the day on ``weekdays`` (ranges, 0 is Sunday; empty: every day) in ``zone``.

    A time that the clock skips is the first instant after it, when the clock shows a later time. Of a time that comes twice it is the first.
    """

    minute: int
    weekdays: Sequence[tuple[int, int]] = ()
    zone: str = "UTC"

    def on(self, day: date) -> Instant:
        """Returns the instant on that day, whatever its weekday."""
        zone, wanted = ZoneInfo(self.zone), datetime.combine(day, time(*divmod(self.minute, 60)))
        found = wanted.replace(tzinfo=zone).astimezone(UTC)
        while found.astimezone(zone).replace(tzinfo=None) > wanted:  # the clock skipped it: back to where it was set
            earlier = found - timedelta(minutes=1)
            if earlier.astimezone(zone).replace(tzinfo=None) < wanted:
                break
            found = earlier
        return from_datetime(found)

    def day_of(self, at: Instant) -> date:
        """Returns the date on the wall at an instant."""
        return to_datetime(at).astimezone(ZoneInfo(self.zone)).date()

    def after_day(self, day: date) -> Instant:
        """Returns the first time on a later date than ``day``."""
        return self.on(self._chosen(day, 1))

    def after(self, at: Instant) -> Instant:
        """Returns the first time after ``at``."""
        day = self.day_of(at)
        return next(one for one in (self.on(day) if self._is_chosen(day) else at, self.after_day(day)) if one > at)

    def before(self, at: Instant) -> Instant:
        """Returns the last time before ``at``."""
        day = self.day_of(at)
        return next(
            one for one in (self.on(day) if self._is_chosen(day) else at, self.on(self._chosen(day, -1))) if one < at
        )

    def _chosen(self, day: date, step: int) -> date:
        """Returns the next chosen day in a direction."""
        days = (day + timedelta(days=step * number) for number in range(1, _LONGEST_LOOK))
        return next(one for one in days if self._is_chosen(one))

    def _is_chosen(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        return not self.weekdays or any(first <= weekday <= last for first, last in self.weekdays)
