"""The kind ``rate``: the share of messages that match, among those considered."""

from typing import ClassVar, Literal

from monitor.config.rules.match import FAILED, Condition, MatchField
from monitor.config.rules.ratio_fields import AtLeastOne, Confidence, Of, among
from monitor.config.rules.threshold import Share, ShareLevel
from monitor.config.rules.thresholded import Thresholded
from monitor.config.yaml import Period


class Rate(Thresholded):
    """Fires when a share of messages is above or below a threshold."""

    most: ClassVar[float | None] = 1.0
    counted_by: ClassVar[tuple[str, ...]] = (*Thresholded.counted_by, "window", "match", "of", "receipts_within")

    kind: Literal["rate"]
    """The share of messages that match, among those considered."""
    match: MatchField = FAILED
    """Which messages are the share; left out: the failed ones (Failed, Undelivered, Unsent)."""
    of: Of = "final"
    """The messages of the denominator: final (a final status was reported), all, or a match."""
    above: Share | None = None
    """Fires when the share is above this: 20%."""
    below: Share | None = None
    """Fires when the share is below this: 80%."""
    levels: tuple[ShareLevel, ...] = ()
    """Several thresholds, each with its severity, in place of above or below: one alert that escalates."""
    min_messages: AtLeastOne = 1
    """With fewer messages in the denominator there is not enough data, and no alert."""
    confidence: Confidence | None = None
    """The confidence that the share is beyond the threshold (95%): the Wilson bound is compared instead of the share itself."""
    receipts_within: Period | None = None
    """Only reports that came so soon after sending count, because late ones are about the past."""

    @property
    def is_of_one_campaign(self) -> bool:
        return "campaign" in self.by or "campaignTrackingId" in self.by

    def meant(self) -> tuple[Condition, ...]:
        return (*super().meant(), *among(self.of), *self.match.conditions)

    def measured_against(self) -> tuple[Condition, ...]:
        return (*self.where.conditions, *among(self.of))
