"""The progress of campaigns: their messages, what Routee says of them, and whether they have ended."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import EvaluationInput
from monitor.alerts.kinds.rule_query import considered
from monitor.config.rules.campaign import ACTIVE, FOLLOWED, TOLD_FOR, Campaign
from monitor.model.account_state import CampaignAt, is_held
from monitor.runtime.clock import HOUR, MINUTE, Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.window import RelativeQuery
from monitor.window.campaign_progress import BY, Runs, of_campaigns, runs_of
from monitor.window.profile_index import Codes

QUIET: Final[Duration] = 15 * MINUTE
"""Time after its last message at which a fully sent campaign has ended, if most messages have their final status then."""
MOST: Final = 0.9
ABANDONED: Final[Duration] = 2 * HOUR
"""Time without a new message after which a campaign has ended in any case, if nothing is left to be sent."""
LEFT: Final = 0.05
"""Share of recipients without a message, or of Queued messages, above which something is left to be sent."""
PATIENCE: Final[Duration] = 5 * MINUTE
"""Time after the first request for campaigns during which progress and end of a campaign count as unknown until Routee was asked about it."""

NEVER: Final[Instant] = 1 << 62
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """The progress of each campaign, in arrays of one length.

    ``recipients`` is 0 if unknown. ``awaited`` says that Routee was not asked yet, ``left`` that something is still to be sent.
    ``ended_at`` is NEVER for campaigns that are under way.
    """

    runs: Runs
    as_of: Instant
    recipients: Codes
    is_held: Flags
    is_cancelled: Flags
    awaited: Flags
    is_known: Flags
    missing: Flags
    left: Flags
    ended_at: Codes

    @property
    def ended(self) -> Flags:
        """Which campaigns have ended."""
        return self.ended_at <= self.as_of

    @property
    def ended_recently(self) -> Flags:
        """Which campaigns ended less than `TOLD_FOR` ago."""
        return self.ended & (self.as_of - self.ended_at < TOLD_FOR)

    @property
    def quiet(self) -> Codes:
        """How long each campaign made no progress: no new message if recipients are missing, else no change at all."""
        return np.where(self.missing, self.as_of - self.runs.appeared, self.as_of - self.runs.changed)


def counted(rule: Campaign, inputs: EvaluationInput) -> Runs:
    """Returns the messages of all campaigns that the rule considers: what takes longest, counted once for all rules that consider the same, and
    again only when it may have become another."""
    as_of, question = inputs.as_of, considered(rule, inputs.as_of, FOLLOWED)
    codes = inputs.count(of_campaigns(question.moved(as_of - ACTIVE, as_of))).codes
    return inputs.kept_while(
        ("campaigns", RelativeQuery.of(question, as_of)),
        lambda found: found.hold(codes, as_of),
        lambda: runs_of(inputs.reading, question, codes, QUIET),
    )


def progress_of(rule: Campaign, inputs: EvaluationInput) -> CampaignProgress:
    """Returns the progress of all campaigns that the rule considers."""
    found = counted(rule, inputs)
    count = len(found)
    recipients = np.zeros(count, np.int64)
    earlier = _Earlier.of(count)
    over, held, cancelled, known = (np.zeros(count, np.bool_) for _ in range(4))
    awaited = np.full(count, _is_starting(rule, inputs))
    for tracking_id, campaign in inputs.account_state.campaigns.items() if rule.takes_whole_campaigns else ():
        code = inputs.reading.code(BY, (tracking_id,))
        at = None if code is None else found.find(code)
        if at is not None:
            awaited[at] = False
            recipients[at] = campaign.state.recipients or 0
            earlier.note(at, campaign)
            over[at], held[at], cancelled[at] = campaign.is_over, campaign.is_held, campaign.is_cancelled
            start = campaign.state.scheduled_at or int(found.began[at])
            known[at] = recipients[at] > 0 and start > inputs.covered_since
    missing = ~over & _missing(found, recipients)
    left = (missing | held | awaited | _queued(found)) & ~cancelled
    sent_out = over | _all_sent(found, recipients)
    ended_at = earlier.or_later(found, _end(found, left, sent_out))
    return CampaignProgress(found, inputs.as_of, recipients, held, cancelled, awaited, known, missing, left, ended_at)


def _is_starting(rule: Campaign, inputs: EvaluationInput) -> bool:
    """Returns whether Routee is asked about campaigns, and only since less than `PATIENCE`."""
    since = inputs.account_state.asking_since
    return rule.takes_whole_campaigns and since is not None and inputs.as_of < since + PATIENCE


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What Routee said of campaigns before it first said that they are over, and when that was; 0 for others."""

    over_since: Codes
    recipients: Codes
    is_held: Flags

    @classmethod
    def of(cls, count: int) -> "_Earlier":
        return cls(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_))

    def note(self, at: int, campaign: CampaignAt) -> None:
        if campaign.over_since is None or campaign.before_over is None:
            return
        self.over_since[at] = campaign.over_since
        self.recipients[at], self.is_held[at] = campaign.before_over.recipients or 0, is_held(campaign.before_over)

    def or_later(self, found: Runs, end: Codes) -> Codes:
        """Returns the ends. One that had come before Routee said that the campaign is over stays; others do not come before that."""
        left = _missing(found, self.recipients) | self.is_held | _queued(found)
        came = _end(found, left, _all_sent(found, self.recipients))
        return np.where(came <= self.over_since, came, np.maximum(end, self.over_since))


def _missing(found: Runs, recipients: Codes) -> Flags:
    return (recipients > 0) & (found.messages < recipients * (1 - LEFT))


def _all_sent(found: Runs, recipients: Codes) -> Flags:
    return (recipients > 0) & (found.messages >= recipients)


def _queued(found: Runs) -> Flags:
    return found.queued > found.messages * LEFT


def _end(found: Runs, left: Flags, sent_out: Flags) -> Codes:
    """Returns when each campaign ended; NEVER if it is under way."""
    quiet = found.appeared + QUIET
    settled = np.where(sent_out & (found.settled >= found.messages * MOST), quiet, NEVER)
    final = np.where(found.waiting == 0, np.maximum(quiet, found.changed), NEVER)
    ended = np.minimum(np.minimum(settled, final), found.appeared + ABANDONED)
    return np.where(left | (found.messages == 0), NEVER, ended)
