"""The traffic model: which messages are sent in a span of time, and how each ends. Seeded: the same span is always the same.

Operators' sizes follow Zipf's law, and days and nights follow each country's local time; volumes and failure rates are overdispersed like real
ones (about 15 % from one half hour to the next). Times to the report are log-normal with a tail of hours.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from monitor.runtime.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox import campaigns, malformed_records
from monitor.simulation.sandbox.campaigns import BLOCK, SandboxCampaign
from monitor.simulation.sandbox.message_lifecycle import Chances, live
from monitor.simulation.sandbox.messages import Ints, Rows
from monitor.simulation.sandbox.population import COUNTRIES, STEADY, bodies_of
from monitor.simulation.sandbox.tables import DeliveryRoute, Tables

Floats = NDArray[np.float64]

_DISPERSION = 1 / 0.15**2
_WEEKEND = 0.75


@dataclass(frozen=True, slots=True)
class Traffic:
    """The parameters of traffic.

    ``rate`` is in messages a minute of all traffic, averaged over a week. ``season`` is how far day and night differ (0 for not at all, 1 for
    wholly). ``campaign_share`` is the part of all messages that belongs to campaigns. ``odd_share`` is the part of records that are odd, if the
    sandbox is wild.
    """

    rate: float = 600.0
    season: float = 0.8
    campaign_share: float = 0.2
    odd_share: float = 0.04


@dataclass(frozen=True, slots=True)
class Slots:
    """Every route that the model uses, one slot each: ``code`` in the table, ``country`` in COUNTRIES."""

    code: NDArray[np.int16]
    country: Ints
    weight: Floats


@dataclass(frozen=True, slots=True)
class Senders:
    """By message: its slot, its stream's code, its campaign's quality, and when it is created."""

    slot: Ints
    stream: NDArray[np.int32]
    quality: Floats
    created: Ints


class Model:
    """Draws the messages of one sandbox. With ``wild``, some records are odd in the ways of malformed_records.py."""

    def __init__(self, seed: int, traffic: Traffic, known: Tables, *, wild: bool = False) -> None:
        self.seed = seed
        self.traffic = traffic
        self.launched: list[SandboxCampaign] = []
        self.campaigns: dict[str, SandboxCampaign] = {}
        self._known = known
        self._wild = wild
        self._slots = _slots(known)
        rng = np.random.default_rng((seed, 0))
        count = len(self._slots.code)
        self._failing = np.clip(rng.lognormal(np.log(0.025), 0.7, count), 0.005, 0.12)
        self._median = rng.uniform(2.5, 9.0, count)
        self._steady_codes = np.array([known.streams.code(stream) for _, stream in STEADY], np.int32)
        shares = np.array([share for share, _ in STEADY])
        self._steady_shares = np.cumsum(shares / shares.sum())

    def active(self, start: Instant, end: Instant) -> list[SandboxCampaign]:
        """Returns the campaigns that send between two instants, including launched ones."""
        per_minute = self.traffic.rate * self.traffic.campaign_share / 0.2
        own = campaigns.active(self.seed, start, end, per_minute) if per_minute else ()
        return [*own, *(each for each in self.launched if each.expected(start, end) > 0)]

    def expected(self, start: Instant, end: Instant) -> Floats:
        """Returns the expected number of messages by slot, then by active campaign."""
        steady = self.traffic.rate * (1 - self.traffic.campaign_share) * (end - start) / MINUTE
        volumes, _ = _factors(self.seed, start // BLOCK, len(self._slots.code))
        slots = self._slots.weight * self._season((start + end) // 2)[self._slots.country] * volumes * steady
        return np.concatenate([slots, [each.expected(start, end) for each in self.active(start, end)]])

    def draw(self, start: Instant, end: Instant, count: int | None = None) -> Rows:
        """Returns the parts created between two instants of one block, in order; ``count`` is the exact number of messages."""
        rng = np.random.default_rng((self.seed, 1, start // SECOND, (end - start) // SECOND))
        expected = self.expected(start, end)
        counts = rng.poisson(expected) if count is None else rng.multinomial(count, expected / expected.sum())
        senders = self._senders(rng, counts, start, end)
        slot, stream = senders.slot, senders.stream
        parts = 1 + (rng.random(len(slot)) < 0.08) * (1 + (rng.random(len(slot)) < 0.25))
        message = np.repeat(np.arange(len(slot)), parts)
        rows = Rows.empty(len(message))
        rows.created[:] = np.maximum(senders.created // SECOND * SECOND, start)[message]
        rows.parts[:] = parts[message]
        rows.part[:] = np.arange(len(message)) - (np.cumsum(parts) - parts)[message] + 1
        rows.to[:] = self._recipients(rng, slot)[message]
        rows.stream[:] = stream[message]
        rows.body[:] = self._bodies(rng, stream)[message]
        rows.route[:] = self._slots.code[slot][message]
        live(rows, rng, self._chances(start, slot[message], senders.quality[message]), message)
        if self._wild:
            _make_odd(rows, rng, self.traffic.odd_share)
        return rows.take(np.argsort(rows.created, kind="stable"))

    def _senders(self, rng: np.random.Generator, counts: Ints, start: Instant, end: Instant) -> Senders:
        """Returns the sender of each message: the steady senders first, then the campaigns."""
        slots = len(self._slots.code)
        slot = np.repeat(np.arange(slots), counts[:slots])
        position = np.minimum(np.searchsorted(self._steady_shares, rng.random(len(slot))), len(STEADY) - 1)
        chosen = [_senders_of(rng, slot, self._steady_codes[position], 1.0, start, end)]
        for campaign, count in zip(self.active(start, end), counts[slots:].tolist(), strict=True):
            own = np.flatnonzero(self._slots.country == COUNTRIES.index(campaign.country))
            weight = self._slots.weight[own]
            self.campaigns[campaign.stream.tracking_id or ""] = campaign
            code = np.full(count, self._known.streams.code(campaign.stream), np.int32)
            there = rng.choice(own, count, p=weight / weight.sum())
            chosen.append(_senders_of(rng, there, code, campaign.quality, *campaign.within(start, end)))
        return Senders(*(np.concatenate(column) for column in zip(*chosen, strict=True)))

    def _recipients(self, rng: np.random.Generator, slot: Ints) -> Ints:
        """Returns phone numbers: the country's prefix, a first digit of mobile numbers, then random digits."""
        base = np.array([each.prefix * 10**each.digits for each in COUNTRIES])[self._slots.country[slot]]
        unit = np.array([10 ** (each.digits - 1) for each in COUNTRIES])[self._slots.country[slot]]
        recipients: Ints = base + 6 * unit + (rng.random(len(slot)) * unit).astype(np.int64)
        return recipients

    def _bodies(self, rng: np.random.Generator, stream: NDArray[np.int32]) -> NDArray[np.int16]:
        out = np.zeros(len(stream), np.int16)
        for code in np.unique(stream).tolist():
            entry = self._known.streams.entries[code]
            codes = [self._known.bodies.code(text) for text in bodies_of(entry.label, entry.direction)]
            mine = np.flatnonzero(stream == code)
            out[mine] = np.array(codes, np.int16)[rng.integers(0, len(codes), len(mine))]
        return out

    def _chances(self, start: Instant, slot: Ints, quality: Floats) -> Chances:
        _, failures = _factors(self.seed, start // BLOCK, len(self._slots.code))
        drift = 1 + 0.25 * np.sin(2 * np.pi * start / (5 * DAY) + np.arange(len(failures)))
        failing = np.minimum((self._failing * failures * drift)[slot] * quality, 0.95)
        india = np.array([country.code == "IN" for country in COUNTRIES])[self._slots.country[slot]]
        return Chances(failing, self._median[slot], india)

    def _season(self, instant: Instant) -> Floats:
        """Returns how busy each country is at an instant; 1 is the average of a week."""
        local = instant / HOUR + np.array([country.ahead for country in COUNTRIES])
        weekend = (local // 24 + 3) % 7 >= 5  # 1970-01-01 was a Thursday
        depth = self.traffic.season
        week = np.where(weekend, 1 - depth * (1 - _WEEKEND), 1.0) * 7 / (7 - 2 * depth * (1 - _WEEKEND))
        season: Floats = week * (1 + depth * np.cos(2 * np.pi * (local % 24 - 15) / 24))
        return season


def _senders_of(
    rng: np.random.Generator, slot: Ints, stream: NDArray[np.int32], quality: float, start: Instant, end: Instant
) -> tuple[Ints, NDArray[np.int32], Floats, Ints]:
    return slot, stream, np.full(len(slot), quality), rng.integers(start, max(end, start + 1), len(slot))


def _slots(known: Tables) -> Slots:
    code, country_of, weight = [], [], []
    for position, country in enumerate(COUNTRIES):
        sizes = 1 / np.arange(1, len(country.operators) + 1)
        for operator, size in zip(country.operators, sizes / sizes.sum(), strict=True):
            code.append(known.routes.code(DeliveryRoute(operator, country.code, country.price)))
            country_of.append(position)
            weight.append(country.share * size)
    return Slots(np.array(code, np.int16), np.array(country_of), np.array(weight))


@lru_cache(maxsize=256)
def _factors(seed: int, block: int, slots: int) -> tuple[Floats, Floats]:
    """Returns by slot how this block's volume and failure rate differ from the usual, as factors."""
    rng = np.random.default_rng((seed, 3, block))
    return rng.gamma(_DISPERSION, 1 / _DISPERSION, slots), rng.gamma(_DISPERSION, 1 / _DISPERSION, slots)


def _make_odd(rows: Rows, rng: np.random.Generator, share: float) -> None:
    rows.odd[:] = malformed_records.choose(rng, len(rows), share)
    odd = rows.odd & malformed_records.MILLISECONDS != 0
    offset = np.where(odd, rng.integers(1, 1000, len(rows)) * MILLISECOND, 0)
    for column in (rows.sent_at, rows.last_at):
        column += offset


def blocks(start: Instant, end: Instant) -> list[tuple[Instant, Duration]]:
    """Returns the span cut at the edges of blocks, as (start, length)."""
    edges = [start, *range(start // BLOCK * BLOCK + BLOCK, end, BLOCK), end]
    return [(low, high - low) for low, high in pairwise(edges) if high > low]
