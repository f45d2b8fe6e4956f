"""Messages that are added and changed by hand: their records are served exactly as given, with any fields and types."""

from copy import deepcopy
from typing import Any

from monitor.runtime.clock import Instant, iso, parse_iso
from monitor.simulation.sandbox.ids import SMS, Ids
from monitor.simulation.sandbox.messages import EXACT, Messages, Rows
from monitor.simulation.sandbox.tables import DeliveryRoute, StatusOutcome, Stream, Tables

Record = dict[str, Any]


class ManualMessages:
    """Adds and changes messages of one sandbox."""

    def __init__(self, messages: Messages, known: Tables, ids: Ids) -> None:
        self._messages = messages
        self._known = known
        self._ids = ids
        self._numbers: dict[str, int] = {}

    def put(self, record: Record, sent: Instant | None, now: Instant) -> str:
        """Adds the record, or replaces the one with its key; see `Sandbox.put`."""
        record = deepcopy(record)
        key = _key(record)
        number = self._numbers.get(key)
        if number is None:
            rows = self._row(record, sent, now)
            self._numbers[key] = len(self._messages)
            self._messages.exact[len(self._messages)] = record
            self._messages.append(rows)
        else:
            created = int(self._messages.rows.created[number]) if sent is None else sent
            self._messages.ordered &= created == int(self._messages.rows.created[number])
            self._messages.exact[number] = record
            self._messages.rows.put(slice(number, number + 1), self._row(record, created, now))
        return key

    def change(self, sms_id: str, outcome: StatusOutcome, date: Instant, others: Record, now: Instant) -> None:
        """Gives a message another status; see `Sandbox.change`. Raises KeyError if the message does not exist."""
        if sms_id in self._numbers:
            record = self._messages.exact[self._numbers[sms_id]]
            self.put(record | others | {"status": _status(outcome, date)}, None, now)
            return
        number = self._ids.number(sms_id, SMS)
        rows = self._messages.rows
        if number is None or number >= len(rows):
            raise KeyError(f"No message has the smsId {sms_id!r}")
        rows.last_at[number] = date
        rows.sent_at[number] = min(int(rows.sent_at[number]), date)
        rows.outcome[number] = self._known.outcomes.code(outcome)

    def _row(self, record: Record, sent: Instant | None, now: Instant) -> Rows:
        """Returns the row that represents the record in searches, with only the fields that searches and campaigns use."""
        rows = Rows.empty(1)
        date = _date(record, now)
        rows.created[0] = date if sent is None else sent
        rows.sent_at[0] = rows.last_at[0] = date
        rows.odd[0] = EXACT
        rows.part[0] = rows.parts[0] = 1
        rows.outcome[0] = self._known.outcomes.code(_outcome(record))
        price = record.get("price")
        route = DeliveryRoute(
            _text(record, "operator"), _text(record, "country"), price if isinstance(price, float) else None
        )
        rows.route[0] = self._known.routes.code(route)
        rows.stream[0] = self._known.streams.code(_stream(record))
        self._known.bodies.code("")
        return rows


def _key(record: Record) -> str:
    """Returns the key of a part: its smsId or, without one, messageId and part."""
    return str(record.get("smsId") or f"{record.get('messageId')}/{record.get('part', 1)}")


def _date(record: Record, now: Instant) -> Instant:
    """Returns the date of the record's status; ``now`` if it has no readable one."""
    status = record.get("status")
    try:
        return parse_iso(status["date"]) if isinstance(status, dict) else now
    except (KeyError, ValueError, AttributeError):
        return now


def _outcome(record: Record) -> StatusOutcome:
    status = record.get("status")
    if not isinstance(status, dict):
        return StatusOutcome(str(status))
    reason = status.get("reason")
    detail = reason.get("detailedStatus") if isinstance(reason, dict) else None
    return StatusOutcome(str(status.get("status")), None if detail is None else str(detail))


def _stream(record: Record) -> Stream:
    return Stream(
        sender=_text(record, "from"),
        application=_text(record, "applicationName"),
        label=_text(record, "label"),
        direction=_text(record, "direction"),
        service=_text(record, "originatingService"),
        campaign=_text(record, "campaignName") or _text(record, "campaign"),
        tracking_id=_text(record, "campaignTrackingId"),
    )


def _status(outcome: StatusOutcome, date: Instant) -> Record:
    reason = {"detailedStatus": outcome.detail, "description": outcome.description or outcome.detail}
    status: Record = {"status": outcome.status, "date": iso(date)}
    return status | ({"reason": reason} if outcome.detail is not None else {})


def _text(record: Record, name: str) -> str | None:
    value = record.get(name)
    return None if value is None else str(value)
