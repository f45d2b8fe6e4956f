"""Says with which HTTP status an error is answered that people can do something about."""

from http import HTTPStatus
from typing import Final

from monitor.runtime.errors import AmbiguousName, ChangedMeanwhile, NothingThere, StoreError

RETRY_SECONDS: Final = 5
"""After how many seconds it makes sense to ask the store again."""

_STATUSES: Final = (
    (NothingThere, HTTPStatus.NOT_FOUND),
    (AmbiguousName, HTTPStatus.BAD_REQUEST),
    (ChangedMeanwhile, HTTPStatus.CONFLICT),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ValueError, HTTPStatus.BAD_REQUEST),
)
REFUSALS: Final = tuple(kind for kind, _ in _STATUSES)
"""What a request can raise: an id that does not exist or means several, something that has changed meanwhile, a store that refuses, invalid input."""


def status_of(error: Exception) -> HTTPStatus:
    """Returns the status of an error of `REFUSALS`: 404, 409, 503 or 400."""
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def headers_of(status: int) -> dict[str, str]:
    """Returns the headers of an answer with this status: the store may be well again soon."""
    return {"retry-after": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
