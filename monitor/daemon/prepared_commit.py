"""One commit and what memory is once it is written, both worked out ahead in pieces.

Nothing may come between a commit and the memory that follows it, so after a commit nothing is left to work out: values are put in their place.
"""

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec

from monitor.alerts.evaluation import EvaluationResult, Group
from monitor.alerts.evaluator import RuleEvaluator
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.committer import commit_of, final_results, is_worth_a_commit
from monitor.dispatch.dispatcher import Apart, Dispatcher, DispatchPlan
from monitor.model.alert import Alert, State
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, paced
from monitor.store.protocol import Commit


@dataclass(frozen=True, slots=True)
class AlertsAfterwards:
    """An account's alerts once a commit is applied, by rule and group, and how many each rule has in each state."""

    alerts: dict[str, dict[Group, Alert]]
    counts: Mapping[tuple[str, State], int]


@dataclass(frozen=True, slots=True)
class PreparedCommit:
    """What is written (None: nothing), and by account what is applied afterwards."""

    commit: Commit | None
    results: Mapping[str, EvaluationResult]
    afterwards: Mapping[str, AlertsAfterwards]


def preparing(
    accounts: Mapping[str, AccountPipeline],
    among: Mapping[str, AccountPipeline],
    proposal: Proposal,
    plan: DispatchPlan,
    dispatcher: Dispatcher,
    apart: Apart | None,
    keeping: Collection[str],
) -> Work[PreparedCommit]:
    """Returns the commit of a proposal and its plan, in pieces. ``accounts`` are all that are held, ``among`` those that the plan is about.

    The accounts, the dispatcher and what is to be committed must not change before it is applied. For ``keeping`` see `commit_of`.
    """
    results = yield from final_results(among, proposal, plan)
    yield
    commit = None
    if is_worth_a_commit(among, proposal, plan, keeping):
        commit = yield from commit_of(accounts, proposal, results, plan, keeping)
        yield
    notified = yield from dispatcher.notifying(plan, apart)
    yield
    afterwards = dict[str, AlertsAfterwards]()
    for name, account in among.items():
        afterwards[name] = yield from _afterwards(account.evaluator, results[name], notified)
    return PreparedCommit(commit, results, afterwards)


def _afterwards(
    evaluator: RuleEvaluator, result: EvaluationResult, notified: Collection[str]
) -> Work[AlertsAfterwards]:
    """Returns the alerts without those that are over and that no receiver shows as firing; ``notified`` has the fingerprints of the others."""
    alerts = {rule: dict(some) for rule, some in evaluator.alerts.items()}
    yield
    for ((rule, group), alert), pauses in paced(result.alerts.items(), AT_ONCE):
        of_rule = alerts.setdefault(rule, {})
        if alert is None:
            of_rule.pop(group, None)
        else:
            of_rule[group] = alert
        if pauses:
            yield
    counts = Counter[tuple[str, State]]()
    for rule, of_rule in alerts.items():
        for (group, alert), pauses in paced(list(of_rule.items()), AT_ONCE):
            counts[rule, alert.state] += 1
            is_over = alert.state == "resolved"
            if (is_over or alert.earlier is not None) and alert.fingerprint not in notified:
                if is_over:
                    del of_rule[group]
                else:
                    of_rule[group] = msgspec.structs.replace(alert, earlier=None, view=None, is_untold=False)
            if pauses:
                yield
    return AlertsAfterwards(alerts, counts)
