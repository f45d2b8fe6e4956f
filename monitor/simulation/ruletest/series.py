"""Makes the reports of a rule test's messages, in the order of their time."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from monitor.model.batch import batch_of
from monitor.model.message import FINAL, GROUPS_SEPARATOR
from monitor.runtime.clock import SECOND, Instant
from monitor.simulation.ruletest.model import Report, RuleTest, Series
from monitor.window import Window

Row = dict[str, object]

_TEXTS: Final = {
    "operator": "operator",
    "country": "country",
    "campaign": "campaign",
    "campaign_tracking_id": "campaignTrackingId",
    "label": "label",
    "from_": "from",
    "direction": "direction",
    "application_name": "applicationName",
    "originating_service": "originatingService",
}
AT_ONCE: Final = 20_000


class Reports:
    """Puts the reports of a test into a window. ``searches`` are the searches that return a message if its series names none."""

    def __init__(self, test: RuleTest, searches: Sequence[str]) -> None:
        rows = [(*row, series.search) for number, series in enumerate(test.messages) for row in _rows(series, number)]
        rows.sort(key=lambda row: row[0])
        self._dates: list[Instant] = [test.start + at for at, _, _ in rows]
        self._rows = [row | {"date": date} for date, (_, row, _) in zip(self._dates, rows, strict=True)]
        self._searches = [[search] if search else list(searches) for _, _, search in rows]
        self._done = 0

    def feed(self, window: Window, until: Instant) -> None:
        """Puts every report up to that instant into the window."""
        end = bisect_right(self._dates, until)
        for start in range(self._done, end, AT_ONCE):
            self._upsert(window, start, min(start + AT_ONCE, end))
        self._done = max(end, self._done)

    def _upsert(self, window: Window, start: int, end: int) -> None:
        rows, searches = self._rows[start:end], self._searches[start:end]
        for name in dict.fromkeys(name for names in searches for name in names):
            batch = batch_of([row for row, names in zip(rows, searches, strict=True) if name in names])
            window.upsert(batch, name)


def _rows(series: Series, number: int) -> Iterator[tuple[int, Row]]:
    """Yields the reports of all messages of a series: the time relative to the test's start, and the row."""
    for index in range(series.number):
        at = series.at + round(index * series.distance)
        row = _first(series, number, index)
        yield from _parts(at, row, series)
        for report in sorted(series.then, key=lambda one: one.after):
            row = _later(row, report, index)
            yield from _parts(at + report.after, row, series)


def _parts(at: int, row: Row, series: Series) -> Iterator[tuple[int, Row]]:
    for part in range(1, series.parts + 1):
        yield at, row | {"part": part}


def _first(series: Series, number: int, index: int) -> Row:
    row: Row = {name: _in_turn(getattr(series, key), index) for key, name in _TEXTS.items()}
    row["messageId"] = f"{number:08x}-0000-4000-8000-{index:012x}"
    row["to"] = _in_turn(series.to, index) or f"+99{number:03d}{index:08d}"
    row["groups"] = GROUPS_SEPARATOR.join(series.groups)
    row["parts"], row["latency"], row["price"] = series.parts, series.latency, series.price
    row["status"], row["detailedStatus"] = series.first_status, _in_turn(series.detailed_status, index)
    return row


def _later(row: Row, report: Report, index: int) -> Row:
    """Returns the message after one more report."""
    later = row | {"status": report.status, "detailedStatus": _in_turn(report.detailed_status or (), index)}
    if report.latency is not None:
        later["latency"] = report.latency
    elif report.status in FINAL:
        later["latency"] = report.after / SECOND
    if report.price is not None:
        later["price"] = report.price
    return later


def _in_turn(texts: tuple[str, ...], index: int) -> str:
    return texts[index % len(texts)].replace("{n}", str(index + 1)) if texts else ""
