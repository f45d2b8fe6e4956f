"""Makes one route for all methods of a path, so that a wrong method is answered with all right ones in the header Allow."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.daemon.http.fair_queue import Endpoint


def route_of(path: str, endpoints: Mapping[str, Endpoint]) -> Route:
    """Returns a route that calls the endpoint of the request's method; HEAD is answered like GET."""

    async def answered(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answered, methods=list(endpoints))
