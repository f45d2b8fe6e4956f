"""Bearer tokens."""

import hmac

from starlette.datastructures import Headers


def carries(headers: Headers, token: str) -> bool:
    """Whether the request shows ``token`` as its bearer token; compared in constant time."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and is_token(shown.strip(), token)


def is_token(shown: str, token: str) -> bool:
    """Whether it is the token; compared in constant time."""
    return hmac.compare_digest(shown.encode(errors="replace"), token.encode())
