"""Evaluates rules of the kind ``campaign``: failures, stalls, shortfalls and the end of each campaign."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.kinds.campaign.progress import CampaignProgress, Flags, counted, progress_of
from monitor.alerts.kinds.campaign.words import EXAMPLES, WORDS, condition, statement, unknown_past
from monitor.alerts.kinds.case import RuleCase
from monitor.alerts.kinds.kind import Example, Group, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.result import NO_CODE, NOT_ENOUGH, EvaluationInput, Floats, RuleResult
from monitor.alerts.kinds.rule_query import considered, of
from monitor.alerts.kinds.statistics import wilson
from monitor.alerts.kinds.tuning import Tuning, WrittenThreshold, where_known
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
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work
from monitor.window.campaign_progress import BY, Runs
from monitor.window.profile_index import Codes

PROBLEMS: Final[tuple[Problem, ...]] = get_args(Problem)

UNREPORTED: Final = 0.2
"""Share of messages without a final status above which switched off handsets are no longer the explanation."""


@dataclass(frozen=True, slots=True)
class _CampaignNumbers:
    """One problem's numbers of every campaign; ``listed`` marks the campaigns that are shown."""

    listed: Flags
    breached: NDArray[np.int64]
    value: Floats
    threshold: float
    messages: Codes
    matching: Codes


@dataclass(slots=True, kw_only=True)
class CampaignResult(RuleResult):
    """A result whose groups are pairs of campaign and problem.

    A group's code is the code of the tracking id times the number of problems, plus the index of the problem.
    """

    name: Callable[[int, str], str]
    ended: Flags

    def group(self, at: int) -> tuple[tuple[str, str], ...]:
        """Returns the name, the tracking id and the problem at a position."""
        campaign, problem = divmod(int(self.codes[at]), len(PROBLEMS))
        (tracking_id,) = self.reading.labels(BY, campaign)
        named = ("campaign", self.name(campaign, PROBLEMS[problem]))
        return named, ("campaignTrackingId", tracking_id), ("problem", PROBLEMS[problem])

    def code(self, group: tuple[tuple[str, str], ...]) -> int:
        """Returns the code of one problem of one campaign; NO_CODE if there is none."""
        labels = dict(group)
        campaign = self.reading.code(BY, (labels.get("campaignTrackingId", ""),))
        if campaign is None or labels.get("problem") not in PROBLEMS:
            return NO_CODE
        return campaign * len(PROBLEMS) + PROBLEMS.index(labels["problem"])


def evaluate(rule: Campaign, inputs: EvaluationInput) -> RuleResult:
    """Returns every problem that the rule watches, for every campaign with a message that appeared or changed within a day."""
    progress = progress_of(rule, inputs)
    found = {problem: _NUMBERS[problem](rule, inputs, progress) for problem in rule.problems}
    positions = {problem: np.flatnonzero(numbers.listed) for problem, numbers in found.items()}
    position = np.concatenate(list(positions.values()))
    which = np.concatenate([np.full(len(some), PROBLEMS.index(problem)) for problem, some in positions.items()])

    def gathered(of: Callable[[_CampaignNumbers], NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([of(found[problem])[some] for problem, some in positions.items()])

    def why(at: int) -> str:
        problem = PROBLEMS[int(which[at])]
        return WORDS[problem](rule, inputs, progress, int(position[at]), bool(breached[at] > 0))

    def absent(group: tuple[tuple[str, str], ...]) -> Finding:
        return Finding(group, 0, None, None, "is over: no message and no report for a day")

    breached = gathered(lambda numbers: numbers.breached).astype(np.int64)
    return CampaignResult(
        inputs.reading,
        rule.grouping,
        progress.runs.codes[position] * len(PROBLEMS) + which,
        breached,
        gathered(lambda numbers: numbers.value).astype(np.float64),
        np.concatenate([np.full(len(some), found[problem].threshold) for problem, some in positions.items()]),
        gathered(lambda numbers: numbers.messages).astype(np.int64),
        gathered(lambda numbers: numbers.matching).astype(np.int64),
        why,
        absent,
        name=_namer(inputs, progress.runs),
        ended=progress.ended[position],
    )


def ahead(rule: Campaign, inputs: EvaluationInput) -> Work[None]:
    """Counts the campaigns' messages."""
    counted(rule, inputs)
    yield


def _failing(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    """Returns the failed share of the messages with a final status; not breached once the campaign has ended, when it is too late to act."""
    found, limit = progress.runs, rule.failure_above or 0.0
    final = found.messages - found.waiting
    share = np.divide(found.failed, final, out=np.full(len(found), np.nan), where=final > 0)
    proven = share
    if rule.confidence is not None:
        proven, _ = wilson(found.failed.astype(np.float64), final.astype(np.float64), rule.confidence)
    breached = np.where((proven > limit) & ~progress.ended, len(rule.levels_), 0)
    breached[final < rule.min_messages] = np.where(progress.ended, 0, NOT_ENOUGH)[final < rule.min_messages]
    return _CampaignNumbers(found.messages > 0, breached, share, limit, final, found.failed)


def _stalled(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    found, limit = progress.runs, rule.stalled_for or 0
    silent = found.waiting > found.messages * UNREPORTED
    unfinished = (progress.left | silent) & ~progress.is_held & ~progress.is_cancelled & ~progress.ended
    quiet = np.where(unfinished, progress.quiet, 0)
    breached = np.where(unfinished & (quiet >= limit), len(rule.levels_), 0)
    breached[progress.awaited] = NOT_ENOUGH
    value = np.asarray(quiet / SECOND, np.float64)
    return _CampaignNumbers(_followed(rule, progress), breached, value, limit / SECOND, found.messages, found.waiting)


def _short(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    found, limit = progress.runs, rule.short_below or 0.0
    recipients = np.maximum(progress.recipients, 1)
    share = np.where(progress.is_known, found.messages / recipients, np.nan)
    breached = np.where(progress.ended_recently & (share < limit), len(rule.levels_), 0)
    breached[progress.awaited] = NOT_ENOUGH
    return _CampaignNumbers(
        _followed(rule, progress) & (progress.is_known | progress.awaited),
        breached,
        share,
        limit,
        progress.recipients,
        found.messages,
    )


def _ended(rule: Campaign, inputs: EvaluationInput, progress: CampaignProgress) -> _CampaignNumbers:
    """Returns the report, with the delivered share as its value; it is listed for `TOLD_FOR` after the end."""
    found, listed = progress.runs, (progress.ended_recently | progress.awaited) & _followed(rule, progress)
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


def _namer(inputs: EvaluationInput, found: Runs) -> Callable[[int, str], str]:
    """Returns a function that names a campaign. An alert keeps its first name, because that is part of its identity."""
    kept = {(labels["campaignTrackingId"], labels["problem"]): labels["campaign"] for labels in map(dict, inputs.known)}

    def name(code: int, problem: str) -> str:
        (tracking_id,) = inputs.reading.labels(BY, code)
        if (tracking_id, problem) in kept:
            return kept[tracking_id, problem]
        campaign, at = inputs.account_state.campaigns.get(tracking_id), found.find(code)
        given = int(found.name[at]) if at is not None else -1
        if given >= 0:
            return inputs.reading.window.facets.text("campaign", given)
        return (campaign.state.name if campaign is not None else "") or UNKNOWN

    return name


def _case(rule: Campaign, inputs: EvaluationInput, group: Group) -> RuleCase | None:
    """Returns all messages of one campaign with a final status; None for the other problems, which no messages cause."""
    if ("problem", "failing") not in group:
        return None
    asked = of(considered(rule, inputs.as_of, FOLLOWED), "final")
    one = tuple((name, value) for name, value in group if name in BY)
    return RuleCase(one, replace(asked, by=BY, seen=True), FAILED, True, False)


def _unit(rule: Campaign, group: Group = ()) -> Unit:
    """Returns the unit, which depends on the group's problem."""
    problem = dict(group).get("problem", "stalled" if rule.problems == ("stalled",) else "")
    return "seconds" if problem == "stalled" else "share"


def _thresholds(rule: Campaign) -> tuple[WrittenThreshold, ...]:
    """The lengths of a stall and of what is too short follow from the campaigns, not from how often they are told."""
    if rule.failure_above is None:
        return ()
    return (WrittenThreshold(("failure_above",), "share", rule.failure_above),)


def _reached(rule: Campaign, result: RuleResult) -> Floats:
    """The share that failed, or its bound; 0 once the campaign has ended. NaN for other problems."""
    assert isinstance(result, CampaignResult)
    share = result.value
    if rule.confidence is not None:
        share, _ = wilson(result.matching.astype(np.float64), result.messages.astype(np.float64), rule.confidence)
    is_failing = result.codes % len(PROBLEMS) == PROBLEMS.index("failing")
    share = where_known(result, np.where(result.ended, 0.0, share))
    return np.where(is_failing, share, np.nan)


KIND: Final = Kind[Campaign](
    model=Campaign,
    evaluate=evaluate,
    ahead=ahead,
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
    tuning=Tuning[Campaign](
        thresholds=_thresholds,
        reached=_reached,
        comparison=lambda rule: "above",
        decides=lambda group: ("problem", "failing") in group,
        why_none=lambda rule: "it has no failure_above",
    ),
    batch=None,
)
