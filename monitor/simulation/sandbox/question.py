"""Parses the query parameters and filters of a request, and checks them as Routee does."""

from typing import Any, get_args

import msgspec

from monitor.model.routee_query import FILTER_FIELDS, PAGE_SIZE, Filter, Operator
from monitor.runtime.clock import DAY, Instant, parse_iso
from monitor.simulation.sandbox.http import ApiError, SandboxRequest
from monitor.simulation.sandbox.search import SORT_FIELDS, SearchRequest

INVALID = "400005000"
REACH = 7 * DAY
"""How far back a range may start."""

_DEFAULT_SIZE = 20
_OPERATORS: tuple[Operator, ...] = get_args(Operator)


def search_asked(request: SandboxRequest, now: Instant) -> SearchRequest:
    """Returns the search of ``POST /sms/tracking``. Raises ApiError."""
    start, end = _instant(request, "dateStart"), _instant(request, "dateEnd")
    if start > end:
        raise ApiError(INVALID, "dateStart is after dateEnd")
    if start < now - REACH:
        raise ApiError(INVALID, "dateStart is more than 7 days ago")
    sort, descending = sort_asked(request)
    return SearchRequest(
        start,
        end,
        _filters(request.body),
        _campaign(request.query.get("campaign", "false")),
        request.query.get("trackingId"),
        sort,
        descending,
    )


def page_asked(request: SandboxRequest) -> tuple[int, int]:
    """Returns page number and size. Raises ApiError."""
    page, size = _integer(request, "page", 0), _integer(request, "size", _DEFAULT_SIZE)
    if page < 0:
        raise ApiError(INVALID, "page must not be negative")
    if not 1 <= size <= PAGE_SIZE:
        raise ApiError(INVALID, f"size must be between 1 and {PAGE_SIZE}")
    return page, size


def sort_asked(request: SandboxRequest) -> tuple[str | None, bool]:
    """Returns the field to sort by and whether descending (``sort=to,desc``). Raises ApiError."""
    name, _, order = request.query.get("sort", "").partition(",")
    if name and name not in SORT_FIELDS:
        raise ApiError(INVALID, f"Cannot sort by {name}")
    return name or None, order.lower() == "desc"


def _instant(request: SandboxRequest, name: str) -> Instant:
    text = request.query.get(name)
    if text is None:
        raise ApiError(INVALID, f"{name} is required")
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        raise ApiError(INVALID, f"{name} is not an ISO-8601 date-time: {text}") from None


def _integer(request: SandboxRequest, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    try:
        number = int(text)
    except ValueError:
        raise ApiError(INVALID, f"{name} is not a number: {text}") from None
    if abs(number) >= 1 << 31:
        raise ApiError(INVALID, f"{name} does not fit into 32 bits")
    return number


def _campaign(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ApiError(INVALID, f"campaign is neither true nor false: {text}")
    return text.lower() == "true"


def _filters(body: bytes) -> tuple[Filter, ...]:
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise ApiError(INVALID, "The body is not JSON; it must be a list of filters, which may be empty") from None
    if not isinstance(given, list):
        raise ApiError(INVALID, "The body must be a list of filters, which may be empty")
    return tuple(_filter(each) for each in given)


def _filter(given: Any) -> Filter:
    if not isinstance(given, dict) or not isinstance(given.get("searchTerm"), str):
        raise ApiError(INVALID, "A filter needs fieldName and searchTerm")
    name, asked = given.get("fieldName"), given.get("searchOperator") or "is"
    operator = next((each for each in _OPERATORS if each == asked), None)
    if name not in FILTER_FIELDS:
        raise ApiError(INVALID, f"Unknown fieldName: {name}")
    if operator is None:
        raise ApiError(INVALID, f"Unknown searchOperator: {asked}")
    return Filter(str(name), given["searchTerm"], operator)
