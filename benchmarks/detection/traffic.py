"""A seeded generator of account-weeks: the messages of one account over some days, and the truth about every incident in them.

The traffic is harder than that of most accounts: operators' sizes follow Zipf's law, campaigns come in bursts, and the failure probability of an
operator wanders over days, half hours and minutes, so that messages that share a moment are not independent.
Times are seconds since the start, which is a Monday at 00:00 UTC. A campaign's messages are real bursts: thousands a minute.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86_400
WEEK: Final = 7 * DAY
NEVER: Final = 2**30
"""The report of a message that is never reported."""

DELIVERED, UNKNOWN_NUMBER, CARRIER_VIOLATION, UNDELIVERED, ON_HANDSET, EXPIRED = range(6)

SPREAD: Final = 0.8
"""The standard deviation of the logarithm of a usual delay."""
HEAVY: Final = 0.12
"""The part of the reports that takes minutes to hours."""
CARRIER_SHARE: Final = 0.003
"""How often a message is filtered where nothing is wrong."""
_HEAVY_MEDIAN, _HEAVY_SPREAD = 20 * 60.0, 1.4
_NEVER_REPORTED = 0.003
_REASONS = np.array([UNDELIVERED, ON_HANDSET, EXPIRED])
_REASON_SHARES = np.cumsum([0.62, 0.22, 0.16])
_VALIDITY = np.array([12, 24, 24, 48]) * HOUR
_SEASON, _WEEKEND = 0.75, 0.75
_CAMPAIGN_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Account:
    """Who sends how much to whom.

    ``weight``, ``failing``, ``median`` (seconds) and ``dispersion`` are by operator; ``ahead`` is by country, in hours.
    """

    seed: int
    rate: float
    country: Ints
    weight: Floats
    failing: Floats
    median: Floats
    dispersion: Floats
    ahead: Floats
    senders: Floats
    unknown: Floats

    @property
    def operators(self) -> int:
        return len(self.country)

    @property
    def countries(self) -> int:
        return len(self.ahead)


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. ``quality`` multiplies the failure probability; ``unknown`` is the share of numbers that do not exist."""

    number: int
    country: int
    start: int
    duration: int
    recipients: int
    quality: float
    unknown: float


@dataclass(slots=True)
class Messages:
    """One row a message. ``failing`` is the probability of failing other than by Unknown Number, without the noise of minutes.

    ``reported`` is its final report.
    """

    sent: NDArray[np.int32]
    operator: NDArray[np.int16]
    sender: NDArray[np.int16]
    campaign: NDArray[np.int16]
    unknown: NDArray[np.float32]
    failing: NDArray[np.float32]
    noise: NDArray[np.float32]
    outcome: NDArray[np.int8]
    reported: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.sent)

    def take(self, which: NDArray[np.bool_]) -> "Messages":
        """The messages that are marked."""
        return Messages(*(getattr(self, name)[which] for name in self.__slots__))


def account(seed: int, rate: float | None = None, operators: int | None = None) -> Account:
    """Draws an account: 1 to 500 messages a minute in the mean of a week, 2 to 60 operators, both evenly on a logarithmic scale."""
    rng = np.random.default_rng((seed, 1))
    drawn_rate, drawn = (
        float(np.exp(rng.uniform(0, np.log(500)))),
        round(float(np.exp(rng.uniform(np.log(2), np.log(60))))),
    )
    count = operators or drawn
    countries = max(1, round(count / rng.uniform(2, 4)))
    country = np.concatenate([np.arange(min(countries, count)), rng.integers(0, countries, max(count - countries, 0))])[
        :count
    ]
    weight = 1 / np.arange(1, count + 1) ** rng.uniform(0.8, 1.2)
    senders = 1 / np.arange(1, rng.integers(3, 13)) ** 0.9
    return Account(
        seed=seed,
        rate=rate or drawn_rate,
        country=country,
        weight=weight / weight.sum(),
        failing=np.clip(rng.lognormal(np.log(0.025), 0.7, count), 0.005, 0.12),
        median=rng.uniform(2.5, 9.0, count),
        dispersion=rng.uniform(0.1, 0.4, count),
        ahead=rng.integers(-8, 10, countries).astype(float),
        senders=senders / senders.sum(),
        unknown=rng.uniform(0.003, 0.02, len(senders)),
    )


def season(ahead: Floats, minutes: int) -> Floats:
    """How busy each minute is, by the local time of each place; 1 is the average of a week."""
    local = np.arange(minutes) / 60 + ahead[:, None]
    weekend = (local // 24) % 7 >= 5
    week = np.where(weekend, 1 - _SEASON * (1 - _WEEKEND), 1.0) * 7 / (7 - 2 * _SEASON * (1 - _WEEKEND))
    busy: Floats = week * (1 + _SEASON * np.cos(2 * np.pi * (local % 24 - 15) / 24))
    return busy


def campaigns(account: Account, days: int) -> list[Campaign]:
    """The campaigns of an account's days: 10,000 to 200,000 recipients within 10 to 90 minutes, by day."""
    rng = np.random.default_rng((account.seed, 2))
    total = account.rate * 1440 * days
    largest = np.clip(account.rate * 10_080 * 0.3, 12_000, 200_000)
    mean = (largest - 10_000) / np.log(largest / 10_000)
    number = int(rng.poisson(min(total * _CAMPAIGN_SHARE / mean, 3.0 * days)))
    shares = np.bincount(account.country, account.weight, account.countries)
    return [
        _campaign(rng, account, each, int(rng.choice(account.countries, p=shares)), largest, days)
        for each in range(number)
    ]


def _campaign(
    rng: np.random.Generator, account: Account, number: int, country: int, largest: float, days: int
) -> Campaign:
    start = int(rng.integers(days)) * DAY + int((rng.uniform(8, 20.5) - account.ahead[country]) % 24 * HOUR)
    size = int(np.exp(rng.uniform(np.log(10_000), np.log(largest))))
    duration = int(rng.uniform(10, 90)) * MINUTE
    return Campaign(number, country, start, duration, size, float(rng.gamma(9, 1 / 9)), float(rng.uniform(0.01, 0.07)))


@dataclass(frozen=True, slots=True)
class Probabilities:
    """By operator and minute: the failure probability as it wanders, and as the minute's messages share it."""

    mean: Floats
    minute: Floats


def probabilities(account: Account, minutes: int) -> Probabilities:
    """The wandering failure probability: over a day (25 %), from one half hour to the next (15 %), and beta-distributed by the minute."""
    rng = np.random.default_rng((account.seed, 3))
    halves = -(-minutes // 30)
    keep = np.exp(-0.5 / 24)
    steps = rng.standard_normal((halves, account.operators)) * np.sqrt(1 - keep**2)
    steps[0] /= np.sqrt(1 - keep**2)
    drift = np.empty_like(steps)
    now = np.zeros(account.operators)
    for position, step in enumerate(steps):
        now = keep * now + step if position else step
        drift[position] = now
    block = rng.gamma(1 / 0.15**2, 0.15**2, drift.shape)
    mean = np.clip(account.failing * np.exp(0.25 * drift - 0.03) * block, 0.001, 0.4)
    mean = np.repeat(mean.T, 30, axis=1)[:, :minutes]
    together = np.maximum((1 - mean) / (account.dispersion[:, None] ** 2 * mean) - 1, 0.05)
    return Probabilities(mean, rng.beta(mean * together, (1 - mean) * together))


def draw(account: Account, days: int, launched: list[Campaign]) -> Messages:
    """The messages of so many days, before anything is wrong: sent, but without an outcome yet (``decide``)."""
    minutes = days * 1440
    wander = probabilities(account, minutes)
    steady = _steady(account, minutes, wander)
    bursts = [_burst(account, minutes, each, wander) for each in [*campaigns(account, days), *launched]]
    parts = [steady, *(each for each in bursts if len(each))]
    return Messages(*(np.concatenate([getattr(each, name) for each in parts]) for name in Messages.__slots__))


def _steady(account: Account, minutes: int, wander: Probabilities) -> Messages:
    rng = np.random.default_rng((account.seed, 4))
    busy = season(account.ahead, minutes)[account.country]
    halves = rng.gamma(1 / 0.15**2, 0.15**2, (account.operators, -(-minutes // 30)))
    share = (1 - _CAMPAIGN_SHARE) if account.rate * 10_080 > 50_000 else 1.0
    expected = account.rate * share * account.weight[:, None] * busy * np.repeat(halves, 30, axis=1)[:, :minutes]
    counts = rng.poisson(expected).ravel()
    cell = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    operator = (cell // minutes).astype(np.int16)
    sender = np.searchsorted(np.cumsum(account.senders)[:-1], rng.random(len(cell), np.float32)).astype(np.int16)
    sent = (cell % minutes) * np.int32(MINUTE) + rng.integers(0, MINUTE, len(cell), np.int32)
    return _undecided(sent, operator, sender, -1, account.unknown[sender], wander, cell)


def _burst(account: Account, minutes: int, campaign: Campaign, wander: Probabilities) -> Messages:
    rng = np.random.default_rng((account.seed, 5, campaign.number))
    operators = np.flatnonzero(account.country == campaign.country)
    weight = account.weight[operators] / account.weight[operators].sum()
    operator = operators[np.searchsorted(np.cumsum(weight)[:-1], rng.random(campaign.recipients))].astype(np.int16)
    sent = (campaign.start + rng.integers(0, campaign.duration, campaign.recipients)).astype(np.int32)
    inside = sent < minutes * MINUTE
    sent, operator = sent[inside], operator[inside]
    sender = np.full(len(sent), campaign.number % len(account.senders), np.int16)
    cell = operator.astype(np.int32) * np.int32(minutes) + sent // MINUTE
    lists = rng.gamma(1 / 0.2**2, 0.2**2, campaign.duration // MINUTE + 1).astype(np.float32)  # parts of a list differ
    mine = lists[(sent - campaign.start) // MINUTE]
    burst = _undecided(sent, operator, sender, campaign.number, np.minimum(campaign.unknown * mine, 0.95), wander, cell)
    burst.failing *= np.float32(campaign.quality)
    burst.noise *= mine
    return burst


def _undecided(
    sent: NDArray[np.int32],
    operator: NDArray[np.int16],
    sender: NDArray[np.int16],
    campaign: int,
    unknown: Floats,
    wander: Probabilities,
    cell: NDArray[np.int32],
) -> Messages:
    count = len(sent)
    mean = wander.mean.ravel().astype(np.float32)[cell]
    return Messages(
        sent=sent,
        operator=operator,
        sender=sender,
        campaign=np.full(count, campaign, np.int16),
        unknown=unknown.astype(np.float32),
        failing=mean,
        noise=wander.minute.ravel().astype(np.float32)[cell] / mean,
        outcome=np.zeros(count, np.int8),
        reported=np.zeros(count, np.int32),
    )


def decide(account: Account, messages: Messages, carrier: NDArray[np.float32] | None = None) -> None:
    """Draws each message's outcome and when it is reported. ``carrier`` is the probability of being filtered."""
    rng = np.random.default_rng((account.seed, 6))
    count = len(messages)
    filtered = np.float32(CARRIER_SHARE) if carrier is None else carrier
    luck = rng.random(count, np.float32)
    edge = messages.unknown + (1 - messages.unknown) * filtered
    fails = edge + (1 - edge) * np.minimum(messages.failing * messages.noise, np.float32(0.98))
    outcome = messages.outcome
    failed = np.flatnonzero(luck < fails)
    outcome[failed] = _REASONS[np.minimum(np.searchsorted(_REASON_SHARES, rng.random(len(failed))), 2)]
    outcome[luck < edge] = CARRIER_VIOLATION
    outcome[luck < messages.unknown] = UNKNOWN_NUMBER
    delay = np.exp(rng.standard_normal(count, np.float32) * np.float32(SPREAD))
    delay *= account.median.astype(np.float32)[messages.operator]
    heavy = np.flatnonzero((rng.random(count, np.float32) < HEAVY) & (outcome == DELIVERED) | (outcome == ON_HANDSET))
    delay[heavy] = np.minimum(rng.lognormal(np.log(_HEAVY_MEDIAN), _HEAVY_SPREAD, len(heavy)), 47 * HOUR)
    expired = np.flatnonzero(outcome == EXPIRED)
    delay[expired] = rng.choice(_VALIDITY, len(expired)) + rng.exponential(90, len(expired))
    messages.reported[:] = messages.sent + np.maximum(delay, 1).astype(np.int32)
    messages.reported[rng.random(count, np.float32) < _NEVER_REPORTED] = NEVER
