"""Requests and answers as plain values, which the server passes to and from the endpoints."""

import base64
from dataclasses import field
from typing import Any

import msgspec

from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """One request. Header names are lower case; of a repeated query key the last value counts."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def bearer(self) -> str | None:
        """The access token, if the request has one."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password, if the request has them."""
        scheme, _, coded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
        except ValueError:  # the header is not base64, or not text
            return None
        return user, password


@dataclass(frozen=True, slots=True)
class AnswerTiming:
    """How an answer is sent: ``delay`` before it and ``pause`` between pieces of ``piece`` bytes, in real seconds.

    With ``cut``, the connection is reset after this fraction of the body; 0 means before the head.
    """

    delay: float = 0.0
    piece: int = 0
    pause: float = 0.0
    cut: float | None = None


PLAIN = AnswerTiming()


@dataclass(frozen=True, slots=True)
class SandboxAnswer:
    """One answer with its complete body."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    answer_timing: AnswerTiming = PLAIN


class ApiError(Exception):
    """Ends a request with an error in Routee's form; ``code`` has nine digits, beginning with the HTTP status."""

    def __init__(self, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}

    def answer(self) -> SandboxAnswer:
        """Returns the error as an answer."""
        return failure(int(self.code[:3]), self.code, str(self), self.headers)


def json_answer(content: Any, status: int = 200) -> SandboxAnswer:
    """Returns an answer with a JSON body."""
    return SandboxAnswer(status, msgspec.json.encode(content))


def failure(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> SandboxAnswer:
    """Returns an error in Routee's form."""
    body = msgspec.json.encode({"code": code, "developerMessage": message})
    return SandboxAnswer(status, body, {"Content-Type": "application/json"} | (headers or {}))
