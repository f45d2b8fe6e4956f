"""Bearer tokens: what a program shows in the header Authorization."""

from starlette.datastructures import Headers

from monitor.daemon.http.sessions import same


def carries(headers: Headers, token: str) -> bool:
    """Returns whether the request has ``token`` as its bearer token; compares in constant time."""
    shown = _shown(headers)
    return shown is not None and same(shown, token)


def carries_wrong(headers: Headers, token: str) -> bool:
    """Returns whether the request has a bearer token, and not ``token``."""
    return _shown(headers) is not None and not carries(headers, token)


def why_refused(headers: Headers, token: str, what: str) -> str:
    """Returns why a request without ``token`` is refused, in words; ``what`` are things that need it (``changes``)."""
    if carries_wrong(headers, token):
        return "the token of the header 'Authorization: Bearer <token>' is not that of web.token or web.token_file"
    return f"{what} need the header 'Authorization: Bearer <token>' with the token of web.token or web.token_file"


def _shown(headers: Headers) -> str | None:
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else None
