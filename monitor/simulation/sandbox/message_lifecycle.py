"""Decides the life of a part: when it is sent, how it ends, and when that is reported."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.message import FAILED, UNDELIVERED
from monitor.runtime.clock import DAY, HOUR, SECOND
from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox.messages import NEVER, Ints, Rows
from monitor.simulation.sandbox.tables import DELIVERED_CODE, OUTCOMES

Floats = NDArray[np.float64]


def code_of(status: str, detail: str) -> int:
    """Returns the code of one of the outcomes that every sandbox knows."""
    return next(code for code, each in enumerate(OUTCOMES) if (each.status, each.detail) == (status, detail))


UNKNOWN_NUMBER: Final = code_of(UNDELIVERED, "Unknown Number")
ON_HANDSET: Final = code_of(UNDELIVERED, "Undelivered on Handset")
EXPIRED: Final = code_of(UNDELIVERED, "Expired")
CARRIER_VIOLATION: Final = code_of(UNDELIVERED, "Carrier Violation")
NOT_DELIVERED: Final = code_of(UNDELIVERED, "Undelivered")
DO_NOT_DISTURB: Final = code_of(UNDELIVERED, "DND Error Code")
_REASONS = (
    (0.35, UNKNOWN_NUMBER),
    (0.22, ON_HANDSET),
    (0.15, NOT_DELIVERED),
    (0.08, EXPIRED),
    (0.08, code_of(FAILED, "Failed")),
    (0.05, CARRIER_VIOLATION),
    (0.03, code_of(UNDELIVERED, "Roaming")),
    (0.02, code_of(UNDELIVERED, "Call Barred")),
    (0.02, code_of(UNDELIVERED, "Unknown Status")),
)
_SHARES = np.cumsum([share for share, _ in _REASONS])
_CODES = np.array([code for _, code in _REASONS], np.int16)

_SPREAD = 0.8
_HANDSET_OFF = 0.04
_NEVER_REPORTED = 0.003
_PARTS_DIFFER = 0.05


@dataclass(frozen=True, slots=True)
class Chances:
    """By part: the probability of failing, the median time to the report in seconds, and whether it goes to India."""

    failing: Floats
    median: Floats
    india: NDArray[np.bool_]


def live(rows: Rows, rng: np.random.Generator, chances: Chances, message: Ints) -> None:
    """Sets ``sent_at``, ``last_at`` and ``outcome``. ``message`` says which parts belong together: they mostly have the same outcome."""
    count = len(rows)
    together = rng.random(int(message[-1]) + 1 if count else 0)[message]
    luck = np.where(rng.random(count) < _PARTS_DIFFER, rng.random(count), together)
    rows.outcome[:] = np.where(luck < chances.failing, _reasons(rng, chances.india), np.int16(DELIVERED_CODE))
    queued = rng.lognormal(-0.5, 0.7, count)
    rows.sent_at[:] = rows.created + _whole_seconds(queued)
    rows.last_at[:] = rows.sent_at + np.maximum(_whole_seconds(delays(rng, rows.outcome, chances.median)), SECOND)
    rows.last_at[rng.random(count) < _NEVER_REPORTED] = NEVER


def delays(rng: np.random.Generator, outcome: NDArray[np.int16], median: Floats) -> Floats:
    """Returns the seconds from sending to the last report."""
    count = len(outcome)
    usual = median * rng.lognormal(0, _SPREAD, count)
    off = np.minimum(rng.lognormal(np.log(5400), 1.3, count), 47 * 3600.0)
    late = (rng.random(count) < _HANDSET_OFF) & (outcome == DELIVERED_CODE) | (outcome == ON_HANDSET)
    validity = rng.choice([DAY / SECOND, 12 * HOUR / SECOND, 2 * DAY / SECOND], count)
    expired = validity + rng.exponential(90, count)
    return np.where(outcome == EXPIRED, expired, np.where(late, off, usual))


def _reasons(rng: np.random.Generator, india: NDArray[np.bool_]) -> NDArray[np.int16]:
    position = np.minimum(np.searchsorted(_SHARES, rng.random(len(india))), len(_CODES) - 1)
    disturbed = india & (rng.random(len(india)) < 0.3)
    return np.where(disturbed, np.int16(DO_NOT_DISTURB), _CODES[position])


def _whole_seconds(seconds: Floats) -> Ints:
    return seconds.astype(np.int64) * SECOND
