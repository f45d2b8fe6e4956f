"""The kind ``cost``: money spent."""

from typing import Literal

from monitor.config.rules.match import Condition
from monitor.config.rules.threshold import Amount, AmountLevel, Share
from monitor.config.rules.thresholded import Thresholded


class Cost(Thresholded):
    """Fires when the money that messages cost is above or below a threshold."""

    kind: Literal["cost"]
    """The sum of the prices of messages, in the account's currency."""
    above: Amount | None = None
    """Fires when more than this is spent in the window, in the account's currency."""
    below: Amount | None = None
    """Fires when less than this is spent in the window."""
    levels: tuple[AmountLevel, ...] = ()
    """Several thresholds, each with its severity, in place of above or below: one alert that escalates."""
    min_priced: Share = 0.5
    """If fewer messages have a price, there is not enough data. A price that Routee leaves out is not zero."""

    def measured_against(self) -> tuple[Condition, ...]:
        return self.where.conditions
