"""Asks a server that lets nobody in for the code of its reason: the driver gives only its words, which may be in any language.

A server that is starting or stopping, or has no room, says so before it asks for a password or for TLS.
"""

import socket
from contextlib import suppress
from typing import Final

_VERSION: Final = (3 << 16).to_bytes(4, "big")
_PATIENCE: Final = 1.0
"""Seconds for the connection and for each part of the answer."""
_LONGEST: Final = 1 << 16
"""The most bytes of an answer that are read."""


def refusal_code(host: str, port: int, user: str, database: str) -> str:
    """Returns the SQLSTATE with which a server refuses a new session at once; empty if it does not, or cannot be asked.

    ``host`` is an address, or the folder of a Unix socket.
    """
    with suppress(OSError, ValueError), _connected(host, port) as asked:
        asked.sendall(_startup(user, database))
        kind = _read(asked, 1)
        size = int.from_bytes(_read(asked, 4), "big") - 4
        if kind == b"E" and 0 < size <= _LONGEST:
            return _code(_read(asked, size))
    return ""


def _connected(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port), _PATIENCE)
    asked = socket.socket(socket.AF_UNIX)
    asked.settimeout(_PATIENCE)
    asked.connect(f"{host}/.s.PGSQL.{port}")
    return asked


def _startup(user: str, database: str) -> bytes:
    given = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
    body = _VERSION + given + b"\0"
    return (len(body) + 4).to_bytes(4, "big") + body


def _read(asked: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk = asked.recv(size - len(found))
        if not chunk:
            raise ValueError("the answer ends too early")
        found += chunk
    return found


def _code(fields: bytes) -> str:
    """Returns the field ``C`` of an error: each field is a letter, a text, and a zero byte."""
    return next((one[1:].decode("ascii") for one in fields.split(b"\0") if one[:1] == b"C"), "")
