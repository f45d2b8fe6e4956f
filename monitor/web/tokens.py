"""Bearer tokens."""

import hmac

from starlette.datastructures import Headers


def carries(headers: Headers, token: str) -> bool:
    """Whether the request shows ``token`` as its bearer token; compared in constant time."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
