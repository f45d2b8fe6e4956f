"""How campaigns fare: their messages, what Routee says of them, and whether they have ended."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.result import EvaluationInput
from monitor.alerts.kinds.rule_query import considered
from monitor.config.rules.campaign import ACTIVE, FOLLOWED, TOLD_FOR, Campaign
from monitor.runtime.clock import HOUR, MINUTE, Duration, Instant
from monitor.window.campaign_progress import BY, Runs, runs
from monitor.window.profile_index import Codes

QUIET: Final[Duration] = 15 * MINUTE
"""Time after its last message at which a fully sent campaign has ended, if most messages have their final status then."""
MOST: Final = 0.9
ABANDONED: Final[Duration] = 2 * HOUR
"""Time without a new message after which a campaign has ended in any case, if nothing is left to be sent."""
LEFT: Final = 0.05
"""Something is left to be sent while more than this share of the recipients has no message, or of the messages is Queued."""
PATIENCE: Final[Duration] = 5 * MINUTE
"""After a start, so long nothing is said of the progress and the end of a campaign about which Routee is yet to be asked."""

NEVER: Final[Instant] = 1 << 62
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """What is known of each campaign, in arrays of one length.

    ``recipients`` is 0 where not known. ``awaited``: Routee is yet to be asked. ``left``: something is still to be sent.
    ``ended_at`` is NEVER for those under way.
    """

    runs: Runs
    as_of: Instant
    recipients: Codes
    is_held: Flags
    awaited: Flags
    is_known: Flags
    missing: Flags
    left: Flags
    ended_at: Codes

    @property
    def ended(self) -> Flags:
        """Which have ended."""
        return self.ended_at <= self.as_of

    @property
    def told(self) -> Flags:
        """Returns which campaigns ended less than `TOLD_FOR` ago."""
        return self.ended & (self.as_of - self.ended_at < TOLD_FOR)

    @property
    def quiet(self) -> Codes:
        """For how long each made no progress: where recipients are missing no message appeared, else nothing changed at all."""
        return np.where(self.missing, self.as_of - self.runs.appeared, self.as_of - self.runs.changed)


def progress_of(rule: Campaign, moment: EvaluationInput) -> CampaignProgress:
    """How all campaigns that the rule considers fare."""
    found = runs(moment.reading, considered(rule, moment.as_of, FOLLOWED), moment.as_of - ACTIVE, QUIET)
    count = len(found)
    recipients, over_since = np.zeros(count, np.int64), np.zeros(count, np.int64)
    over, held, cancelled, known = (np.zeros(count, np.bool_) for _ in range(4))
    awaited = np.full(count, _is_starting(rule, moment))
    for tracking_id, fact in moment.facts.campaigns.items() if rule.takes_whole_campaigns else ():
        code = moment.reading.code(BY, (tracking_id,))
        at = None if code is None else found.find(code)
        if at is not None:
            awaited[at] = False
            recipients[at], over_since[at] = fact.state.recipients or 0, fact.over_since or 0
            over[at], held[at], cancelled[at] = fact.is_over, fact.is_held, fact.is_cancelled
            start = fact.state.scheduled_at or int(found.began[at])
            known[at] = recipients[at] > 0 and start > moment.covered_since
    missing = (recipients > 0) & ~over & (found.messages < recipients * (1 - LEFT))
    left = (missing | held | awaited | (found.queued > found.messages * LEFT)) & ~cancelled
    sent_out = over | ((recipients > 0) & (found.messages >= recipients))
    ended_at = np.maximum(_end(found, left, sent_out), over_since)
    return CampaignProgress(found, moment.as_of, recipients, held, awaited, known, missing, left, ended_at)


def _is_starting(rule: Campaign, moment: EvaluationInput) -> bool:
    """Whether Routee is asked about campaigns, and has not been for long."""
    since = moment.facts.asking_since
    return rule.takes_whole_campaigns and since is not None and moment.as_of < since + PATIENCE


def _end(found: Runs, left: Flags, sent_out: Flags) -> Codes:
    """When each campaign ended; NEVER where it is under way. Later answers can only move an end that has not come."""
    quiet = found.appeared + QUIET
    settled = np.where(sent_out & (found.settled >= found.messages * MOST), quiet, NEVER)
    final = np.where(found.waiting == 0, np.maximum(quiet, found.changed), NEVER)
    ended = np.minimum(np.minimum(settled, final), found.appeared + ABANDONED)
    return np.where(left | (found.messages == 0), NEVER, ended)
