"""Removes secrets from what a receiver answers.

Both the answer and each secret are first made plain: without the escapes of JSON, HTML and URLs and without invisible characters. Letter case is
ignored. Each secret is also looked for as forms write it, and in base64, by itself or within a longer text.
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
_URL_SAFE: Final = str.maketrans("+/", "-_")
_SHORTEST_BEGINNING: Final = 4


def redacted(text: str, url: str, secrets: Iterable[str], longest: int = 200) -> str:
    """Returns the answer on one line, with ``…`` in place of everything that it repeats of the URL and of the secrets."""
    wanted = {_plain(secret) for secret in _variants((*parts_of_url(url), *secrets))} - {""}
    hidden = sorted((secret for secret in wanted if len(secret) > 1), key=len, reverse=True)
    shown = _plain(text)
    if hidden:
        shown = re.sub("|".join(map(_pattern, hidden)), "…", shown, flags=re.IGNORECASE)
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


def _pattern(secret: str) -> str:
    """Returns what finds the secret; a short one (``us``) only as a word of its own."""
    if len(secret) >= SHORTEST_PART:
        return re.escape(secret)
    before = r"(?<![^\W_])" if secret[0].isalnum() else ""
    after = r"(?![^\W_])" if secret[-1].isalnum() else ""
    return before + re.escape(secret) + after


def _variants(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        yield from (secret, secret.replace(" ", "+"))
        key = secret.removeprefix("whsec_").rstrip("=")
        yield from (text for text in (key, *_base64(secret)) if len(text) >= SHORTEST_PART)


def _base64(secret: str) -> Iterator[str]:
    """Yields the characters that stand for the secret wherever it begins within three bytes of what is encoded."""
    data = secret.encode(errors="replace")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        part = encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        yield from (part, part.translate(_URL_SAFE))


def _plain(text: str) -> str:
    """Returns the text without escapes, repeated spaces and invisible characters."""
    for _ in range(_ROUNDS):
        text = html.unescape(unquote(_ESCAPED.sub(_unescaped, text), errors="replace"))
    return clean(text, len(text) + 1)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _without_beginning(text: str, hidden: Iterable[str]) -> str:
    """Replaces the beginning of a secret at the end of ``text`` by ``…``: an answer is cut when it is read, perhaps within a secret."""
    lower = text.lower()
    begun = max((_begun(lower, secret) for secret in hidden), default=0)
    return text[: len(text) - begun] + "…" if begun else text


def _begun(text: str, secret: str) -> int:
    """Returns how many characters of a secret the lower-case text ends with.

    Returns 0 if they are too few, or a plain word of a path (``services``), which reveals nothing.
    """
    lengths = range(len(secret) - 1, _SHORTEST_BEGINNING - 1, -1)
    beginnings = (secret[:length] for length in lengths if text.endswith(secret[:length].lower()))
    return next((len(one) for one in beginnings if not (one.isalpha() and one.islower())), 0)
