"""The models of accounts and searches, the sources of messages."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from monitor.config.yaml import (
    FieldProblem,
    Flag,
    Name,
    Number,
    Period,
    PeriodOrZero,
    Secret,
    Text,
    Url,
    ValidationContext,
    WholeNumber,
    YamlModel,
    Zone,
    near_miss,
    suggest,
)
from monitor.model.message import STATUSES
from monitor.model.routee_query import FILTER_FIELDS, Filter, Operator, RouteeQuery
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Duration


class Account(YamlModel):
    """One Routee account and the limits for requests to it."""

    secrets = ("application_id", "application_secret", "callback_secret")

    name: Name
    """The account's name in this file."""
    application_id: Secret
    """The application's id, from Routee's console."""
    application_id_file: Text | None = None
    """A file that holds the application's id."""
    application_secret: Secret
    """The application's secret."""
    application_secret_file: Text | None = None
    """A file that holds the application's secret. A bare name is searched for in $CREDENTIALS_DIRECTORY first."""
    api_url: Url = "https://connect.routee.net"
    """Where Routee's API is."""
    auth_url: Url = "https://auth.routee.net"
    """Where tokens come from."""
    requests_per_second: Annotated[Number, Field(gt=0, le=1000)] = 5.0
    """The most requests a second."""
    concurrency: Annotated[WholeNumber, Field(ge=1, le=100)] = 4
    """The most requests at a time."""
    callback_secret: Secret | None = None
    """Lets Routee push reports: what a request to /callbacks/routee/NAME must carry, as ?secret= or as the password of Basic authentication."""
    callback_secret_file: Text | None = None
    """A file that holds the secret of callbacks."""
    time_zone: Zone = "UTC"
    """The time zone whose days and hours people mean: of baselines of the same hour, and of times in notifications and reports."""


_OPERATORS: Final[tuple[tuple[Operator, str], ...]] = (
    ("is", "is_"),
    ("is_not", "is_not"),
    ("contains", "contains"),
    ("starts_with", "starts_with"),
    ("ends_with", "ends_with"),
)
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {"status.status": STATUSES, "direction": ("Inbound", "Outbound")}


def _filter_field(name: str) -> str:
    name = "status.status" if name == "status" else name
    if name not in FILTER_FIELDS:
        known = ["status" if field == "status.status" else field for field in FILTER_FIELDS]
        raise ValueError(f"Routee has no filter on {name!r}{suggest(name, known)}")
    return name


class SearchFilter(YamlModel):
    """One of Routee's own filters: a field, an operator and the text to compare with."""

    field: Annotated[Text, AfterValidator(_filter_field)]
    """smsId, to, status, direction, label or campaign."""
    is_: Text | None = Field(default=None, alias="is")
    """The field is this."""
    is_not: Text | None = None
    """The field is anything else."""
    contains: Text | None = None
    """The field contains this."""
    starts_with: Text | None = None
    """The field begins with this."""
    ends_with: Text | None = None
    """The field ends with this."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        written = [operator for operator, _ in _OPERATORS if operator in data]
        if len(written) != 1:
            yield FieldProblem((), f"needs exactly one of {', '.join(operator for operator, _ in _OPERATORS)}")

    def check_values(self) -> Iterable[FieldProblem]:
        wanted = self.filter
        whole = _WORDS.get(self.field, ()) if wanted.operator in ("is", "is_not") else ()
        if meant := near_miss(wanted.term, whole):
            yield FieldProblem((wanted.operator,), f"{wanted.term!r} is not a {self.field}; did you mean {meant!r}?")

    @property
    def filter(self) -> Filter:
        """As Routee takes it."""
        for operator, name in _OPERATORS:
            term = getattr(self, name)
            if term is not None:
                return Filter(self.field, term, operator)
        return Filter(self.field, "")


def _within_history(back: Duration) -> Duration:
    if back > 7 * DAY:
        raise ValueError("is longer than 7d; Routee gives back at most 7 days")
    return back


class Resweep(YamlModel):
    """How later status changes are found: the messages of this span are read again, this often."""

    back: Annotated[Period, AfterValidator(_within_history)]
    """How far back messages are read again, at most 7d."""
    every: Period
    """How often."""


def _usual_resweeps() -> tuple[Resweep, ...]:
    usual = ((5 * MINUTE, 30 * SECOND), (HOUR, 5 * MINUTE), (DAY, HOUR), (7 * DAY, 6 * HOUR))
    return tuple(Resweep.model_construct(back=back, every=every) for back, every in usual)


class Search(YamlModel):
    """What is polled: every message that it returns feeds the rules."""

    name: Name
    """The search's name, for rules."""
    account: Name
    """Of which account; may be left out where there is one."""
    filters: tuple[SearchFilter, ...] = ()
    """Routee's own filters; a message must pass all of them."""
    campaign: Flag | None = None
    """true: only messages that belong to a campaign."""
    tracking_id: Text | None = None
    """Only messages of the campaign with this tracking id."""
    every: Period = 30 * SECOND
    """How often the newest messages are polled."""
    resweep: tuple[Resweep, ...] = Field(default_factory=_usual_resweeps)
    """How later status changes are seen."""
    settle: PeriodOrZero = 0
    """How long messages are given to become visible before rules evaluate them."""

    @property
    def question(self) -> RouteeQuery:
        """What Routee is asked."""
        return RouteeQuery(tuple(entry.filter for entry in self.filters), self.campaign, self.tracking_id)
