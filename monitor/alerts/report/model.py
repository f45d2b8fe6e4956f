"""The values of a report. Times are instants, shares are fractions, money is in the account's currency."""

from monitor.alerts.incident_loss import IncidentLoss
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Outbound messages whose present status was reported in a span. ``unpriced`` should have a price and have none."""

    messages: int = 0
    final: int = 0
    delivered: int = 0
    failed: int = 0
    cost: float = 0.0
    unpriced: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.messages + other.messages,
            self.final + other.final,
            self.delivered + other.delivered,
            self.failed + other.failed,
            self.cost + other.cost,
            self.unpriced + other.unpriced,
        )

    @property
    def share(self) -> float | None:
        """The share of delivered messages among those with a final status; None without any."""
        return self.delivered / self.final if self.final else None

    @property
    def cost_per_delivered(self) -> float | None:
        """What one delivered message cost, with what was spent on those that failed; None without any."""
        return self.cost / self.delivered if self.delivered else None


@dataclass(frozen=True, slots=True)
class Compared:
    """The counts of a span, and those of the span of the same length before it; None if that one is not wholly known."""

    now: Counts
    before: Counts | None = None

    @property
    def change(self) -> float | None:
        """How much the share of delivered messages has changed, as a difference of fractions; None if it is not known."""
        before = None if self.before is None else self.before.share
        return None if before is None or self.now.share is None else self.now.share - before


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account. ``as_of`` is the end of its last complete poll (None: there was none), ``known_since`` since when no message is missing;
    ``stale`` says that what happened up to the end of the report was not all seen."""

    name: str
    counts: Compared
    as_of: Instant | None
    known_since: Instant | None
    stale: bool


@dataclass(frozen=True, slots=True)
class TrafficLine:
    """A country, or an operator in a country, of an account."""

    account: str
    country: str
    operator: str
    counts: Compared


@dataclass(frozen=True, slots=True)
class Course:
    """Messages with a final status, and delivered ones, in each step of time from ``start`` on."""

    start: Instant
    step: Duration
    final: tuple[int, ...]
    delivered: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """A campaign with reports in the span; its messages are all that are known of it."""

    account: str
    tracking_id: str
    name: str
    began: Instant
    messages: int
    delivered: int
    failed: int
    waiting: int
    cost: float

    @property
    def share(self) -> float | None:
        """The share of delivered messages among those with a final status."""
        final = self.delivered + self.failed
        return self.delivered / final if final else None


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """An incident that went on in the span: alerts for one cause, or one alert. ``id`` is empty for an alert that is of none.

    ``ended`` is None while it goes on. ``loss`` is None if it is not about messages whose delivery can be counted.
    """

    id: str
    account: str
    fingerprint: str
    title: str
    rules: tuple[str, ...]
    alerts: int
    began: Instant
    ended: Instant | None
    acknowledged_by: str
    loss: IncidentLoss | None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """How often a rule fired in the span, for how long together, and how many of its alerts were acknowledged."""

    rule: str
    alerts: int
    firing: Duration
    acknowledged: int


@dataclass(frozen=True, slots=True)
class BlindRule:
    """A rule that did not fire, and for how long in the span it could not be evaluated.

    ``since`` is when it was evaluated first, if that was in the span; the time before does not count as blind.
    """

    rule: str
    blind: Duration
    since: Instant | None = None


@dataclass(frozen=True, slots=True)
class ReceiverLine:
    """A channel of a receiver: what was sent and given up in the span, what waits now, and the latest error."""

    receiver: str
    channel: str
    sent: int
    dead: int
    waiting: int
    error: str


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What happened in (since, until]. Lists are cut to their most important lines; ``more`` says how many were left out, by list.

    ``lost`` and ``spent_on_lost`` are those of all incidents together, also of those that are left out; None if that is known of none.
    ``never`` are the rules that are switched on, could be evaluated all the time, and did not fire. Of the others that did not fire
    ``younger`` are those that were first evaluated in the span, and ``blind`` those that could not always be evaluated.
    ``notes`` say in sentences what is not known, or not up to date.
    """

    since: Instant
    until: Instant
    made_at: Instant
    time_zone: str
    total: Compared
    accounts: tuple[AccountLine, ...]
    countries: tuple[TrafficLine, ...]
    operators: tuple[TrafficLine, ...]
    course: Course
    campaigns: tuple[CampaignLine, ...]
    incidents: tuple[IncidentLine, ...]
    lost: int | None
    spent_on_lost: float | None
    rules: tuple[RuleLine, ...]
    never: tuple[str, ...]
    younger: tuple[BlindRule, ...]
    blind: tuple[BlindRule, ...]
    receivers: tuple[ReceiverLine, ...]
    more: dict[str, int]
    notes: tuple[str, ...]
    currency: str = ""
    """In which all money is (``EUR``); empty if that is not known of all accounts, or differs."""

    @property
    def failing_receivers(self) -> tuple[ReceiverLine, ...]:
        """The channels that gave something up."""
        return tuple(one for one in self.receivers if one.dead)
