"""The sandbox's own API, for hands, demos and tests in other processes. Durations are texts like ``10m``.

GET    /sandbox/state            counts of messages, statuses, requests by endpoint; incidents and faults
GET    /sandbox/incidents        POST: start one {"kind": "operator_outage", "operator": "Cosmote", "at": "1m", "for": "10m"}
DELETE /sandbox/incidents/{id}   end it
GET    /sandbox/faults           POST: switch one on {"kind": "status", "status": 503, "count": 3, "for": "5m", "share": 0.5}
DELETE /sandbox/faults[/{id}]    switch it (or all) off
POST   /sandbox/messages         put one record, or a list of them, as Routee would show them
POST   /sandbox/messages/{smsId} change one {"status": "Failed", "date": "…", "detailedStatus": "…"}
POST   /sandbox/balance          {"balance": 20.0}
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from monitor.runtime.clock import iso, parse_duration
from monitor.simulation.sandbox.http import SandboxAnswer, SandboxRequest, failure, json_answer
from monitor.simulation.sandbox.state import Sandbox


def controlled(sandbox: Sandbox, request: SandboxRequest) -> SandboxAnswer:
    """Returns the answer to a request below ``/sandbox/``."""
    _, _, topic, *rest = request.path.split("/")
    handler = _HANDLERS.get((request.method, topic, len(rest)))
    if handler is None:
        return failure(404, "404000000", f"There is nothing at {request.method} {request.path}")
    try:
        given = msgspec.json.decode(request.body) if request.body else {}
        return json_answer(handler(sandbox, given, *rest))
    except (ValueError, TypeError, AttributeError) as wrong:  # msgspec.DecodeError is a ValueError
        return failure(400, "400000000", str(wrong))
    except KeyError as missing:
        return failure(404, "404000000", str(missing.args[0]))


def _state(sandbox: Sandbox, given: Any) -> dict[str, object]:
    now = sandbox.advance()
    return {
        "now": iso(now),
        "parts": len(sandbox.messages),
        "statuses": sandbox.statuses(now),
        "balance": sandbox.balance,
        "requests": dict(sandbox.requests),
        "answers": {str(status): count for status, count in sandbox.answers.items()},
        "incidents": _incidents(sandbox, given),
        "faults": _faults(sandbox, given),
    }


def _incidents(sandbox: Sandbox, given: Any) -> list[dict[str, object]]:
    return [incident.described(sandbox.now()) for incident in sandbox.incidents]


def _start_incident(sandbox: Sandbox, given: Any) -> dict[str, object]:
    at, for_ = _duration(given.pop("at", None)), _duration(given.pop("for", None))
    return sandbox.start_incident(_kind(given), at=at or 0, for_=for_, **given).described(sandbox.now())


def _end_incident(sandbox: Sandbox, given: Any, number: str) -> dict[str, object]:
    return sandbox.end_incident(int(number)).described(sandbox.now())


def _faults(sandbox: Sandbox, given: Any) -> list[dict[str, object]]:
    return [fault.described() for fault in sandbox.faults.current(sandbox.now())]


def _add_fault(sandbox: Sandbox, given: Any) -> dict[str, object]:
    for_ = _duration(given.pop("for", None))
    return sandbox.fault(_kind(given), for_=for_, **given).described()


def _end_fault(sandbox: Sandbox, given: Any, number: str) -> dict[str, object]:
    if not sandbox.faults.end(int(number)):
        raise KeyError(f"There is no fault {number}")
    return {"ended": int(number)}


def _clear_faults(sandbox: Sandbox, given: Any) -> dict[str, object]:
    sandbox.faults.clear()
    return {"ended": "all"}


def _put(sandbox: Sandbox, given: Any) -> dict[str, object]:
    records = given if isinstance(given, list) else [given]
    return {"keys": [sandbox.put(record) for record in records]}


def _change(sandbox: Sandbox, given: Any, sms_id: str) -> dict[str, object]:
    date, detail = given.pop("date", None), given.pop("detailedStatus", None)
    sandbox.change(sms_id, given.pop("status"), date, detail, **given)
    return {"changed": sms_id}


def _set_balance(sandbox: Sandbox, given: Any) -> dict[str, object]:
    sandbox.balance = float(given["balance"])
    return {"balance": sandbox.balance}


_HANDLERS: Final[dict[tuple[str, str, int], Callable[..., object]]] = {
    ("GET", "state", 0): _state,
    ("GET", "incidents", 0): _incidents,
    ("POST", "incidents", 0): _start_incident,
    ("DELETE", "incidents", 1): _end_incident,
    ("GET", "faults", 0): _faults,
    ("POST", "faults", 0): _add_fault,
    ("DELETE", "faults", 0): _clear_faults,
    ("DELETE", "faults", 1): _end_fault,
    ("POST", "messages", 0): _put,
    ("POST", "messages", 1): _change,
    ("POST", "balance", 0): _set_balance,
}


def _duration(text: object) -> int | None:
    return None if text is None else parse_duration(str(text))


def _kind(given: dict[str, Any]) -> str:
    if "kind" not in given:
        raise ValueError("kind is missing: it says what is to happen")
    return str(given.pop("kind"))
