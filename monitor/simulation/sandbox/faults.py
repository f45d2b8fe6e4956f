"""Faults on cue: what the sandbox answers, or does to the connection, instead of what is right.

status          an error status with Routee's error body      status=503 (or any), retry_after=seconds or text, code="503000000"
html            an HTML page, as a proxy would send            status=502
cut             the connection is reset in mid-body            at=0.5 (fraction of the body; 0: before the head)
drip            the body comes in small pieces                 bytes=100, seconds=1.0 (real seconds between the pieces)
truncated       half of the JSON with a matching length        at=0.5
delay           the answer comes late                          seconds=5.0 (real seconds)
wrong_types     JSON of wrong types                            where="records" (the first few of a page) or "page"
page_drift      from page 1 on, as if items had moved          shift=3 (new in front: repeats) or -3 (gone: some are on no page)
short_pages     pages hold fewer items than was asked for      items=100
expired_tokens  every token given out so far is refused
"""

from dataclasses import field
from difflib import get_close_matches
from random import Random
from typing import Final, Literal, get_args

from monitor.runtime.clock import Instant, iso
from monitor.runtime.dataclass import dataclass

Kind = Literal[
    "status",
    "html",
    "cut",
    "drip",
    "truncated",
    "delay",
    "wrong_types",
    "page_drift",
    "short_pages",
    "expired_tokens",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Endpoint = Literal["token", "search", "single", "campaign_tracking", "campaign", "balance"]
ENDPOINTS: Final[tuple[Endpoint, ...]] = get_args(Endpoint)

Value = str | int | float | None

OPTIONS: Final[dict[Kind, dict[str, Value]]] = {
    "status": {"status": 503, "retry_after": None, "code": None},
    "html": {"status": 502},
    "cut": {"at": 0.5},
    "drip": {"bytes": 100, "seconds": 1.0},
    "truncated": {"at": 0.5},
    "delay": {"seconds": 5.0},
    "wrong_types": {"where": "records"},
    "page_drift": {"shift": 3},
    "short_pages": {"items": 100},
    "expired_tokens": {},
}
"""The options of each kind, with their defaults."""


@dataclass(slots=True)
class Fault:
    """One fault.

    ``endpoint`` None means all endpoints but the token's, which has to be named. ``left`` is how many answers it still changes, None for no
    limit. ``until`` is an instant of the sandbox's clock.
    """

    id: int
    kind: Kind
    endpoint: Endpoint | None = None
    left: int | None = None
    until: Instant | None = None
    share: float = 1.0
    options: dict[str, Value] = field(default_factory=dict)

    def number(self, name: str) -> float:
        """Returns the value of an option that is a number."""
        value = self.options[name]
        assert isinstance(value, int | float)
        return value

    def described(self) -> dict[str, object]:
        """Returns the fault as the sandbox's own API shows it."""
        until = None if self.until is None else iso(self.until)
        own: dict[str, object] = {
            "id": self.id,
            "kind": self.kind,
            "endpoint": self.endpoint,
            "left": self.left,
            "until": until,
            "share": self.share,
        }
        return own | self.options


class Faults:
    """The active faults."""

    def __init__(self, seed: int) -> None:
        self._luck = Random(f"faults {seed}")  # noqa: S311 - decides which requests fail, guards nothing
        self._next = 1
        self.on: list[Fault] = []

    def add(
        self,
        kind: str,
        *,
        count: int | None = None,
        until: Instant | None = None,
        share: float = 1.0,
        endpoint: str | None = None,
        **options: Value,
    ) -> Fault:
        """Adds a fault. Raises ValueError with a sentence for people."""
        known = _known(kind)
        if count is not None and (not isinstance(count, int) or count < 1):
            raise ValueError(f"count is {count!r}; it has to be a whole number from 1 up")
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise ValueError(f"share is {share!r}; it is a fraction above 0 and at most 1, for example 0.5")
        fault = Fault(
            self._next, known, _endpoint(endpoint), count, until, share, OPTIONS[known] | _checked(known, options)
        )
        self._next += 1
        self.on.append(fault)
        return fault

    def end(self, number: int) -> bool:
        """Removes a fault; returns False if no fault has this number."""
        before = len(self.on)
        self.on = [fault for fault in self.on if fault.id != number]
        return len(self.on) < before

    def clear(self) -> None:
        """Removes all faults."""
        self.on = []

    def current(self, now: Instant) -> list[Fault]:
        """Returns the faults that are still active."""
        self.on = [fault for fault in self.on if fault.left != 0 and (fault.until is None or now < fault.until)]
        return self.on

    def take(self, endpoint: str, now: Instant) -> list[Fault]:
        """Returns the faults that apply to this answer, and counts each."""
        hit = [fault for fault in self.current(now) if self._hits(fault, endpoint)]
        for fault in hit:
            if fault.left is not None:
                fault.left -= 1
        return hit

    def _hits(self, fault: Fault, endpoint: str) -> bool:
        concerned = endpoint != "token" if fault.endpoint is None else fault.endpoint == endpoint
        return concerned and (fault.share >= 1 or self._luck.random() < fault.share)


def _known(kind: str) -> Kind:
    for each in KINDS:
        if each == kind:
            return each
    near = get_close_matches(kind, KINDS, 1)
    raise ValueError(
        f"There is no fault {kind!r}" + (f"; did you mean {near[0]}?" if near else f"; known are {', '.join(KINDS)}")
    )


def _endpoint(name: str | None) -> Endpoint | None:
    if name is None:
        return None
    for each in ENDPOINTS:
        if each == name:
            return each
    raise ValueError(f"There is no endpoint {name!r}; known are {', '.join(ENDPOINTS)}")


def _checked(kind: Kind, options: dict[str, Value]) -> dict[str, Value]:
    for name, value in options.items():
        if name not in OPTIONS[kind]:
            raise ValueError(f"The fault {kind} has no option {name!r}; it has {', '.join(OPTIONS[kind]) or 'none'}")
        if isinstance(OPTIONS[kind][name], int | float) and not isinstance(value, int | float):
            raise ValueError(f"{name} is {value!r}; it has to be a number")
        if name == "status" and isinstance(value, int | float) and not 400 <= value <= 599:
            raise ValueError(f"status is {value!r}; a fault's status is between 400 and 599")
    return options
