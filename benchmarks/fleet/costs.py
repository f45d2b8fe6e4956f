"""What a message and a poll take, as measured: all that the simulation of a fleet is driven by."""

from itertools import pairwise
from typing import Final

import msgspec

from monitor.model.routee_query import PAGE_SIZE
from monitor.runtime.clock import HOUR, Duration

HOURS: Final = 24


class EvaluationCost(msgspec.Struct, frozen=True):
    """The processor time of a poll's evaluation by the shipped rules, with new messages, at one size of the window."""

    messages: int
    seconds: float


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one run on one machine. A message is one part. Seconds are of the processor, unless said otherwise."""

    measured_on: str
    """The date."""
    again_seconds: float
    """A message fetched over TLS with gzip, decoded and found unchanged in the window."""
    new_seconds: float
    """The same for one that is new, with its share of the commit to PostgreSQL."""
    restore_seconds: float
    """A message of the store back in the window, as at a takeover."""
    evaluations: list[EvaluationCost]
    memory_bytes: float
    """Resident memory of a message in the window, with what the evaluation of the shipped rules keeps of it."""
    plain_bytes: float
    gzip_bytes: float
    """What comes over the network for a message that is fetched, without headers and TLS."""
    poll_fetched: float
    sweep_fetched: float
    """Messages fetched for each message sent: polls read their overlap again, sweeps what was sent long ago."""
    changed: float
    """Messages that are new or have changed when they are fetched, for each message sent."""
    written: float
    """Rows written for each message sent: those, and rows of old entries of the journal that are written again so that these can go."""
    poll_requests: float
    sweep_requests: float
    """Requests for each message sent."""
    database_bytes: float
    wal_bytes: float
    database_seconds: float
    """What a row written takes in PostgreSQL: on its disk, in its write-ahead log, and of its processors."""
    renewal_wal_bytes: float
    renewal_seconds: float
    """What PostgreSQL writes and works for each lease that is renewed."""
    day: list[float]
    """The share of a day's messages in each hour (UTC) of the local Routee's traffic."""

    def evaluation(self, messages: int) -> float:
        """Returns the seconds of an evaluation: between two sizes on the line between them, beyond the largest on along the last one."""
        lines = list(pairwise(self.evaluations))
        small, large = next((line for line in lines if messages <= line[1].messages), lines[-1])
        slope = (large.seconds - small.seconds) / (large.messages - small.messages)
        return max(small.seconds + slope * (messages - small.messages), 0.0)

    @property
    def fetched(self) -> float:
        """Messages fetched for each message sent."""
        return self.poll_fetched + self.sweep_fetched

    @property
    def requests(self) -> float:
        """Requests for each message sent."""
        return self.poll_requests + self.sweep_requests

    @property
    def fewest_requests(self) -> float:
        """Requests for each message sent, if each page that is fetched were full."""
        return self.fetched / PAGE_SIZE

    def reading(self, sent: float, missed: float = 0) -> float:
        """Returns the seconds until ``sent`` messages are in the store, with all that is fetched again beside them, and ``missed`` ones before,
        which are fetched once."""
        changes = self.changed * (sent + missed) * (self.new_seconds - self.again_seconds)
        return (self.fetched * sent + missed) * self.again_seconds + changes

    def asking(self, sent: float, missed: float = 0) -> float:
        """Returns how many requests that takes; the missed ones come in full pages."""
        return self.requests * sent + missed / PAGE_SIZE

    @property
    def busiest_hour(self) -> int:
        """The hour with the most messages."""
        return max(range(HOURS), key=self.day.__getitem__)

    @property
    def peak(self) -> float:
        """How many times as many messages there are in the busiest hour as on average."""
        return max(self.day) * HOURS

    def sent(self, messages_a_day: int, moment: Duration) -> int:
        """Returns how many messages of an account were sent from the beginning (midnight) until ``moment``."""
        hours, within = divmod(moment, HOUR)
        days, hour = divmod(hours, HOURS)
        share = days + sum(self.day[:hour]) + self.day[hour] * within / HOUR
        return round(messages_a_day * share)
