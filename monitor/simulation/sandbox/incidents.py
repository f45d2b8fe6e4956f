"""Incidents: what goes wrong, for which messages and when, and how it changes them.

An incident affects the messages that are created while it lasts.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final, Literal, get_args

import numpy as np

from monitor.config.yaml import suggest
from monitor.model.message import UNDELIVERED
from monitor.runtime.clock import MINUTE, SECOND, Duration, Instant, iso
from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox.campaigns import SandboxCampaign, new_stream
from monitor.simulation.sandbox.message_lifecycle import CARRIER_VIOLATION, NOT_DELIVERED, UNKNOWN_NUMBER
from monitor.simulation.sandbox.messages import NEVER, Rows
from monitor.simulation.sandbox.population import CAMPAIGNERS, COUNTRIES, STEADY
from monitor.simulation.sandbox.search import Mask
from monitor.simulation.sandbox.tables import StatusOutcome, Tables

Kind = Literal["operator_outage", "carrier_filter", "detailed_status", "slow_delivery", "silence", "failing_campaign"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_SHARES: Final[dict[Kind, float]] = {
    "operator_outage": 0.9,
    "carrier_filter": 0.9,
    "detailed_status": 0.4,
    "slow_delivery": 1.0,
    "silence": 1.0,
    "failing_campaign": 0.6,
}
_DEFAULTS: Final[dict[Kind, dict[str, str]]] = {
    "operator_outage": {"operator": "Cosmote"},
    "carrier_filter": {"sender": "Shop"},
    "detailed_status": {"detail": "Call Barred"},
    "slow_delivery": {"operator": "Cosmote"},
    "silence": {"operator": "Cosmote"},
    "failing_campaign": {},
}


@dataclass(frozen=True, slots=True)
class SandboxIncident:
    """One incident. It hits ``share`` of the messages that have every given value (``campaign`` is a tracking id or a name).

    Affected messages become Undelivered with the detailedStatus ``detail``; ``slower`` multiplies the time to the report.
    """

    id: int
    kind: Kind
    start: Instant
    end: Instant = NEVER
    share: float = 0.9
    operator: str | None = None
    country: str | None = None
    sender: str | None = None
    campaign: str | None = None
    detail: str | None = None
    slower: float = 20.0

    def described(self, now: Instant) -> dict[str, object]:
        """Returns the incident as the sandbox's own API shows it."""
        what = ("operator", "country", "sender", "campaign", "detail")
        given = {name: getattr(self, name) for name in what if getattr(self, name) is not None}
        state = "scheduled" if now < self.start else "active" if now < self.end else "over"
        end = None if self.end == NEVER else iso(self.end)
        return {
            "id": self.id,
            "kind": self.kind,
            "state": state,
            "start": iso(self.start),
            "end": end,
            "share": self.share,
            **given,
        }


def new_incident(number: int, kind: str, start: Instant, end: Instant, what: dict[str, object]) -> SandboxIncident:
    """Returns an incident, with the defaults of its kind for what ``what`` leaves out. Raises ValueError with a sentence for people."""
    known = _known(kind)
    positions = _DEFAULTS[known] if not what.keys() & {"operator", "country", "sender", "campaign", "detail"} else {}
    share, slower = what.pop("share", _SHARES[known]), what.pop("slower", 20.0)
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise ValueError(f"share is {share!r}; it is a fraction above 0 and at most 1, for example 0.9")
    if not isinstance(slower, int | float) or slower <= 0:
        raise ValueError(f"slower is {slower!r}; it is a factor above 0, for example 20")
    texts = {name: _text(name, value) for name, value in (positions | what).items()}
    if known == "detailed_status" and "detail" not in texts:
        texts["detail"] = _DEFAULTS[known]["detail"]
    return SandboxIncident(number, known, start, end, float(share), slower=float(slower), **texts)


def check_place(incident: SandboxIncident, known: Tables) -> None:
    """Raises ValueError with a sentence for people if no message can be of the incident's operator, country or sender."""
    routes, streams = known.routes.entries, known.streams.entries
    operators = [*(name for country in COUNTRIES for name in country.operators), *(route.operator for route in routes)]
    countries = [*(country.code for country in COUNTRIES), *(route.country for route in routes)]
    senders = [
        *(stream.sender for _, stream in STEADY),
        *(campaigner[0] for campaigner in CAMPAIGNERS),
        *(stream.sender for stream in streams),
    ]
    places = {"operator": operators, "country": countries, "sender": senders}
    for name, there in places.items():
        value = getattr(incident, name)
        if value is not None and value not in there:
            raise ValueError(
                f"no message is of the {name} {value!r}{suggest(value, sorted({each for each in there if each is not None}))}"
            )


def apply(incidents: list[SandboxIncident], rows: Rows, known: Tables, seed: int) -> Rows:
    """Returns the rows as the incidents change them. Each incident has its own random numbers, so messages that it does not hit stay the same."""
    for incident in incidents:
        if not len(rows) or rows.created[0] >= incident.end or rows.created[-1] < incident.start:
            continue
        rng = np.random.default_rng((seed, 4, incident.id, int(rows.created[0]) // SECOND))
        hit = _concerned(incident, rows, known) & (rng.random(len(rows)) < incident.share)
        if incident.kind == "silence":
            rows = rows.take(_whole_messages(rows, ~hit))
        else:
            _EFFECTS[incident.kind](incident, rows, np.flatnonzero(hit), known, rng)
    return rows


def failing_campaign(incident: SandboxIncident, seed: int, rate: float) -> SandboxCampaign:
    """Returns the campaign for an incident that names none: a bad list of recipients, all in one country."""
    rng = np.random.default_rng((seed, 5, incident.id))
    country = next((each for each in COUNTRIES if each.code == incident.country), COUNTRIES[0])
    duration: Duration = min(incident.end - incident.start, 20 * MINUTE)
    recipients = max(int(rate * 0.5 * duration / MINUTE), 100)
    return SandboxCampaign(new_stream(rng, incident.id), country, incident.start, duration, recipients)


def _concerned(incident: SandboxIncident, rows: Rows, known: Tables) -> Mask:
    """Returns which rows match the time, place and sender of the incident."""
    mask = (rows.created >= incident.start) & (rows.created < incident.end)
    if incident.operator is not None:
        mask &= known.routes.where(lambda route: route.operator == incident.operator)[rows.route]
    if incident.country is not None:
        mask &= known.routes.where(lambda route: route.country == incident.country)[rows.route]
    if incident.sender is not None:
        mask &= known.streams.where(lambda stream: stream.sender == incident.sender)[rows.stream]
    if incident.campaign is not None:
        named = known.streams.where(lambda stream: incident.campaign in (stream.tracking_id, stream.campaign))
        mask &= named[rows.stream]
    return mask


def _whole_messages(rows: Rows, kept: Mask) -> Mask:
    """Extends a choice from the first part of each message to all its parts."""
    first = np.arange(len(rows)) - rows.part + 1
    whole: Mask = kept[first]
    return whole


Chosen = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Effect = Callable[[SandboxIncident, Rows, Chosen, Tables, np.random.Generator], None]


def _undelivered(code: int, median: float) -> Effect:
    """Returns an effect: affected messages end as ``code`` (or as the incident's detail), reported after about ``median`` seconds."""

    def effect(incident: SandboxIncident, rows: Rows, hit: Chosen, known: Tables, rng: np.random.Generator) -> None:
        outcome = code if incident.detail is None else known.outcomes.code(_outcome(incident.detail, known))
        rows.outcome[hit] = outcome
        seconds = (median * rng.lognormal(0, 0.6, len(hit))).astype(np.int64) + 1
        rows.last_at[hit] = rows.sent_at[hit] + seconds * SECOND

    return effect


def _slowed(incident: SandboxIncident, rows: Rows, hit: Chosen, known: Tables, rng: np.random.Generator) -> None:
    reported = hit[rows.last_at[hit] != NEVER]
    waited = (rows.last_at[reported] - rows.sent_at[reported]) * incident.slower
    rows.last_at[reported] = rows.sent_at[reported] + waited.astype(np.int64) // SECOND * SECOND


_EFFECTS: Final[dict[Kind, Effect]] = {
    "operator_outage": _undelivered(NOT_DELIVERED, 8),
    "carrier_filter": _undelivered(CARRIER_VIOLATION, 3),
    "detailed_status": _undelivered(NOT_DELIVERED, 5),
    "failing_campaign": _undelivered(UNKNOWN_NUMBER, 3),
    "slow_delivery": _slowed,
}


def _outcome(detail: str, known: Tables) -> StatusOutcome:
    """Returns the undelivered outcome with that detailedStatus."""
    mine = (each for each in known.outcomes.entries if each.status == UNDELIVERED and each.detail == detail)
    return next(mine, StatusOutcome(UNDELIVERED, detail))


def _known(kind: str) -> Kind:
    for each in KINDS:
        if each == kind:
            return each
    near = get_close_matches(kind, KINDS, 1)
    raise ValueError(
        f"There is no incident {kind!r}" + (f"; did you mean {near[0]}?" if near else f"; known are {', '.join(KINDS)}")
    )


def _text(name: str, value: object) -> str:
    if name not in ("operator", "country", "sender", "campaign", "detail"):
        raise ValueError(
            f"An incident has no field {name!r}; known are operator, country, sender, campaign, detail, share, slower"
        )
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}; it has to be a text")
    return value
