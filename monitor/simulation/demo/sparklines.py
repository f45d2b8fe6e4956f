"""Shows what the daemon knows about the traffic in one line."""

from collections import deque
from typing import Final

from rich.text import Text

from monitor.alerts.evaluator import RuleEvaluator
from monitor.config.rules.match import Condition
from monitor.model.format import BARS, datetime, number, percent
from monitor.model.message import DELIVERED
from monitor.runtime.clock import MINUTE, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import Query, WindowReader

_FULL_BAR: Final = 0.25
"""The share of failures at which a bar has its full height."""
_GOOD, _FAIR = 0.95, 0.88
_WIDE: Final = 100
_DELIVERED: Final = (Condition("status", "is", (DELIVERED,)),)


@dataclass(frozen=True, slots=True)
class DeliverySnapshot:
    """A snapshot: when, the messages seen in the last minute, the share of them that was delivered, and the alerts that fire."""

    as_of: Instant
    messages: int
    delivered: float | None
    firing: int


def take_snapshot(evaluator: RuleEvaluator) -> DeliverySnapshot | None:
    """Returns the snapshot of the last complete poll; None before the first."""
    cursor = next(iter(evaluator.coverage.cursors.values()), None)
    if cursor is None:
        return None
    reading, question = WindowReader(evaluator.window), Query(cursor.as_of - MINUTE, cursor.as_of)
    final = Query(cursor.as_of - MINUTE, cursor.as_of, final=True)
    ended = _count(reading, final)
    good = _count(reading, final.narrowed(_DELIVERED))
    firing = sum(alert.state == "firing" for alerts in evaluator.alerts.values() for alert in alerts.values())
    return DeliverySnapshot(cursor.as_of, _count(reading, question), good / ended if ended else None, firing)


def _count(reading: WindowReader, question: Query) -> int:
    return int(reading.tally(question).counts.sum())


class SparklineHistory:
    """The snapshots so far, for the bars."""

    def __init__(self) -> None:
        self._failing: deque[float] = deque(maxlen=60)

    def add(self, snapshot: DeliverySnapshot) -> None:
        """Adds a snapshot."""
        self._failing.append(0.0 if snapshot.delivered is None else 1 - snapshot.delivered)

    def line(self, snapshot: DeliverySnapshot, width: int, done: float | None = None) -> Text:
        """Returns the last snapshot in at most ``width`` columns, with bars if there is space for them.

        ``done`` is the share of the demo that is over; None: it has no end.
        """
        text = Text(no_wrap=True, end="")
        text.append(datetime(snapshot.as_of, " %H:%M:%S" if width >= _WIDE else " %H:%M"), "bold")
        text.append(
            f"   {number(snapshot.messages)} messages/min" if width >= _WIDE else f"  {number(snapshot.messages)}/min"
        )
        text.append("   ")
        text.append(f"{percent(snapshot.delivered, 1)} delivered", _colour(snapshot.delivered))
        firing_text, over = _firing_text(snapshot.firing), _over(done)
        room = width - text.cell_len - len(firing_text) - len(over) - len("   failing ") - 5
        if room >= 8:
            text.append("   failing ", "dim")
            text.append(_bars(list(self._failing)[-room:]), "cyan")
        text.append(f"   {firing_text}", "bold red" if snapshot.firing else "dim")
        text.append(over, "dim")
        text.truncate(max(width - 1, 1))
        return text

    def plain(self, snapshot: DeliverySnapshot, now: Instant, done: float | None = None) -> str:
        """Returns the last snapshot for a log or a pipe, beginning with its time as other lines do."""
        return (
            f"{datetime(now, '%H:%M:%S')}  {number(snapshot.messages)} messages/min  "
            f"{percent(snapshot.delivered, 1)} delivered  {_firing_text(snapshot.firing)}{_over(done)}"
        )


def _firing_text(firing: int) -> str:
    return "no alert" if not firing else "1 alert firing" if firing == 1 else f"{firing} alerts firing"


def _over(done: float | None) -> str:
    return "" if done is None else f"   {percent(done, 0)} of the demo"


def _colour(delivered: float | None) -> str:
    if delivered is None:
        return "dim"
    return "green" if delivered >= _GOOD else "yellow" if delivered >= _FAIR else "bold red"


def _bars(shares: list[float]) -> str:
    highest = len(BARS) - 1
    return "".join(BARS[min(round(share / _FULL_BAR * highest), highest)] for share in shares)
