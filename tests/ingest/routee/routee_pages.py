"""Pages as Routee gives them, for tests."""

import json

from monitor.runtime.clock import parse_iso

NOW = parse_iso("2026-11-21T18:00:00Z")


def item(**changed: object) -> dict[str, object]:
    """One record with every documented field; a field given as None is left out."""
    record = {
        "smsId": "b6ba5647-0000",
        "messageId": "a6b62347-0000",
        "to": "+306912345678",
        "from": "Shop",
        "groups": ["vip"],
        "country": "GR",
        "operator": "Cosmote",
        "body": "Your code is 1234",
        "applicationName": "app-1",
        "campaignName": "Black Friday",
        "campaignTrackingId": "182d20da-0000",
        "originatingService": "Sms",
        "latency": 3,
        "parts": 1,
        "part": 1,
        "price": 0.045,
        "label": "promo",
        "direction": "Outbound",
        "status": status(),
    }
    return {name: value for name, value in (record | changed).items() if value is not None}


def status(name: str = "Undelivered", date: object = "2026-11-21T17:07:04Z", **more: object) -> dict[str, object]:
    """A status as it stands in a record."""
    reason = {"detailedStatus": "Unknown Number", "description": "The number is not known"}
    return {"status": name, "date": date, "reason": reason} | more


def body_of(*records: object, **envelope: object) -> bytes:
    """A page of these records."""
    around = {"totalPages": 1, "totalElements": len(records), "number": 0, "size": 2000, "last": True}
    return json.dumps({"content": list(records)} | around | envelope).encode()
