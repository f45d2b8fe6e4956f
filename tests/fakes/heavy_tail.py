"""An account without trouble whose traffic is less regular than the local Routee's: long delays, bursts, quiet nights.

Of six operators, the largest has 60 messages a minute by day and the smallest one. 88% of the messages arrive within seconds (log-normal), 12%
after minutes to hours. A campaign is sent each day within twenty minutes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.model.batch import Batch, Combinations
from monitor.model.message import CODED_FIELDS, UNKNOWN
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration, Instant

OPERATORS = ("Cosmote", "Vodafone", "Wind", "Cyta", "Epic", "Telekom")
COUNTRIES = ("GR", "GR", "GR", "CY", "CY", "DE")
BY_DAY = np.array([60.0, 12.0, 5.0, 2.5, 1.5, 1.0])
"""Messages a minute of each operator, by day."""
NIGHT = 0.1
"""The share of the day's traffic that remains between midnight and six."""
CAMPAIGN = 3_000
"""Messages of each day's campaign, which starts at eleven o'clock."""
REASONS = np.array(["Unknown Number", "Undelivered", "Call Barred", "Carrier Violation"])
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class HeavyTail:
    """The messages as arrays, in the order in which they were sent."""

    created: Ints
    settled: Ints
    operator: Ints
    campaign: Ints
    fails: Ints
    is_otp: NDArray[np.bool_]

    @classmethod
    def drawn(cls, seed: int, start: Instant, span: Duration) -> "HeavyTail":
        """Draws the messages of a span."""
        rng = np.random.default_rng(seed)
        minutes = np.arange(span // MINUTE)
        hour = ((start + minutes * MINUTE) % DAY) / HOUR
        course = np.clip(NIGHT + (1 - NIGHT) * np.sin(np.pi * (hour - 6) / 18), NIGHT, 1)
        counts = rng.poisson(course[:, None] * BY_DAY)
        minute, operator = (np.repeat(each, counts.ravel()) for each in _cell_indices(counts.shape))
        created = start + minute * MINUTE + rng.integers(0, MINUTE, len(minute))
        campaign = np.zeros(len(created), np.int64)
        for day in range(span // DAY + 1):
            at = (start // DAY + day) * DAY + 11 * HOUR
            burst = at + rng.integers(0, 20 * MINUTE, CAMPAIGN)
            burst = burst[(burst >= start) & (burst < start + span)]
            created = np.concatenate([created, burst])
            operator = np.concatenate([operator, rng.choice(6, len(burst), p=BY_DAY / BY_DAY.sum())])
            campaign = np.concatenate([campaign, np.full(len(burst), start // DAY + day)])
        count = len(created)
        delay = rng.lognormal(np.log(5.0), 0.8, count)
        tail = rng.random(count) < 0.12
        delay[tail] = np.clip(rng.lognormal(np.log(20 * 60.0), 1.3, int(tail.sum())), 60, 12 * 3600)
        fails = np.where(rng.random(count) < 0.03, 1 + rng.choice(4, count, p=[0.6, 0.3, 0.05, 0.05]), 0)
        order = np.argsort(created, kind="stable")
        settled = created + np.maximum(delay, 1).astype(np.int64) * SECOND
        is_otp = (campaign == 0) & (rng.random(count) < 0.3)
        return cls(*(each[order] for each in (created, settled, operator, campaign, fails, is_otp)))

    def changed(self, since: Instant, until: Instant) -> Batch:
        """Returns every message that was sent or got its final status after ``since``, in its state at ``until``."""
        sent = (self.created > since) & (self.created <= until)
        return self._batch(np.flatnonzero(sent | ((self.settled > since) & (self.settled <= until))), until)

    def sent(self, since: Instant, until: Instant, now: Instant) -> Batch:
        """Returns every message that was sent in a span, in its state at ``now``."""
        first, last = np.searchsorted(self.created, [since, until], side="right")
        return self._batch(np.arange(first, last), now)

    def _batch(self, rows: Ints, now: Instant) -> Batch:
        final = self.settled[rows] <= now
        fails, campaign, operator = self.fails[rows], self.campaign[rows], self.operator[rows]
        latency = (self.settled[rows] - self.created[rows]) / SECOND
        status = np.where(~final, "Sent", np.where(fails > 0, "Undelivered", "Delivered"))
        tracking = np.where(campaign > 0, np.char.add("day ", campaign.astype(str)), UNKNOWN).tolist()
        known = {
            "status": status.tolist(),
            "detailedStatus": np.where(final & (fails > 0), REASONS[fails - 1], status).tolist(),
            "operator": np.array(OPERATORS)[operator].tolist(),
            "country": np.array(COUNTRIES)[operator].tolist(),
            "campaign": tracking,
            "campaignTrackingId": tracking,
            "label": np.where(self.is_otp[rows], "otp", UNKNOWN).tolist(),
            "from": np.where(campaign > 0, "Shop", "Bank").tolist(),
            "direction": ["Outbound"] * len(rows),
            "applicationName": ["app"] * len(rows),
        }
        return Batch(
            message_id=[f"00000000-0000-4000-8000-{number:012x}" for number in rows.tolist()],
            key=np.ones(len(rows), np.int64),
            parts=np.ones(len(rows), np.int64),
            date=np.where(final, self.settled[rows], self.created[rows]),
            latency=np.where(final & (fails == 0), latency, np.nan),
            price=np.full(len(rows), 0.04),
            recipient=[UNKNOWN] * len(rows),
            coded=Combinations.of_parts({name: known.get(name, [UNKNOWN] * len(rows)) for name in CODED_FIELDS}),
        )


def _cell_indices(shape: tuple[int, ...]) -> tuple[Ints, Ints]:
    minute, operator = np.indices(shape)
    return minute.ravel(), operator.ravel()
