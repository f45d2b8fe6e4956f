"""Campaigns: many messages of one sender to one country within minutes. The seed alone decides when they happen."""

from functools import lru_cache
from typing import Final

import numpy as np

from monitor.runtime.clock import HOUR, MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox.population import CAMPAIGNERS, COUNTRIES, Country
from monitor.simulation.sandbox.tables import Stream

BLOCK: Final = 30 * MINUTE
"""The span over which the model's slow factors are constant; campaigns are planned for each block."""

LONGEST: Final = 90 * MINUTE
A_BLOCK: Final = 0.25
"""Expected campaigns in a block, averaged over day and night."""

MINUTES_OF_TRAFFIC: Final = 20
"""The size of a typical campaign, in minutes of all traffic."""


@dataclass(frozen=True, slots=True)
class SandboxCampaign:
    """One campaign. ``quality`` multiplies the operators' failure rates (1 for an ordinary list of recipients)."""

    stream: Stream
    country: Country
    start: Instant
    duration: Duration
    recipients: int
    quality: float = 1.0

    def expected(self, start: Instant, end: Instant) -> float:
        """Returns how many messages are expected between two instants."""
        low, high = self.within(start, end)
        return max(high - low, 0) / self.duration * self.recipients

    def within(self, start: Instant, end: Instant) -> tuple[Instant, Instant]:
        """Returns the part of a span in which the campaign sends; if there is none, its end is before its start."""
        return max(start, self.start), min(end, self.start + self.duration)


def new_stream(rng: np.random.Generator, number: int) -> Stream:
    """Returns the stream of a new campaign."""
    sender, name, application, group = CAMPAIGNERS[int(rng.integers(len(CAMPAIGNERS)))]
    digits = rng.bytes(16).hex()
    tracking_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return Stream(
        sender, application, "promo", groups=(group,), campaign=f"{name} {number % 1000}", tracking_id=tracking_id
    )


@lru_cache(maxsize=4096)
def planned(seed: int, block: int, rate: float) -> tuple[SandboxCampaign, ...]:
    """Returns the campaigns that start in a block (numbered since the epoch), for ``rate`` messages a minute of all traffic."""
    rng = np.random.default_rng((seed, 2, block))
    return tuple(_plan(rng, block, rate, position) for position in range(int(rng.poisson(A_BLOCK))))


def _plan(rng: np.random.Generator, block: int, rate: float, position: int) -> SandboxCampaign:
    shares = np.array([country.share for country in COUNTRIES])
    country = COUNTRIES[int(rng.choice(len(COUNTRIES), p=shares / shares.sum()))]
    start = block * BLOCK + int(rng.integers(BLOCK))
    duration = int(rng.uniform(8, LONGEST / MINUTE)) * MINUTE
    recipients = max(int(rate * MINUTES_OF_TRAFFIC * rng.lognormal(-0.18, 0.6)), 1)
    local_hour = (start / HOUR + country.ahead) % 24
    if not 8 <= local_hour < 21:
        recipients = recipients // 10 + 1  # fewer recipients at night
    return SandboxCampaign(
        new_stream(rng, block + position), country, start, duration, recipients, float(rng.gamma(9, 1 / 9))
    )


def active(seed: int, start: Instant, end: Instant, rate: float) -> tuple[SandboxCampaign, ...]:
    """Returns the planned campaigns that send messages between two instants."""
    first = (start - LONGEST) // BLOCK - 1
    found = (each for block in range(first, end // BLOCK + 1) for each in planned(seed, block, rate))
    return tuple(each for each in found if each.expected(start, end) > 0)
