"""Logged-in browsers: their sessions, the tokens of their forms, and how many wrong tokens were entered in the last minute.

A session is a signed text in a cookie: when it began, a random id, and an HMAC of both, whose key comes from the store and from the token. So
every daemon that shares the store and the token knows it, and it goes on after a restart. It ends after `SESSION_SECONDS`, with its token, and
by a logout (`monitor.daemon.http.logouts`); see docs/decisions/0040-sessions-that-every-daemon-knows.md.
"""

import hashlib
import hmac
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Final

import trio

from monitor.daemon.metrics import TokenKind
from monitor.runtime.clock import MINUTE, SECOND, Instant, SystemClock
from monitor.runtime.dataclass import dataclass

SESSION_SECONDS: Final = 12 * 3600
"""Seconds after the login at which a session ends."""

CLOCKS_APART: Final = 5 * MINUTE
"""How far the clock of a daemon that began a session may be ahead. A session that began later than that is refused: it would last too long."""

MOST_ENDED: Final = 10_000
"""The most sessions that are remembered as ended by a logout; the oldest is forgotten for a new one. Only who is logged in can end one."""

MOST_WRONG_TOKENS: Final = 20
"""The most wrong tokens within `WRONG_SECONDS`, of all browsers together, that are only said to be wrong. Who enters a further wrong one is
told to wait. The right one is always taken: otherwise any stranger could lock everybody out."""

WRONG_SECONDS: Final = 60.0

_SESSION: Final = re.compile(r"([0-9]{1,18})\.[A-Za-z0-9_-]{22}\.[0-9a-f]{64}")
_LASTS: Final = SESSION_SECONDS * SECOND


def same(shown: str, secret: str) -> bool:
    """Returns whether both are the same; compares in constant time."""
    return hmac.compare_digest(shown.encode(errors="replace"), secret.encode(errors="replace"))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _mac(key: bytes, purpose: str, *parts: str) -> str:
    """Returns the HMAC-SHA256 of the parts, for one purpose only. No part before the last contains a zero byte."""
    return hmac.new(key, "\0".join([purpose, *parts]).encode(errors="replace"), hashlib.sha256).hexdigest()


@dataclass(slots=True)
class BrowserSessions:
    """What a daemon knows of logged-in browsers. It outlives reloads.

    ``now`` is a monotonic clock in seconds, ``wall`` the time of day, by which sessions last. ``key`` is what all daemons of one store share, and
    nobody else knows. ``wrong`` counts each wrong token. ``may_forget`` returns whether what is over by ``wall`` may be forgotten for good: not
    while that clock may be wrong (`Clock.may_forget`).
    """

    now: Callable[[], float] = trio.current_time
    wrong: Callable[[TokenKind], None] = lambda _: None
    wall: Callable[[], Instant] = field(default_factory=lambda: SystemClock().now)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    may_forget: Callable[[], bool] = lambda: True
    _ended: dict[bytes, Instant] = field(default_factory=dict, repr=False)
    """When each session began that a logout has ended, by the digest of its text."""
    _unstored: set[bytes] = field(default_factory=set, repr=False)
    """Those of them that are not in the store yet."""
    _tokens: set[bytes] = field(default_factory=set, repr=False)
    """Digests of the tokens that have been in use since `end_others`."""
    _left: dict[bytes, Instant] = field(default_factory=dict, repr=False)
    """When each former token was given up, by its digest."""
    _wrong: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_WRONG_TOKENS))

    @property
    def name(self) -> str:
        """What tells the cookies of daemons on one host apart, because browsers do not keep those of different ports apart. The same for all
        daemons of one store, and no secret."""
        return _mac(self.key, "name of cookies")[:8]

    def begin(self, token: str) -> str:
        """Begins a session for a browser that has shown ``token``; returns its text, which only that browser may know."""
        self._tokens.add(_digest(token))
        began = max(self.wall(), self._left.get(_digest(token), 0) + 1)
        signed = f"{began}.{secrets.token_urlsafe(16)}"
        return f"{signed}.{self._signature(signed, token)}"

    def holds(self, session: str, token: str) -> bool:
        """Returns whether that session was begun with the present ``token``, here or by a daemon with the same key, and is not over."""
        found = _SESSION.fullmatch(session)
        if found is None:
            return False
        signed, _, signature = session.rpartition(".")
        began, now = int(found[1]), self.wall()
        return (
            same(signature, self._signature(signed, token))
            and began - CLOCKS_APART <= now < began + _LASTS
            and began > self._left.get(_digest(token), -1)
            and _digest(session) not in self._ended
        )

    def end(self, session: str) -> None:
        """Ends a session, also for who has copied it; does nothing if it never was one."""
        if _SESSION.fullmatch(session):
            digest = _digest(session)
            self._unstored.add(digest)
            self.end_all({digest: int(session.partition(".")[0])})

    def end_all(self, ended: Mapping[bytes, Instant]) -> None:
        """Ends sessions that were ended here or elsewhere: the digest of each, and when it began."""
        self._ended |= ended
        self._forget()

    @property
    def over(self) -> Instant:
        """When those sessions began that end now by themselves; 0: that is not known for sure."""
        return self.wall() - _LASTS if self.may_forget() else 0

    @property
    def unstored(self) -> dict[bytes, Instant]:
        """What was ended here and is not in the store yet, as `end_all` takes it."""
        return {digest: self._ended[digest] for digest in self._unstored}

    def note_stored(self, digests: Iterable[bytes]) -> None:
        """Notes that these ends are in the store."""
        self._unstored.difference_update(digests)

    def end_others(self, token: str) -> None:
        """Ends all sessions that began with another token, for good: also if that token comes back."""
        self._forget()
        digest = _digest(token)
        for other in self._tokens - {digest}:
            self._left[other] = self.wall()
        self._tokens = {digest}

    def form_token(self, cookie: str) -> str:
        """Returns what forms must carry that are sent by the browser with that cookie."""
        return _mac(self.key, "form", cookie)

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

    def _signature(self, signed: str, token: str) -> str:
        return _mac(self.key, "session", signed, token)

    def _forget(self) -> None:
        """Forgets what is over anyway, and what is too much."""
        over = self.over
        self._ended = {one: began for one, began in self._ended.items() if began > over}
        for one in list(self._ended)[: max(0, len(self._ended) - MOST_ENDED)]:
            del self._ended[one]
        self._unstored &= self._ended.keys()
        self._left = {one: left for one, left in self._left.items() if left > over}
