"""Builds and writes one commit of the pipeline."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from time import perf_counter

import msgspec

from monitor.alerts.evaluation import EvaluationResult, Key
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import kept
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.services import Services
from monitor.dispatch.dispatcher import DispatchPlan, SuppressionEdits
from monitor.model.alert import Alert, Transition
from monitor.routing.acknowledgements import acknowledged, unacknowledged
from monitor.runtime.errors import StoreError
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, Entry
from monitor.window import Unsaved

log = logging.getLogger("monitor")


class Committer:
    """Writes commits, with the rows of an account that have come meanwhile."""

    def __init__(self, store: AsyncStore, services: Services) -> None:
        self._store = store
        self._services = services
        self._trouble = ThrottledLog(log, "the store", services.clock, logging.ERROR)

    async def commit(self, account: AccountPipeline, commit: Commit) -> None:
        """Write it, with the account's rows and quarantined records. Raises StoreError.

        Whatever ends it without their being written, above all a cancelled wait for the store, gives them back to the next commit. A call
        that has begun is finished in any case (`AsyncStore`), and between its end and the return of this nothing can be cancelled.
        """
        window, quarantined, changed = account.evaluator.window, account.quarantined, account.changed
        state, unsaved = account.evaluator.account_state, window.unsaved()
        account.quarantined, account.changed = [], 0
        put_rows(commit, account.name, unsaved)
        commit.asides = quarantined
        commit.facts = {} if state == account.stored_state else {account.name: state}
        began = perf_counter()
        try:
            numbers = await self._store.commit(commit)
        except BaseException as error:
            window.not_saved(unsaved)
            account.quarantined = quarantined + account.quarantined
            account.changed += changed
            if isinstance(error, StoreError):
                self._failed(error)
            raise
        window.saved(unsaved, numbers[0] if numbers else None)
        account.stored_state = state
        self._services.metrics.commit(perf_counter() - began)
        self._services.health.store()
        self._trouble.over()

    def _failed(self, error: StoreError) -> None:
        self._trouble.arose(str(error))
        self._services.metrics.store_error()
        self._services.health.store(str(error))


def final_results(
    accounts: Mapping[str, AccountPipeline], proposal: Proposal, plan: DispatchPlan
) -> dict[str, EvaluationResult]:
    """By account, what is to be committed and applied: the proposal, and of each alert that was shown while it fires, how."""
    results = {name: EvaluationResult() for name in accounts}
    results[proposal.account.name] = replace(proposal.result, alerts=dict(proposal.result.alerts))
    shown = {view.fingerprint: view for view in plan.views if view.status == "firing"}
    for name, result in results.items() if shown else ():
        for key, alert in alerts_after(accounts[name].evaluator, result).items():
            view = shown.get(alert.fingerprint)
            if view is not None:
                result.alerts[key] = msgspec.structs.replace(alert, view=kept(view))
    return results


def alerts_after(evaluator: RuleEvaluator, result: EvaluationResult) -> dict[Key, Alert]:
    """An account's alerts as they are once the result is applied."""
    after = dict(evaluator.every_alert()) | result.alerts
    return {key: alert for key, alert in after.items() if alert is not None}


def commit_of(
    accounts: Mapping[str, AccountPipeline],
    proposal: Proposal,
    results: Mapping[str, EvaluationResult],
    plan: DispatchPlan,
) -> Commit:
    """All that is to be written together, but for the account's rows."""
    cursor = proposal.cursor
    commit = Commit(
        cursors=[] if cursor is None else [cursor],
        transitions=[*proposal.result.transitions, *_transitions_by_people(plan, proposal.edits)],
    )
    for name, result in results.items():
        for (rule, group), alert in result.alerts.items():
            if alert is not None:
                commit.alerts.append(alert)
            elif (before := accounts[name].evaluator.alerts.get(rule, {}).get(group)) is not None:
                commit.dropped_alerts.append(before.fingerprint)
    _put_plan(commit, plan)
    return commit


def is_worth_a_commit(proposal: Proposal, plan: DispatchPlan) -> bool:
    """Whether there is anything to be written."""
    dispatched = plan.groups or plan.dropped or plan.outbox or plan.edits
    return bool(proposal.cursor is not None or proposal.result.alerts or dispatched)


def _put_plan(commit: Commit, plan: DispatchPlan) -> None:
    """Notifications, and the groups, silences and acknowledgements as they are after them."""
    commit.outbox = plan.outbox
    commit.groups = plan.groups if plan.watchdog is None else [*plan.groups, plan.watchdog]
    commit.dropped_groups = [(group.key, group.receiver) for group in plan.dropped]
    commit.silences, commit.dropped_silences = plan.edits.silences, plan.edits.dropped_silences
    commit.acks, commit.dropped_acks = plan.edits.acks, plan.edits.dropped_acks


def put_rows(commit: Commit, account: str, unsaved: Unsaved) -> None:
    """What the store is to keep of the window."""
    blob = unsaved.blob
    commit.journal = [] if blob is None else [(account, blob)]
    commit.cleaned = [(account, seq) for seq in unsaved.cleaned]
    commit.entries = [Entry(account, *entry) for entry in unsaved.entries]


def _transitions_by_people(plan: DispatchPlan, edits: SuppressionEdits) -> Iterator[Transition]:
    """What people have made of alerts, for their history."""
    known = plan.input.known
    yield from (acknowledged(known[ack.fingerprint][0], ack) for ack in edits.acks if ack.fingerprint in known)
    for one in edits.dropped_acks:
        if one in known:
            yield unacknowledged(known[one][0], plan.input.now)
