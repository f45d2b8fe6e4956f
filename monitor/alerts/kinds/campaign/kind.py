"""``campaign``: how each campaign fares, from its first message to its end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.campaign.words import WORDS
from monitor.alerts.kinds.result import NOT_ENOUGH, UNHEARD_OF, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered
from monitor.alerts.kinds.statistics import wilson
from monitor.config.rules import Campaign
from monitor.config.rules.campaign import ACTIVE, FOLLOWED, TOLD_FOR, Problem
from monitor.model.finding import Finding
from monitor.model.message import UNKNOWN
from monitor.runtime.clock import HOUR, MINUTE, SECOND, Duration, Instant
from monitor.window.campaign_progress import BY, Runs, runs
from monitor.window.profile_index import Codes

PROBLEMS: Final[tuple[Problem, ...]] = get_args(Problem)

QUIET: Final[Duration] = 15 * MINUTE
"""A campaign that was sent out has ended so long after its last message appeared, if most have their final status then."""
MOST: Final = 0.9
ABANDONED: Final[Duration] = 2 * HOUR
"""In any case it has ended when no message has appeared for so long and nothing is left to be sent."""
LEFT: Final = 0.05
"""Something is left to be sent while more than this share of the recipients has no message, or of the messages is Queued."""
UNREPORTED: Final = 0.2
"""More messages without a final status than this are no longer handsets that are off."""

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
        """Which have ended not long ago."""
        return self.ended & (self.as_of - self.ended_at < TOLD_FOR)

    @property
    def quiet(self) -> Codes:
        """For how long each made no progress: where recipients are missing no message appeared, else nothing changed at all."""
        return np.where(self.missing, self.as_of - self.runs.appeared, self.as_of - self.runs.changed)


@dataclass(frozen=True, slots=True)
class _CampaignNumbers:
    """One problem's numbers of every campaign; ``listed`` are those that are shown."""

    listed: Flags
    breached: NDArray[np.int64]
    value: Floats
    threshold: float
    messages: Codes
    matching: Codes


@dataclass(slots=True, kw_only=True)
class CampaignResult(RuleResult):
    """A judgement whose groups are campaigns and problems: codes are those of tracking ids, times the number of problems, plus the problem's."""

    name: Callable[[int, str], str]

    def group(self, at: int) -> tuple[tuple[str, str], ...]:
        """The name, the tracking id and the problem at a place."""
        campaign, problem = divmod(int(self.codes[at]), len(PROBLEMS))
        (tracking_id,) = self.reading.labels(BY, campaign)
        named = ("campaign", self.name(campaign, PROBLEMS[problem]))
        return named, ("campaignTrackingId", tracking_id), ("problem", PROBLEMS[problem])

    def code(self, group: tuple[tuple[str, str], ...]) -> int:
        """The code of one problem of one campaign."""
        labels = dict(group)
        campaign = self.reading.code(BY, (labels.get("campaignTrackingId", ""),))
        if campaign is None or labels.get("problem") not in PROBLEMS:
            return UNHEARD_OF
        return campaign * len(PROBLEMS) + PROBLEMS.index(labels["problem"])


def evaluate(rule: Campaign, moment: EvaluationInput) -> RuleResult:
    """Every problem that the rule watches of every campaign of which something was heard within a day."""
    course = course_of(rule, moment)
    found = {problem: _NUMBERS[problem](rule, moment, course) for problem in rule.problems}
    places = {problem: np.flatnonzero(numbers.listed) for problem, numbers in found.items()}
    place = np.concatenate(list(places.values()))
    which = np.concatenate([np.full(len(some), PROBLEMS.index(problem)) for problem, some in places.items()])

    def gathered(of: Callable[[_CampaignNumbers], NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([of(found[problem])[some] for problem, some in places.items()])

    def why(at: int) -> str:
        problem = PROBLEMS[int(which[at])]
        return WORDS[problem](rule, moment, course, int(place[at]), bool(breached[at] > 0))

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, 0, None, None, "is over: nothing was heard of it for a day")

    breached = gathered(lambda numbers: numbers.breached).astype(np.int64)
    return CampaignResult(
        moment.reading,
        rule.grouping,
        course.runs.codes[place] * len(PROBLEMS) + which,
        breached,
        gathered(lambda numbers: numbers.value).astype(np.float64),
        np.concatenate([np.full(len(some), found[problem].threshold) for problem, some in places.items()]),
        gathered(lambda numbers: numbers.messages).astype(np.int64),
        gathered(lambda numbers: numbers.matching).astype(np.int64),
        why,
        absent,
        name=_namer(moment, course.runs),
    )


def course_of(rule: Campaign, moment: EvaluationInput) -> CampaignProgress:
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


def _failing(rule: Campaign, moment: EvaluationInput, course: CampaignProgress) -> _CampaignNumbers:
    """The share that failed among the final; over once the campaign has ended, since nothing can be done about it any more."""
    found, limit = course.runs, rule.failure_above or 0.0
    final = found.messages - found.waiting
    share = np.divide(found.failed, final, out=np.full(len(found), np.nan), where=final > 0)
    proven = share
    if rule.confidence is not None:
        proven, _ = wilson(found.failed.astype(np.float64), final.astype(np.float64), rule.confidence)
    breached = np.where((proven > limit) & ~course.ended, len(rule.levels_), 0)
    breached[final < rule.min_messages] = np.where(course.ended, 0, NOT_ENOUGH)[final < rule.min_messages]
    return _CampaignNumbers(found.messages > 0, breached, share, limit, final, found.failed)


def _stalled(rule: Campaign, moment: EvaluationInput, course: CampaignProgress) -> _CampaignNumbers:
    found, limit = course.runs, rule.stalled_for or 0
    silent = found.waiting > found.messages * UNREPORTED
    unfinished = (course.left | silent) & ~course.is_held & ~course.ended
    quiet = np.where(unfinished, course.quiet, 0)
    breached = np.where(unfinished & (quiet >= limit), len(rule.levels_), 0)
    breached[course.awaited] = NOT_ENOUGH
    value = np.asarray(quiet / SECOND, np.float64)
    return _CampaignNumbers(_followed(rule, course), breached, value, limit / SECOND, found.messages, found.waiting)


def _short(rule: Campaign, moment: EvaluationInput, course: CampaignProgress) -> _CampaignNumbers:
    found, limit = course.runs, rule.short_below or 0.0
    recipients = np.maximum(course.recipients, 1)
    share = np.where(course.is_known, found.messages / recipients, np.nan)
    breached = np.where(course.told & (share < limit), len(rule.levels_), 0)
    breached[course.awaited] = NOT_ENOUGH
    return _CampaignNumbers(
        _followed(rule, course) & (course.is_known | course.awaited),
        breached,
        share,
        limit,
        course.recipients,
        found.messages,
    )


def _ended(rule: Campaign, moment: EvaluationInput, course: CampaignProgress) -> _CampaignNumbers:
    """The report: the share that was delivered. It is shown only while it is told."""
    found, listed = course.runs, (course.told | course.awaited) & _followed(rule, course)
    share = found.delivered / np.maximum(found.messages, 1)
    breached = np.where(course.awaited, NOT_ENOUGH, 1)
    return _CampaignNumbers(listed, breached, share, np.nan, found.messages, found.delivered)


_NUMBERS: Final[dict[Problem, Callable[[Campaign, EvaluationInput, CampaignProgress], _CampaignNumbers]]] = {
    "failing": _failing,
    "stalled": _stalled,
    "short": _short,
    "ended": _ended,
}


def _followed(rule: Campaign, course: CampaignProgress) -> Flags:
    found = course.runs
    return (found.messages > 0) & (np.maximum(found.messages, course.recipients) >= rule.min_messages)


def _namer(moment: EvaluationInput, found: Runs) -> Callable[[int, str], str]:
    """What a campaign is called: an alert keeps the name with which it began, since that is part of what it is."""
    kept = {(labels["campaignTrackingId"], labels["problem"]): labels["campaign"] for labels in map(dict, moment.known)}

    def name(code: int, problem: str) -> str:
        (tracking_id,) = moment.reading.labels(BY, code)
        if (tracking_id, problem) in kept:
            return kept[tracking_id, problem]
        fact, at = moment.facts.campaigns.get(tracking_id), found.find(code)
        given = int(found.name[at]) if at is not None else -1
        if given >= 0:
            return moment.reading.window.facets.text("campaign", given)
        return (fact.state.name if fact is not None else "") or UNKNOWN

    return name
