"""``campaign``: how each campaign fares, from its first message to its end."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.campaign.progress import CampaignProgress, Flags, progress_of
from monitor.alerts.kinds.campaign.words import EXAMPLES, WORDS, condition, statement, unknown_past
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NOT_ENOUGH, UNHEARD_OF, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered, of
from monitor.alerts.kinds.statistics import wilson
from monitor.alerts.kinds.words import (
    never,
    nothing,
    one_span,
    whole_reach,
)
from monitor.config.rules import FAILED
from monitor.config.rules.campaign import FOLLOWED, Campaign, Problem
from monitor.model.finding import Finding, Unit
from monitor.model.message import UNKNOWN
from monitor.runtime.clock import SECOND
from monitor.window.campaign_progress import BY, Runs
from monitor.window.profile_index import Codes

PROBLEMS: Final[tuple[Problem, ...]] = get_args(Problem)

UNREPORTED: Final = 0.2
"""More messages without a final status than this are no longer handsets that are off."""


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
    progress = progress_of(rule, moment)
    found = {problem: _NUMBERS[problem](rule, moment, progress) for problem in rule.problems}
    positions = {problem: np.flatnonzero(numbers.listed) for problem, numbers in found.items()}
    position = np.concatenate(list(positions.values()))
    which = np.concatenate([np.full(len(some), PROBLEMS.index(problem)) for problem, some in positions.items()])

    def gathered(of: Callable[[_CampaignNumbers], NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([of(found[problem])[some] for problem, some in positions.items()])

    def why(at: int) -> str:
        problem = PROBLEMS[int(which[at])]
        return WORDS[problem](rule, moment, progress, int(position[at]), bool(breached[at] > 0))

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, 0, None, None, "is over: no message and no report for a day")

    breached = gathered(lambda numbers: numbers.breached).astype(np.int64)
    return CampaignResult(
        moment.reading,
        rule.grouping,
        progress.runs.codes[position] * len(PROBLEMS) + which,
        breached,
        gathered(lambda numbers: numbers.value).astype(np.float64),
        np.concatenate([np.full(len(some), found[problem].threshold) for problem, some in positions.items()]),
        gathered(lambda numbers: numbers.messages).astype(np.int64),
        gathered(lambda numbers: numbers.matching).astype(np.int64),
        why,
        absent,
        name=_namer(moment, progress.runs),
    )


def _failing(rule: Campaign, moment: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    """The share that failed among the final; over once the campaign has ended, since nothing can be done about it any more."""
    found, limit = progress.runs, rule.failure_above or 0.0
    final = found.messages - found.waiting
    share = np.divide(found.failed, final, out=np.full(len(found), np.nan), where=final > 0)
    proven = share
    if rule.confidence is not None:
        proven, _ = wilson(found.failed.astype(np.float64), final.astype(np.float64), rule.confidence)
    breached = np.where((proven > limit) & ~progress.ended, len(rule.levels_), 0)
    breached[final < rule.min_messages] = np.where(progress.ended, 0, NOT_ENOUGH)[final < rule.min_messages]
    return _CampaignNumbers(found.messages > 0, breached, share, limit, final, found.failed)


def _stalled(rule: Campaign, moment: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    found, limit = progress.runs, rule.stalled_for or 0
    silent = found.waiting > found.messages * UNREPORTED
    unfinished = (progress.left | silent) & ~progress.is_held & ~progress.ended
    quiet = np.where(unfinished, progress.quiet, 0)
    breached = np.where(unfinished & (quiet >= limit), len(rule.levels_), 0)
    breached[progress.awaited] = NOT_ENOUGH
    value = np.asarray(quiet / SECOND, np.float64)
    return _CampaignNumbers(_followed(rule, progress), breached, value, limit / SECOND, found.messages, found.waiting)


def _short(rule: Campaign, moment: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    found, limit = progress.runs, rule.short_below or 0.0
    recipients = np.maximum(progress.recipients, 1)
    share = np.where(progress.is_known, found.messages / recipients, np.nan)
    breached = np.where(progress.told & (share < limit), len(rule.levels_), 0)
    breached[progress.awaited] = NOT_ENOUGH
    return _CampaignNumbers(
        _followed(rule, progress) & (progress.is_known | progress.awaited),
        breached,
        share,
        limit,
        progress.recipients,
        found.messages,
    )


def _ended(rule: Campaign, moment: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    """The report: the share that was delivered. It is shown for `TOLD_FOR` after the end."""
    found, listed = progress.runs, (progress.told | progress.awaited) & _followed(rule, progress)
    share = found.delivered / np.maximum(found.messages, 1)
    breached = np.where(progress.awaited, NOT_ENOUGH, 1)
    return _CampaignNumbers(listed, breached, share, np.nan, found.messages, found.delivered)


_NUMBERS: Final[dict[Problem, Callable[[Campaign, EvaluationInput, CampaignProgress], _CampaignNumbers]]] = {
    "failing": _failing,
    "stalled": _stalled,
    "short": _short,
    "ended": _ended,
}


def _followed(rule: Campaign, progress: CampaignProgress) -> Flags:
    found = progress.runs
    return (found.messages > 0) & (np.maximum(found.messages, progress.recipients) >= rule.min_messages)


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


def _case(rule: Campaign, moment: EvaluationInput, group: Group) -> RuleCase | None:
    """All messages of one campaign with a final status; nothing carries a stall, or that a campaign has ended."""
    if ("problem", "failing") not in group:
        return None
    asked = of(considered(rule, moment.as_of, FOLLOWED), "final")
    one = tuple((name, value) for name, value in group if name in BY)
    return RuleCase(one, replace(asked, by=BY, seen=True), FAILED, True, False)


def _unit(rule: Campaign, group: Group = ()) -> Unit:
    """Those of its problems differ."""
    problem = dict(group).get("problem", "stalled" if rule.problems == ("stalled",) else "")
    return "seconds" if problem == "stalled" else "share"


KIND: Final = Kind[Campaign](
    model=Campaign,
    evaluate=evaluate,
    unit=_unit,
    matched=nothing,
    condition=condition,
    case=_case,
    wording=Wording(
        measure=statement,
        against=nothing,
        is_amount=False,
        shows_usual=False,
        counts_silence=never,
        axis="",
    ),
    example=Example(unit="share", why=EXAMPLES),
    past=PastEvaluation[Campaign](spans=one_span, looked_at=whole_reach, is_known=True, unknown=unknown_past),
    batch=None,
)
