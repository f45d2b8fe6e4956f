"""The model of a file of rule tests."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from monitor.config.rules.labels import Pairs
from monitor.config.yaml import (
    AnyText,
    FieldProblem,
    Name,
    Period,
    PeriodOrZero,
    Text,
    ValidationContext,
    WholeNumber,
    YamlModel,
    Zone,
    near_miss,
)
from monitor.config.yaml.scalar import Fraction, Whole
from monitor.model.message import DELIVERED, SENT, STATUSES
from monitor.runtime.clock import MINUTE, SECOND, Duration, Instant, parse_duration, parse_iso

MOST_MESSAGES: Final = 500_000
"""The most messages of one test; more take minutes to evaluate."""
MOST_STEPS: Final = 100_000
ASKED_EVERY: Final[Duration] = 5 * MINUTE
"""How often the balance is requested while it stays the same."""

_START: Final[Instant] = parse_iso("2026-01-05T00:00:00Z")
_OFFSET: Final = re.compile(r"(-?)((?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?)", re.ASCII)
_ZERO: Final = re.compile(r"-?0[smhd]?")


def _start_time(value: object) -> Instant:
    if not isinstance(value, str):
        raise ValueError("should be a date and time like 2026-11-21T10:00:00Z")
    try:
        return parse_iso(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value[:40]!r} is not a date and time; write it like 2026-11-21T10:00:00Z") from None


def _offset(value: object) -> Duration:
    """Returns a duration relative to the test's start, negative before it."""
    text = value.text if isinstance(value, Whole | Fraction) else value
    if isinstance(text, str) and _ZERO.fullmatch(text):
        return 0
    found = _OFFSET.fullmatch(text) if isinstance(text, str) else None
    if found is None or not found[2]:
        raise ValueError("should be a time after the start, like 0m, 25m or 1h30m (or before it: -2h)")
    return parse_duration(found[2]) * (-1 if found[1] else 1)


def _words(value: object) -> tuple[str, ...]:
    """Returns one text or several as a tuple; a number becomes its text."""
    items = value if isinstance(value, list) else [value]
    words = [item.text if isinstance(item, Whole | Fraction) else item for item in items]
    if not words or not all(isinstance(word, str) and word for word in words):
        raise ValueError("should be text, or a list of texts that are taken in turn")
    return tuple(map(str, words))


def _status(value: str) -> str:
    if meant := near_miss(value, STATUSES):
        raise ValueError(f"{value!r} is not a status; did you mean {meant!r}? (letter case counts)")
    return value


def _latency(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    if isinstance(value, str):
        return 0.0 if _ZERO.fullmatch(value) else parse_duration(value) / SECOND
    raise ValueError("should be a time like 30s, or a number of seconds, at least 0")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("should be a number, at least 0")
    return float(value)


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -float("inf") < value < float("inf"):
        raise ValueError("should be a number")
    return float(value)


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


_TEXTS_SCHEMA: Final = {
    "anyOf": [
        {"type": ["string", "number"]},
        {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1},
    ]
}
StartTime = Annotated[Instant, PlainValidator(_start_time), WithJsonSchema({"type": "string", "format": "date-time"})]
Offset = Annotated[Duration, PlainValidator(_offset), WithJsonSchema({"type": ["string", "integer"]})]
"""A time relative to the test's start."""
Texts = Annotated[tuple[str, ...], PlainValidator(_words), WithJsonSchema(_TEXTS_SCHEMA)]
"""One text for all messages, or a list that is repeated in order; ``{n}`` stands for the number of the message, from 1 on."""
StatusName = Annotated[str, AfterValidator(_status), BeforeValidator(str)]
Seconds = Annotated[float, PlainValidator(_latency), WithJsonSchema({"type": ["string", "number"]})]
NotNegative = Annotated[float, PlainValidator(_number), WithJsonSchema({"type": "number", "minimum": 0})]
Amount = Annotated[float, PlainValidator(_amount), WithJsonSchema({"type": "number"})]
Values = Annotated[tuple[Text, ...], BeforeValidator(_listed), WithJsonSchema(_TEXTS_SCHEMA)]


class Report(YamlModel):
    """What is reported later about each message of a series."""

    after: Period
    """How long after the message was sent."""
    status: StatusName
    """Its status from then on."""
    detailed_status: Texts | None = Field(default=None, alias="detailedStatus")
    """The detailed reason."""
    latency: Seconds | None = None
    """Its latency as Routee gives it; left out: as long as ``after``, once the status is final."""
    price: NotNegative | None = None
    """What a part costs; left out: as before."""


class Series(YamlModel):
    """Messages at equal intervals that differ only in their ids and recipients."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["rate"]}, {"required": ["count"]}],
            "dependentRequired": {"rate": ["during"]},
        }
    )

    at: Offset
    """When the first one is reported."""
    during: PeriodOrZero = 0
    """How long they keep coming."""
    rate: NotNegative | None = None
    """How many a minute."""
    count: Annotated[WholeNumber, Field(ge=1)] | None = None
    """How many in all, in place of rate; without ``during`` all at once."""
    status: StatusName | None = None
    """Left out: Delivered; with ``then``: Sent."""
    then: Annotated[tuple[Report, ...], BeforeValidator(_listed)] = ()
    """What is reported of each message after it was sent: one report, or a list of them."""
    detailed_status: Texts = Field(default=(), alias="detailedStatus")
    """The detailed reason. Like all texts of messages: one for all, or a list whose values take turns. Left out: unknown."""
    operator: Texts = ()
    """The recipients' operator."""
    country: Texts = ()
    """The recipients' country."""
    campaign: Texts = ()
    """The campaign's name."""
    campaign_tracking_id: Texts = Field(default=(), alias="campaignTrackingId")
    """The campaign's tracking id."""
    label: Texts = ()
    """The label."""
    from_: Texts = Field(default=(), alias="from")
    """The sender."""
    to: Texts = ()
    """The recipient; left out: another number for each message."""
    direction: Texts = ()
    """Outbound or Inbound."""
    application_name: Texts = Field(default=(), alias="applicationName")
    """The application that sends them."""
    originating_service: Texts = Field(default=(), alias="originatingService")
    """The service of Routee that they come from."""
    groups: Texts = ()
    """The groups of each message, all of them together."""
    search: Name | None = None
    """The search that returns them; left out: every search that the rules name."""
    latency: Seconds | None = None
    """From sending to the present report, in seconds or like 30s."""
    price: NotNegative | None = None
    """What a part costs."""
    parts: Annotated[WholeNumber, Field(ge=1, le=255)] = 1
    """How many parts each message has."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        if ("rate" in data) == ("count" in data):
            yield FieldProblem((), "needs either rate (messages a minute) or count (messages in all)")
        if "rate" in data and "during" not in data:
            yield FieldProblem((), "needs during: how long messages come at that rate")

    def check_values(self) -> Iterable[FieldProblem]:
        if self.number > MOST_MESSAGES:
            yield FieldProblem(
                (), f"these are {self.number:,} messages; at most {MOST_MESSAGES:,} can be judged in a test"
            )

    @property
    def first_status(self) -> str:
        """The status that each message has when it is first seen."""
        return self.status or (SENT if self.then else DELIVERED)

    @property
    def number(self) -> int:
        """The number of messages."""
        if self.count is not None:
            return self.count
        return -int(-(self.rate or 0.0) * self.during // MINUTE)

    @property
    def distance(self) -> float:
        """Microseconds between two messages."""
        if self.count is None:
            return MINUTE / self.rate if self.rate else 0.0
        return self.during / self.count


class BalanceAnswer(YamlModel):
    """What Routee answers when the balance is requested."""

    at: Offset
    """When it was requested."""
    during: PeriodOrZero = 0
    """How long the answer stays the same: it is requested every 5 minutes. Left out: requested once."""
    amount: Amount
    """What is left; below 0 where the account may owe."""
    currency: AnyText = ""
    """Its currency."""

    @property
    def number(self) -> int:
        """The number of answers."""
        return self.during // ASKED_EVERY + 1


class CampaignAnswer(YamlModel):
    """What Routee answers when the state of a campaign is requested; valid until the next answer about it."""

    at: Offset
    """When it was requested."""
    campaign_tracking_id: Text = Field(alias="campaignTrackingId")
    """The campaign."""
    campaign: AnyText = ""
    """Its name, where its messages have none."""
    state: Text
    """Its state, like Running, Paused or Completed."""
    recipients: Annotated[WholeNumber, Field(ge=0)] | None = None
    """How many recipients it has; left out: Routee does not say."""


class ExpectedAlert(YamlModel):
    """One alert that is expected."""

    status: Literal["firing", "pending", "resolved"] = "firing"
    """Firing alerts are listed completely, others only if they are to be checked."""
    labels: Pairs = Field(default_factory=dict)
    """Labels that it has, among others: alertname, severity, the rule's own, and those of ``by``."""
    severity: Name | None = None
    """The severity."""
    value: Values = ()
    """What its value is: "> 20%", or a list of such comparisons that all hold."""


class ExpectedGroup(YamlModel):
    """The expected state of a group, whether it has an alert or not."""

    labels: Pairs = Field(default_factory=dict)
    """The group: fields of ``by`` and their values."""
    state: Literal["inactive", "pending", "firing", "not_enough_data"]
    """As ``routee-monitor explain`` shows it; not_enough_data is also that of a group without any message."""
    value: Values = ()
    """What its value is."""


class Expectation(YamlModel):
    """What one rule is expected to report at one time."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["alerts"]}, {"required": ["groups"]}]})

    at: Offset
    """When: the evaluation at that time, or the last one before it, is checked."""
    rule: Text
    """The rule's name."""
    alerts: tuple[ExpectedAlert, ...] | None = None
    """Exactly the alerts that fire; [] for none."""
    groups: tuple[ExpectedGroup, ...] = ()
    """Groups to check."""

    @classmethod
    def check_keys(cls, data: Mapping[str, Any], reading: ValidationContext) -> Iterable[FieldProblem]:
        if "alerts" not in data and "groups" not in data:
            yield FieldProblem((), "expects nothing: write alerts (`alerts: []` for none) or groups")

    def check_values(self) -> Iterable[FieldProblem]:
        if self.at < 0:
            yield FieldProblem(("at",), "lies before the start, where nothing is judged")


class RuleTest(YamlModel):
    """Messages, and what is expected for them."""

    name: Text
    """The name that results show."""
    start: StartTime = _START
    """When the first evaluation takes place."""
    every: Period = 30 * SECOND
    """How often the rules are evaluated."""
    history: PeriodOrZero | None = None
    """How far before the start messages are known, of an account that was in use all that time. Left out: messages that are not listed did not
    exist, and the account is as old as its first message.
    """
    time_zone: Zone | None = None
    """The account's time zone, which decides which hours of other days are compared. Left out: that of the configuration, else UTC."""
    messages: tuple[Series, ...] = ()
    """Series of messages."""
    balance: tuple[BalanceAnswer, ...] = ()
    """What Routee answers about the balance, and when; left out: the balance is unknown."""
    campaigns: tuple[CampaignAnswer, ...] = ()
    """What Routee answers about campaigns, and when; left out: only their messages are known."""
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1)]
    """What is expected, and when."""

    def check_values(self) -> Iterable[FieldProblem]:
        total = sum(series.number for series in self.messages)
        if total > MOST_MESSAGES and all(series.number <= MOST_MESSAGES for series in self.messages):
            yield FieldProblem(
                ("messages",), f"these are {total:,} messages; at most {MOST_MESSAGES:,} can be judged in a test"
            )
        if (answers := sum(answer.number for answer in self.balance)) > MOST_STEPS:
            yield FieldProblem(
                ("balance",), f"these are {answers:,} answers; at most {MOST_STEPS:,} can be given in a test"
            )
        if self.end // self.every > MOST_STEPS:
            yield FieldProblem(
                ("every",), f"gives over {MOST_STEPS:,} evaluations up to the last expectation; write a longer one"
            )

    @property
    def end(self) -> Duration:
        """The time of the last expectation, relative to the start."""
        return max(expected.at for expected in self.expect)


class RuleTests(YamlModel):
    """The content of a file of rule tests."""

    rules: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Rule files, globs or folders, relative to this file."""
    tests: Annotated[tuple[RuleTest, ...], Field(min_length=1)]
    """The tests."""

    def check_values(self) -> Iterable[FieldProblem]:
        names: dict[str, int] = {}
        for index, test in enumerate(self.tests):
            if names.setdefault(test.name, index) != index:
                yield FieldProblem(
                    ("tests", index, "name"), f"tests[{names[test.name]}] has this name already; names are unique"
                )
