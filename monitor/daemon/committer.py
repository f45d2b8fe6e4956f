"""Builds the commits of the pipeline and writes them to the store."""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import count, repeat
from time import perf_counter

import msgspec

from monitor.alerts.evaluation import EvaluationResult, Key
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.severities import severity_of
from monitor.alerts.view import kept
from monitor.config.rules import Rule
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.services import Services
from monitor.dispatch.dispatcher import DispatchPlan, SuppressionEdits
from monitor.model.alert import Alert, Transition, recorded_severity
from monitor.model.notification import AlertView
from monitor.routing.acknowledgements import acknowledged, unacknowledged
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import Instant
from monitor.runtime.errors import DecidedTooLate, LeaseLost, StoreError
from monitor.runtime.pieces import Work, paced
from monitor.runtime.throttled_log import ThrottledLog
from monitor.store.async_store import AsyncStore
from monitor.store.protocol import Commit, Entry
from monitor.window import Unsaved

log = logging.getLogger("monitor")


class Committer:
    """Writes commits together with an account's uncommitted rows."""

    def __init__(self, store: AsyncStore, services: Services) -> None:
        self._store = store
        self._services = services
        self._trouble = ThrottledLog(log, "the store", services.clock, logging.ERROR)
        self._failing = ""
        """The account whose commit the store refused last; empty: none, or it was about no account."""

    async def commit(self, account: AccountPipeline | None, commit: Commit) -> None:
        """Writes a commit together with the account's rows and quarantined records, if there is one. Raises StoreError.

        If the write fails or is cancelled, the rows and records wait for the next commit. A write that has begun is always finished
        (`AsyncStore`), and nothing can be cancelled between its end and the return of this method. The commit relies on the account.
        """
        began = perf_counter()
        if account is None:
            await self._write("", commit)
        else:
            commit.relies_on.add(account.name)
            await self._write_with_rows(account, commit)
        self._failing = ""
        self._services.metrics.commit(perf_counter() - began)
        self._services.health.store()
        self._trouble.over()

    async def _write_with_rows(self, account: AccountPipeline, commit: Commit) -> None:
        window, quarantined, changed = account.evaluator.window, account.quarantined, account.changed
        state, unsaved, taken = account.evaluator.account_state, window.unsaved(), window.status_changes.take()
        account.quarantined, account.changed = [], 0
        put_rows(commit, account.name, unsaved)
        commit.quarantined = quarantined
        commit.account_states = {} if state == account.stored_state else {account.name: state}
        try:
            numbers = await self._write(account.name, commit)
        except BaseException:
            window.not_saved(unsaved)
            window.status_changes.put_back(taken)
            account.quarantined = quarantined + account.quarantined
            account.changed += changed
            raise
        window.saved(unsaved, numbers[0] if numbers else None)
        account.stored_state = state
        gone = [rule for name, rule in commit.dropped_first_evaluations if name == account.name]
        account.first_evaluations.take({rule: at for (_, rule), at in commit.first_evaluations.items()}, gone)
        self._services.metrics.delivery.add(account.name, taken)

    async def _write(self, account: str, commit: Commit) -> list[int]:
        try:
            return await self._store.commit(commit)
        except DecidedTooLate:  # then the store works
            raise
        except StoreError as error:
            self._failed(account, error)
            raise

    def _failed(self, account: str, error: StoreError) -> None:
        self._trouble.arose(str(error))
        self._services.metrics.store_error()
        if not isinstance(error, LeaseLost):  # then the store works, and the account is another daemon's
            self._failing = account
            self._services.health.store(str(error))

    def forget(self, account: str) -> None:
        """Forgets an account that is not held any more: no commit for it can end the trouble with the last one."""
        if account == self._failing:
            self._failing = ""
            self._services.health.store()


def final_results(
    accounts: Mapping[str, AccountPipeline], proposal: Proposal, plan: DispatchPlan
) -> Work[dict[str, EvaluationResult]]:
    """Returns, by account, what is committed and applied: the proposal, the view of each firing alert that a notification shows or that is
    not told yet, and the incident of each alert that has begun to fire. It is worked out in pieces."""
    results = {name: EvaluationResult() for name in accounts}
    if proposal.account is not None:
        rules, transitions = proposal.account.evaluator.rules, list[Transition]()
        for one, pauses in paced(proposal.result.transitions, AT_ONCE):
            transitions.append(_completed(one, plan, rules))
            if pauses:
                yield
        results[proposal.account.name] = replace(
            proposal.result, alerts=dict(proposal.result.alerts), transitions=transitions
        )
        yield from _record_severities(results[proposal.account.name])
    told = dict[str, AlertView]()
    for view, pauses in paced(plan.views, AT_ONCE):
        if view.status == "firing":
            told[view.fingerprint] = kept(view)
        if pauses:
            yield
    for fingerprint, pauses in paced(dict.fromkeys([*plan.untold, *told, *plan.incidents]), AT_ONCE):
        known = plan.input.known[fingerprint].alert
        changed, key = results[known.account].alerts, (known.rule, known.group)
        alert = changed.get(key) or known
        changed[key] = msgspec.structs.replace(
            alert,
            view=told.get(fingerprint) or plan.untold.get(fingerprint, alert.view),
            is_untold=fingerprint not in told and (alert.view is None or alert.is_untold),
            incident=plan.incidents.get(fingerprint, alert.incident),
        )
        if pauses:
            yield
    return results


def _record_severities(result: EvaluationResult) -> Work[None]:
    """Has each alert that a transition gave a severity keep it, by which an edit of its rule is noticed (`edited_severities`)."""
    recorded = dict[str, str]()
    for one, pauses in paced(result.transitions, AT_ONCE):
        if one.about and one.about.severity:
            recorded[one.fingerprint] = one.about.severity
        if pauses:
            yield
    for (key, alert), pauses in paced(list(result.alerts.items()) if recorded else (), AT_ONCE):
        if alert is not None and alert.fingerprint in recorded:
            result.alerts[key] = msgspec.structs.replace(alert, severity=recorded[alert.fingerprint])
        if pauses:
            yield


def _completed(one: Transition, plan: DispatchPlan, rules: Mapping[str, Rule]) -> Transition:
    """Returns the transition with the incident that the alert has after the flush, and with its severity."""
    known = plan.input.known.get(one.fingerprint)
    if one.about is None:
        return one
    incident = "" if known is None or known.alert.incident is None else known.alert.incident.id
    severity = severity_of(one.rule, one.about.level, rules)
    if one.about.level and not severity and known is not None:  # its rule is gone
        severity = recorded_severity(known.alert)
    return msgspec.structs.replace(one, about=msgspec.structs.replace(one.about, incident=incident, severity=severity))


def alerts_after(evaluator: RuleEvaluator, result: EvaluationResult) -> Iterator[tuple[Key, Alert]]:
    """Yields an account's alerts as they are once the result is applied. The account must not change before the last one."""
    changed, known = result.alerts, evaluator.alerts
    for key, alert in evaluator.every_alert():
        after = changed.get(key, alert) if changed else alert
        if after is not None:
            yield key, after
    for key, new in changed.items():
        if new is not None and key[1] not in known.get(key[0], ()):
            yield key, new


def commit_of(
    accounts: Mapping[str, AccountPipeline],
    proposal: Proposal,
    results: Mapping[str, EvaluationResult],
    plan: DispatchPlan,
    keeping: Collection[str] = (),
) -> Work[Commit]:
    """Returns the commit, without the account's rows, in pieces.

    Of the accounts in ``keeping`` nothing is deleted that belongs to rules that are gone.
    """
    cursor = proposal.cursor
    found = () if proposal.account is None else results[proposal.account.name].transitions
    edited = [*_edited(proposal.edits), *_edited(plan.edits)]
    known = {one: plan.input.known[one].alert for one in edited if one in plan.input.known}
    commit = Commit(
        cursors=[] if cursor is None else [cursor],
        dropped_rule_states=_dropped_states(accounts, keeping),
        transitions=[*found, *transitions_by_people(known, proposal.edits, plan.input.now)],
        relies_on={name for name, result in results.items() if result.alerts}
        | {known[one].account for one in _edited(plan.edits) if one in known},
        decided_on=proposal.decided_on,
    )
    for name, result in results.items():
        for ((rule, group), alert), pauses in paced(result.alerts.items(), AT_ONCE):
            if alert is not None:
                commit.alerts.append(alert)
            elif (before := accounts[name].evaluator.alerts.get(rule, {}).get(group)) is not None:
                commit.dropped_alerts.append(before.fingerprint)
            if pauses:
                yield
        commit.rule_states |= {(name, rule): state for rule, state in result.kept.items() if state.is_ready}
    if proposal.account is not None:
        _put_first_evaluations(commit, proposal.account, results[proposal.account.name])
        if proposal.account.name in keeping:
            commit.dropped_first_evaluations = []
    _put_plan(commit, plan)
    return commit


def _put_first_evaluations(commit: Commit, account: AccountPipeline, result: EvaluationResult) -> None:
    """Adds as of when rules of the account were evaluated first, and drops those of rules that are gone."""
    known, rules = account.first_evaluations, account.evaluator.rules
    evaluated = {rule: as_of for rule, (as_of, _) in result.evaluated.items()}
    commit.first_evaluations = {(account.name, rule): at for rule, at in known.added(rules, evaluated).items()}
    commit.dropped_first_evaluations = [(account.name, rule) for rule in known.gone(rules)]


def _dropped_states(accounts: Mapping[str, AccountPipeline], keeping: Collection[str]) -> list[tuple[str, str]]:
    """Returns the stored states, by account and rule, of rules that are gone."""
    return [
        (name, rule)
        for name, one in accounts.items()
        if name not in keeping
        for rule in sorted(one.evaluator.dropped_states)
    ]


def is_worth_a_commit(
    accounts: Mapping[str, AccountPipeline], proposal: Proposal, plan: DispatchPlan, keeping: Collection[str]
) -> bool:
    """Returns whether there is anything to write. For ``keeping`` see `commit_of`."""
    dispatched = plan.groups or plan.dropped or plan.outbox or plan.edits or plan.incidents or plan.untold
    decided = proposal.cursor is not None or proposal.result.alerts or dispatched
    return bool(decided or _dropped_states(accounts, keeping))


def _put_plan(commit: Commit, plan: DispatchPlan) -> None:
    """Adds the plan's notifications, groups, silences and acknowledgements to the commit."""
    commit.outbox = plan.outbox
    commit.groups = plan.groups if plan.watchdog is None else [*plan.groups, plan.watchdog]
    commit.dropped_groups = [(group.key, group.receiver, group.account) for group in plan.dropped]
    commit.silences, commit.dropped_silences = plan.edits.silences, plan.edits.dropped_silences
    commit.acks, commit.dropped_acks = plan.edits.acks, plan.edits.dropped_acks


def put_rows(commit: Commit, account: str, unsaved: Unsaved) -> None:
    """Adds the window's changes to the commit, which has no other account's cursors."""
    blob = unsaved.blob
    commit.journal = [] if blob is None else [(account, blob)]
    commit.cleaned = [(account, seq) for seq in unsaved.cleaned]
    commit.entries = [
        entry
        for field, (first, texts) in unsaved.texts.items()
        for entry in map(Entry._make, zip(repeat(account), repeat(field), count(first), texts))
    ]
    commit.cursors = [
        msgspec.structs.replace(one, journal=unsaved.sum[:3], journal_last=unsaved.sum.last) for one in commit.cursors
    ]


def _edited(edits: SuppressionEdits) -> list[str]:
    """Returns the fingerprints of the alerts whose acknowledgement changes."""
    return [*(ack.fingerprint for ack in edits.acks), *edits.dropped_acks]


def transitions_by_people(known: Mapping[str, Alert], edits: SuppressionEdits, now: Instant) -> Iterator[Transition]:
    """Yields the transitions of alerts, given by their fingerprints, that people acknowledged or unacknowledged."""
    yield from (acknowledged(known[ack.fingerprint], ack) for ack in edits.acks if ack.fingerprint in known)
    for one in edits.dropped_acks:
        if one in known:
            yield unacknowledged(known[one], now)
