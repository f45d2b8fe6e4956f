"""Incidents with their ground truth: what goes wrong, for whom, since when, and how much evidence of it there is at which second.

The evidence of an incident is what an optimal test could judge it by: reports that came within a minute of sending (a failure), messages
that reach the age by which four of five have their report (slow, stuck), or messages that were expected and did not come (silent).
Each is worth the Kullback-Leibler divergence of the probabilities before and after.
"""

from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection import traffic
from benchmarks.detection.traffic import (
    CARRIER_SHARE,
    DAY,
    HEAVY,
    HOUR,
    MINUTE,
    SPREAD,
    Account,
    Campaign,
    Floats,
    Messages,
)

OUTAGE, COUNTRY, X3, X5, FILTER, SLOW, STUCK, SILENT, BAD_LIST, CREEP, BLIP = KINDS = (
    "outage", "country outage", "x3", "x5", "filtered sender", "slow x5", "stuck", "silent", "bad list", "creep", "blip"
)  # fmt: skip
STEPS: Final = (OUTAGE, COUNTRY, X3, X5, FILTER)
"""The kinds that are a step of the failure probability."""

FRESH: Final = MINUTE
QUANTILE: Final = 0.8
_USUAL = QUANTILE / (1 - HEAVY)
LATE: Final = float(np.exp(SPREAD * NormalDist().inv_cdf(_USUAL)))
"""The 80 % quantile of an operator's delays, in medians."""
SLOW_FACTOR: Final = 5
_SLOW_LATE = HEAVY + (1 - HEAVY) * (1 - NormalDist().cdf((np.log(LATE) - np.log(SLOW_FACTOR)) / SPREAD))
_BAD_NULL = 0.08
_FRESH_FAILED, _FRESH_OUTAGE, _FRESH_DELIVERED = 0.62, 0.85, 1 - HEAVY
_LENGTHS = {
    OUTAGE: (20, 180), COUNTRY: (20, 180), X3: (120, 480), X5: (120, 480), FILTER: (60, 240), SLOW: (60, 180), STUCK: (20, 120),
    SILENT: (20, 120), BAD_LIST: (10, 60), CREEP: (18 * 60, 18 * 60), BLIP: (2, 2),
}  # fmt: skip
"""How long each kind lasts, in minutes: from, to."""
_SLOTS = 12
_RAMP = 12 * HOUR


@dataclass(slots=True)
class Incident:
    """What is wrong from ``start`` until ``end`` (seconds), and for whom. ``level`` is the probability or the factor that it has.

    ``times`` and ``information`` are its evidence: after each second, the nats that have come in. ``needed`` is the logarithm of the group's
    messages in thirty days, times the number of groups: what an optimal test needs at one false alarm per account and thirty days.
    """

    kind: str
    start: int
    end: int
    level: float
    scope: dict[str, int]
    size: float = 0.0
    needed: float = np.inf
    times: Floats = field(default_factory=lambda: np.empty(0))
    information: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def provable(self) -> bool:
        """Whether it holds at least twice the evidence that an optimal test needs."""
        return bool(len(self.information)) and float(self.information[-1]) >= 2 * self.needed

    @property
    def bound_at(self) -> float:
        """When an optimal test would have seen it; never, if it holds too little."""
        position = int(np.searchsorted(self.information, self.needed))
        return float(self.times[position]) if position < len(self.times) else np.inf

    def seen_by(self, instant: float) -> int:
        """How many messages of evidence had come by then."""
        return int(np.searchsorted(self.times, instant, side="right"))


def plan(account: Account, history: int) -> list[Incident]:
    """One incident of each kind in the week after ``history`` days, in random order, hours apart; the creep takes two of the twelve slots."""
    rng = np.random.default_rng((account.seed, 7))
    slot = 7 * DAY // _SLOTS
    planned, position = list[Incident](), 0
    for kind in rng.permutation(KINDS).tolist():
        slots = 2 if kind == CREEP else 1
        length = int(rng.uniform(*_LENGTHS[kind])) * MINUTE
        start = history * DAY + position * slot + int(rng.uniform(0.2 * slot, slots * slot - length))
        planned.append(Incident(kind, start, start + length, _level(rng, kind), _scope(rng, account, kind)))
        position += slots
    return planned


def _level(rng: np.random.Generator, kind: str) -> float:
    among = {
        OUTAGE: (0.6, 1.0),
        COUNTRY: (0.6, 1.0),
        BLIP: (0.6, 1.0),
        X3: (3, 3),
        X5: (5, 5),
        FILTER: (0.5, 0.95),
        BAD_LIST: (0.2, 0.6),
        CREEP: (4, 4),
    }
    return float(rng.uniform(*among.get(kind, (1.0, 1.0))))


def _scope(rng: np.random.Generator, account: Account, kind: str) -> dict[str, int]:
    chance = np.sqrt(account.weight)
    operator = int(rng.choice(account.operators, p=chance / chance.sum()))
    country = int(account.country[operator])
    if kind in (COUNTRY, BAD_LIST):
        return {"country": country}
    scope = {"operator": operator, "country": country}
    return scope | {"sender": int(rng.choice(len(account.senders), p=account.senders))} if kind == FILTER else scope


def launched(account: Account, incidents: list[Incident], first: int) -> list[Campaign]:
    """The campaigns with bad lists, numbered from ``first``; their incidents get their number."""
    rng = np.random.default_rng((account.seed, 8))
    campaigns = []
    for number, one in enumerate((each for each in incidents if each.kind == BAD_LIST), first):
        size = int(np.exp(rng.uniform(np.log(1000), np.log(np.clip(account.rate * 2880, 2000, 50_000)))))
        one.scope["campaign"] = number
        campaigns.append(Campaign(number, one.scope["country"], one.start, one.end - one.start, size, 1.0, one.level))
    return campaigns


def happen(account: Account, messages: Messages, incidents: list[Incident], days: int) -> Messages:
    """Decides every message with the incidents in force, and fills in their evidence. Messages that a silence swallows are gone."""
    carrier = np.full(len(messages), CARRIER_SHARE, np.float32)
    daily = {id(one): _count(account, messages, one) / days for one in incidents}
    kept = np.ones(len(messages), bool)
    before = {id(one): _prepare(account, messages, one, carrier, kept) for one in incidents}
    messages, carrier = (messages, carrier) if kept.all() else (messages.take(kept), carrier[kept])
    traffic.decide(account, messages, carrier)
    for one in incidents:
        _delay(account, messages, one)
    groups = {FILTER: account.operators * len(account.senders)}
    for one in incidents:
        one.needed = float(np.log(max(30 * daily[id(one)] * groups.get(one.kind, account.operators), 50)))
        _fill(account, messages, one, before[id(one)])
        one.size = len(one.times) / ((one.end - one.start) / MINUTE)
    return messages


def rows(account: Account, messages: Messages, one: Incident, *, ever: bool = False) -> NDArray[np.int64]:
    """The messages in an incident's scope that were sent while it lasted (``ever``: at any time)."""
    inside = np.ones(len(messages), bool) if ever else (messages.sent >= one.start) & (messages.sent < one.end)
    found = np.flatnonzero(inside)
    scope = one.scope
    if "campaign" in scope:
        sent: NDArray[np.int64] = found[messages.campaign[found] == scope["campaign"]]
        return sent
    if "operator" in scope:
        found = found[messages.operator[found] == scope["operator"]]
    elif "country" in scope:
        found = found[account.country[messages.operator[found]] == scope["country"]]
    return found[messages.sender[found] == scope["sender"]] if "sender" in scope else found


def _count(account: Account, messages: Messages, one: Incident) -> int:
    return len(rows(account, messages, one, ever=True))


def _prepare(
    account: Account, messages: Messages, one: Incident, carrier: NDArray[np.float32], kept: NDArray[np.bool_]
) -> Floats:
    """Makes the messages of the incident what it makes of them. Returns what an optimal test would have known before: usual probability, or times."""
    mine = rows(account, messages, one)
    usual = float(np.mean(messages.failing[mine])) if len(mine) else 0.0
    if one.kind in (OUTAGE, COUNTRY, BLIP):
        messages.failing[mine], messages.noise[mine] = one.level, 1
    elif one.kind in (X3, X5, CREEP):
        share = np.minimum((messages.sent[mine] - one.start) / _RAMP, 1) if one.kind == CREEP else 1.0
        messages.failing[mine] = np.minimum(messages.failing[mine] * (1 + (one.level - 1) * share), 0.9)
    elif one.kind == FILTER:
        carrier[mine] = one.level
    elif one.kind == SILENT:
        kept[mine] = False
        return np.sort(messages.sent[mine]).astype(float)
    return np.array([usual + CARRIER_SHARE])


def _delay(account: Account, messages: Messages, one: Incident) -> None:
    rng = np.random.default_rng((account.seed, 9, one.start))
    mine = rows(account, messages, one)
    mine = mine[messages.reported[mine] != traffic.NEVER]
    if one.kind == SLOW:
        later = (messages.reported[mine] - messages.sent[mine]).astype(np.int64) * SLOW_FACTOR
        messages.reported[mine] = messages.sent[mine] + np.minimum(later, 7 * DAY)
    elif one.kind == STUCK:
        freed = one.end + rng.exponential(5 * MINUTE, len(mine)).astype(np.int32)
        messages.reported[mine] = np.maximum(messages.reported[mine], freed)
    elif one.kind in (OUTAGE, COUNTRY, BLIP):
        failed = mine[messages.outcome[mine] >= traffic.UNDELIVERED]
        quick = failed[rng.random(len(failed)) < _FRESH_OUTAGE]
        usual = account.median[messages.operator[quick]] * rng.lognormal(0, SPREAD, len(quick))
        messages.outcome[quick] = traffic.UNDELIVERED
        messages.reported[quick] = messages.sent[quick] + np.maximum(usual, 1).astype(np.int32)


def _fill(account: Account, messages: Messages, one: Incident, before: Floats) -> None:
    if one.kind == SILENT:
        one.times, one.information = before, np.arange(1.0, len(before) + 1)
        return
    mine = rows(account, messages, one)
    if one.kind in (SLOW, STUCK):
        times = messages.sent[mine] + LATE * account.median[messages.operator[mine]]
        worth = np.full(len(mine), divergence(_SLOW_LATE if one.kind == SLOW else 0.999, 1 - QUANTILE))
    else:
        fresh = messages.reported[mine] - messages.sent[mine] <= FRESH
        if one.kind != BAD_LIST:
            fresh &= messages.outcome[mine] != traffic.UNKNOWN_NUMBER
        mine = mine[fresh]
        times, worth = messages.reported[mine].astype(float), _worth(messages, mine, one, float(before[0]))
    order = np.argsort(times, kind="stable")
    one.times, one.information = times[order], np.cumsum(worth[order])


def _worth(messages: Messages, mine: NDArray[np.int64], one: Incident, usual: float) -> Floats:
    """The nats of each fresh report of a failure incident."""
    if one.kind == BAD_LIST:
        return np.full(len(mine), divergence(one.level, _BAD_NULL))
    if one.kind == FILTER:
        return np.full(len(mine), divergence(one.level, CARRIER_SHARE))
    quick = _FRESH_OUTAGE if one.kind in (OUTAGE, COUNTRY, BLIP) else _FRESH_FAILED
    now = np.clip(messages.failing[mine].astype(float) + CARRIER_SHARE, 0, 0.98)
    return divergence(among_fresh(now, quick), among_fresh(np.array(usual), _FRESH_FAILED))


def among_fresh(probability: Floats, quick: float) -> Floats:
    """A failure probability among the reports that come within a minute; ``quick`` is the part of the failures that are reported so soon."""
    share: Floats = probability * quick / (probability * quick + (1 - probability) * _FRESH_DELIVERED)
    return share


def divergence(now: Floats | float, before: Floats | float) -> Floats:
    """The Kullback-Leibler divergence of two probabilities, in nats a message."""
    now, before = np.clip(now, 1e-9, 1 - 1e-9), np.clip(before, 1e-9, 1 - 1e-9)
    nats: Floats = now * np.log(now / before) + (1 - now) * np.log((1 - now) / (1 - before))
    return nats
