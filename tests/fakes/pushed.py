"""What Routee pushes: a record of a search in the form of a callback."""

from collections.abc import Mapping
from typing import Any

from monitor.runtime.clock import Instant
from tests.fakes.routee import START, sms


def pushed(status: str = "Delivered", date: Instant | str = START, **fields: Any) -> dict[str, Any]:
    """Returns an SMS callback, with ids of its own. ``fields`` replace others; None removes a field."""
    return as_pushed(sms(status, date, **fields))


def as_pushed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record of a search as Routee pushes it: with three fields renamed."""
    status = {"name": record["status"]["status"], "updatedDate": record["status"]["date"]}
    if "reason" in record["status"]:
        status["reason"] = record["status"]["reason"]
    others = {name: value for name, value in record.items() if name not in ("status", "body")}
    return others | {"status": status, "message": record.get("body", "Hello")}


def campaign(tracking_id: str = "c-1", status: str = "Running", total: int = 100, **statuses: int) -> dict[str, Any]:
    """Returns a campaign callback."""
    return {
        "trackingId": tracking_id,
        "name": "Spring",
        "totalRecipients": total,
        "campaignStatus": status,
        "messageStatuses": statuses,
    }
