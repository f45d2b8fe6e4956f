"""An answer of http.client that begins in bounded time."""

import http.client
from typing import Any, Final

MOST_BEGINNINGS: Final = 10
"""The most status lines of one answer. Usual servers send one, or two."""


class BoundedResponse(http.client.HTTPResponse):
    """An answer with at most `MOST_BEGINNINGS` status lines; with more it raises HTTPException. http.client itself reads any number of
    ``100 Continue``."""

    _beginnings = 0

    def _read_status(self) -> Any:
        self._beginnings += 1
        if self._beginnings > MOST_BEGINNINGS:
            raise http.client.HTTPException("an answer that does not begin")
        return super()._read_status()  # type: ignore[misc]  # typeshed leaves out what is private
