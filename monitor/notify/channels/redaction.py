"""Removes secrets from what a receiver answers, in whatever way the answer writes them.

Both the answer and each secret are first made plain: without the escapes of JSON, HTML and URLs and without invisible characters. Letter case is
ignored.
"""

import base64
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from monitor.notify.render.sanitize import clean

SHORTEST_PART: Final = 8
"""The fewest characters of a part of a URL, or of a value derived from a secret, that is hidden. A shorter one is a word like ``hooks``."""

_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/\"\\]))")
_ROUNDS: Final = 3
_SHORTEST_BEGINNING: Final = 4


def redacted(text: str, url: str, secrets: Iterable[str], longest: int = 200) -> str:
    """Returns the answer on one line, with ``…`` in place of everything that it repeats of the URL and of the secrets."""
    wanted = {_plain(secret) for secret in (*parts_of_url(url), *_variants(secrets))} - {""}
    hidden = sorted((secret for secret in wanted if len(secret) > 1), key=len, reverse=True)
    shown = _plain(text)
    if hidden:
        shown = re.sub("|".join(map(re.escape, hidden)), "…", shown, flags=re.IGNORECASE)
    return clean(_without_beginning(shown, hidden), longest)


def parts_of_url(url: str) -> Iterator[str]:
    """Yields the URL, its path, query and password, and each further part that is long enough to be a secret."""
    parts = urlsplit(url)
    yield from (url, parts.path, parts.query, parts.password or "")
    pairs = [text for pair in parse_qsl(parts.query, keep_blank_values=True) for text in pair]
    some = [
        parts.path.strip("/"),
        *parts.path.split("/"),
        *parts.query.split("&"),
        *pairs,
        parts.username or "",
        parts.fragment,
    ]
    yield from (text for text in (*some, url.partition("//")[2]) if len(text) >= SHORTEST_PART)


def authorisation(headers: Mapping[str, str]) -> Iterator[str]:
    """Yields the credentials in a request's headers, also the user name and password that a Basic header encodes."""
    for name, value in headers.items():
        if name.lower() in ("authorization", "proxy-authorization"):
            scheme, _, token = value.rpartition(" ")
            yield from (value, token)
            if scheme.strip().lower() == "basic":
                yield from _pair(token)


def _pair(token: str) -> Iterator[str]:
    """Yields ``user:password``, and the password."""
    try:
        pair = base64.b64decode(token, validate=True).decode()
    except ValueError:
        return
    yield from (pair, pair.partition(":")[2])


def _variants(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        yield secret
        key = secret.removeprefix("whsec_").rstrip("=")
        if len(key) >= SHORTEST_PART:
            yield key


def _plain(text: str) -> str:
    """Returns the text without escapes, repeated spaces and invisible characters."""
    for _ in range(_ROUNDS):
        text = html.unescape(unquote(_ESCAPED.sub(_unescaped, text), errors="replace"))
    return clean(text, len(text) + 1)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _without_beginning(text: str, hidden: Iterable[str]) -> str:
    """Only so much of an answer is read, so that it may end within a secret. A plain word of a path (``services``) is not taken for one."""
    lower = text.lower()
    begun = max((_begun(lower, secret) for secret in hidden), default=0)
    return text[: len(text) - begun] + "…" if begun else text


def _begun(text: str, secret: str) -> int:
    """How many characters of a secret the text, in small letters, ends with; 0 where they are too few, or a plain word, and tell nothing."""
    lengths = range(len(secret) - 1, _SHORTEST_BEGINNING - 1, -1)
    beginnings = (secret[:length] for length in lengths if text.endswith(secret[:length].lower()))
    return next((len(one) for one in beginnings if not (one.isalpha() and one.islower())), 0)
