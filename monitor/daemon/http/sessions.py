"""Logged-in browsers: their sessions, the tokens of their forms, and how many wrong tokens were entered in the last minute.

A session is a random id in a cookie. The daemon keeps only its digest, in memory, so a restart ends all sessions; a changed token ends them,
too. Lifetimes follow the monotonic clock, so a step of the wall clock neither ends nor prolongs a session.
"""

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from monitor.daemon.metrics import TokenKind

SESSION_SECONDS: Final = 12 * 3600
"""Seconds after the login at which a session ends."""

MOST_SESSIONS: Final = 1_000
"""The most sessions at a time; the oldest one ends for a new one."""

MOST_WRONG_TOKENS: Final = 20
"""The most wrong tokens within `WRONG_SECONDS`, of all browsers together, that are only said to be wrong. Who enters a further wrong one is
told to wait. The right one is always taken: otherwise any stranger could lock everybody out."""

WRONG_SECONDS: Final = 60.0


def same(shown: str, secret: str) -> bool:
    """Returns whether both are the same; compares in constant time."""
    return hmac.compare_digest(shown.encode(errors="replace"), secret.encode(errors="replace"))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


@dataclass(frozen=True, slots=True)
class Session:
    """One session: the digest of the token with which it began, and when it ends (monotonic seconds)."""

    token: bytes
    ends_at: float


@dataclass(slots=True)
class BrowserSessions:
    """The sessions of one daemon. It outlives reloads. ``now`` is a monotonic clock in seconds. ``wrong`` counts each wrong token."""

    now: Callable[[], float] = trio.current_time
    wrong: Callable[[TokenKind], None] = lambda _: None
    _form_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _known: dict[bytes, Session] = field(default_factory=dict, repr=False)
    _wrong: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_WRONG_TOKENS))

    def begin(self, token: str) -> str:
        """Begins a session for a browser that has shown ``token``; returns its id, which only that browser may know."""
        self._forget()
        while len(self._known) >= MOST_SESSIONS:
            del self._known[next(iter(self._known))]
        session_id = secrets.token_urlsafe(32)
        self._known[_digest(session_id)] = Session(_digest(token), self.now() + SESSION_SECONDS)
        return session_id

    def holds(self, session_id: str, token: str) -> bool:
        """Returns whether that session exists and began with the present ``token``."""
        session = self._known.get(_digest(session_id))
        return session is not None and self.now() < session.ends_at and session.token == _digest(token)

    def end(self, session_id: str) -> None:
        """Ends a session; does nothing if it does not exist."""
        self._known.pop(_digest(session_id), None)

    def end_others(self, token: str) -> None:
        """Ends all sessions that began with another token, for good: also if that token comes back."""
        digest = _digest(token)
        self._known = {one: session for one, session in self._known.items() if session.token == digest}

    def form_token(self, cookie: str) -> str:
        """Returns what forms must carry that are sent by the browser with that cookie."""
        return hmac.new(self._form_key, cookie.encode(errors="replace"), hashlib.sha256).hexdigest()

    def seconds_to_wait(self) -> int:
        """Returns how many seconds who enters a wrong token has to wait, because too many wrong ones were entered; 0: not at all."""
        while self._wrong and self._wrong[0] <= self.now() - WRONG_SECONDS:
            self._wrong.popleft()
        if len(self._wrong) < MOST_WRONG_TOKENS:
            return 0
        return int(self._wrong[0] + WRONG_SECONDS - self.now()) + 1

    def is_right(self, shown: str, token: str) -> bool:
        """Returns whether the entered token is ``token``, and counts a wrong one."""
        right = same(shown, token)
        if not right:
            self._wrong.append(self.now())
            self.wrong("form")
        return right

    def _forget(self) -> None:
        """Forgets the sessions that are over."""
        for one in [one for one, session in self._known.items() if session.ends_at <= self.now()]:
            del self._known[one]
