"""The life of one alert: pending, firing, resolved, and what moves it. Pure: the time is handed in, nothing is sent.

Each level of a rule keeps its own two clocks: since when its threshold has been crossed without a break (``for``), and
when it was last seen crossed (``keep_firing_for``). A level is *held* from the first to the end of the second, and an alert's
level is the highest that is held. So an alert escalates at once when a worse level has held for its time, and goes
down as slowly as it resolves. "Not enough data" starts and ends nothing: a pending alert is dropped, a firing one stays,
marked, until ``forget_after`` has passed.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import msgspec

from monitor.clock import Duration, Instant

State = Literal["pending", "firing", "resolved"]
Because = Literal["recovered", "no_data", "removed"]
What = Literal["pending", "dropped", "fired", "escalated", "eased", "resolved"]


class Held(msgspec.Struct, frozen=True):
    """One level's clocks: crossed without a break since ``since`` (None: not now), last crossed at ``last``, ``on`` while it counts."""

    since: Instant | None = None
    last: Instant | None = None
    on: bool = False


class Alert(msgspec.Struct, frozen=True):
    """One group of one rule that is, or was, over its threshold. ``level`` counts from 1; 0 while pending."""

    account: str
    rule: str
    group: tuple[tuple[str, str], ...]
    state: State
    held: tuple[Held, ...]
    as_of: Instant
    pending_at: Instant
    level: int = 0
    firing_at: Instant | None = None
    resolved_at: Instant | None = None
    because: Because | None = None
    no_data_since: Instant | None = None
    value: float | None = None
    threshold: float | None = None
    baseline: float | None = None
    change: float | None = None
    peak: float | None = None
    messages: int = 0
    matching: int = 0
    why: str = ""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the rule's group: the same over restarts and severities."""
        return fingerprint(self.account, self.rule, self.group)


def fingerprint(account: str, rule: str, group: tuple[tuple[str, str], ...]) -> str:
    """The identity of one group of one rule of one account."""
    text = msgspec.json.encode([account, rule, sorted(group)])
    return hashlib.blake2b(text, digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Policy:
    """What of a rule governs the life of its alerts; ``levels`` is how many it has."""

    for_: Duration = 0
    keep_firing_for: Duration = 0
    levels: int = 1
    forget_after: Duration = 6 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state: which alert, when, what."""

    fingerprint: str
    rule: str
    at: Instant
    what: What
    because: Because | None = None
    value: float | None = None
