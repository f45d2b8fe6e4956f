"""The kind ``latency``: a percentile of the time from sending to delivery."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from monitor.config.rules.match import Condition
from monitor.config.rules.ratio_fields import AtLeastOne
from monitor.config.rules.threshold import Seconds, SecondsLevel, size
from monitor.config.rules.thresholded import Thresholded
from monitor.config.yaml import FieldProblem, Number, Period
from monitor.model.message import DELIVERED
from monitor.runtime.clock import SECOND, format_duration


def _bare(value: object) -> object:
    if isinstance(value, str) and (found := re.fullmatch(r"p?(\d{1,3}(?:\.\d{1,9})?)\s*%?", value, re.ASCII)):
        raise ValueError(f"a percentile is a number from 1 to 100: write {found[1]}, not {value!r}")
    return value


def _percentile(value: float) -> float:
    if 0 < value < 1:
        raise ValueError(f"a percentile is 1 to 100: write {value * 100:g}, not {value:g}")
    if not 1 <= value <= 100:
        raise ValueError(f"a percentile is 1 to 100, not {value:g}")
    return value


Percentile = Annotated[
    Number,
    AfterValidator(_percentile),
    BeforeValidator(_bare),
    WithJsonSchema({"type": "number", "minimum": 1, "maximum": 100}),
]


class Latency(Thresholded):
    """Fires when a percentile of delivery latency is above a threshold."""

    kind: Literal["latency"]
    """A percentile of the time from sending to delivery."""
    percentile: Percentile = 95.0
    """Which percentile: with 95, 95 of 100 messages were at least as fast. It is the nearest rank, a latency that occurred."""
    above: Seconds | None = None
    """Fires when the percentile is above this: 30s."""
    below: Seconds | None = None
    """Fires when the percentile is below this."""
    levels: tuple[SecondsLevel, ...] = ()
    """Several thresholds, each with its severity, in place of above or below: one alert that escalates."""
    min_messages: AtLeastOne = 1
    """With fewer messages whose latency is known there is not enough data, and no alert."""
    receipts_within: Period | None = None
    """Only reports that came so soon after sending count: what took hours was waiting for a handset that was off."""

    def measured_against(self) -> tuple[Condition, ...]:
        return (*self.where.conditions, Condition("status", "is", (DELIVERED,)))

    def check_values(self) -> Iterable[FieldProblem]:
        yield from super().check_values()
        for path, comparison, limit, _ in self._thresholds():
            if self.receipts_within is None or comparison == "below":
                continue
            if size(limit) * SECOND >= self.receipts_within:
                within = format_duration(self.receipts_within)
                yield FieldProblem(
                    path, f"can never fire: with receipts_within nothing slower than {within} is looked at"
                )
