"""One account-week: what was sent, what went wrong, and what the polls have seen when."""

from dataclasses import dataclass

import numpy as np

from benchmarks.detection import incidents, traffic
from benchmarks.detection.incidents import Incident
from benchmarks.detection.traffic import Account, Messages

HISTORY = 7
"""Days without incidents before the week that is judged: what detectors may learn from."""
DAYS = HISTORY + 7


@dataclass(slots=True)
class Week:
    """The messages of a fortnight of one account; its second week is judged."""

    account: Account
    messages: Messages
    incidents: list[Incident]

    @property
    def seed(self) -> int:
        return self.account.seed


def generate(seed: int, *, clean: bool = False, rate: float | None = None, operators: int | None = None) -> Week:
    """The same seed, the same week. ``clean``: nothing goes wrong in it."""
    account = traffic.account(seed, rate, operators)
    planned = [] if clean else incidents.plan(account, HISTORY)
    extra = incidents.launched(account, planned, len(traffic.campaigns(account, DAYS)))
    messages = traffic.draw(account, DAYS, extra)
    messages = incidents.happen(account, messages, planned, DAYS)
    return Week(account, messages, planned)


def campaign_countries(week: Week) -> dict[int, int]:
    """Each campaign's country."""
    sent = week.messages
    numbers, first = np.unique(sent.campaign, return_index=True)
    return {int(n): int(week.account.country[sent.operator[i]]) for n, i in zip(numbers, first, strict=True) if n >= 0}
