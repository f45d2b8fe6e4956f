"""One operation of the API: its path, its parameters, its answer and what makes it. Routes and the OpenAPI document are made from it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Literal

import trio
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.daemon.http.fair_queue import Endpoint, ExpensiveQueue
from monitor.daemon.http.parameters import Parameter, values_of
from monitor.daemon.http.refusals import REFUSALS, headers_of, status_of
from monitor.runtime.dataclass import dataclass

Make = Callable[[Mapping[str, Any]], Awaitable[object | None]]
"""Makes the answer from the values of all parameters; None: there is nothing of that name."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that reads. ``answer`` is the type of what ``make`` returns, and ``missing`` says that there is nothing of that name.

    ``queue`` makes costly answers one at a time.
    """

    path: str
    name: str
    about: str
    answer: Any
    make: Make
    parameters: tuple[Parameter, ...] = ()
    missing: str = ""
    queue: ExpensiveQueue = field(default_factory=ExpensiveQueue)

    def route(self) -> Route:
        """Returns the route."""
        path = self.path
        for one in self.parameters:
            if one.is_rest:
                path = path.replace(f"{{{one.name}}}", f"{{{one.name}:path}}")
        return Route(path, with_errors(self.endpoint), methods=["GET"], name=self.name)

    async def endpoint(self, request: Request) -> Response:
        values = self._values(request)
        async with self.queue.alone():
            found = await self.make(values)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, self.missing or "there is nothing of that name")
        # The first time in a thread, because what writes a type takes some hundredths of a second to make.
        writer = (
            await trio.to_thread.run_sync(adapter, self.answer) if self.answer not in _ready else adapter(self.answer)
        )
        _ready.add(self.answer)
        return Response(writer.dump_json(found, by_alias=True), media_type="application/json")

    def _values(self, request: Request) -> dict[str, Any]:
        in_path = [one for one in self.parameters if one.place == "path"]
        in_query = [one for one in self.parameters if one.place == "query"]
        named = [(one.name, str(request.path_params[one.name])) for one in in_path]
        return values_of(in_path, named) | values_of(in_query, request.query_params.multi_items())


@dataclass(frozen=True, slots=True)
class Described:
    """An operation whose endpoint is elsewhere: only what OpenAPI says of it. ``body`` and ``answer`` are types or schemas."""

    path: str
    method: Literal["get", "post", "delete"]
    name: str
    about: str
    answer: Any
    body: Any = None
    parameters: tuple[Parameter, ...] = ()
    changes: bool = False
    can_be_missing: bool = False


_ready: set[Any] = set()
"""The types whose `adapter` was made."""


@lru_cache(256)
def adapter(answer: Any) -> TypeAdapter[Any]:
    """Returns what writes values of a type as JSON and describes that JSON."""
    return TypeAdapter(answer)


def with_errors(endpoint: Endpoint) -> Endpoint:
    """Returns the endpoint with errors of people and of the store answered as ``{"error": "…"}``."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except REFUSALS as error:
            status = status_of(error)
            return JSONResponse({"error": str(error)}, status, headers_of(status))

    return answered
