"""What one commit of the pipeline writes, put together from what judging and dispatching propose."""

from collections.abc import Mapping

import msgspec

from monitor.alerts.evaluation import Key
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import kept
from monitor.dispatch.dispatcher import DispatchPlan
from monitor.model.alert import Alert
from monitor.store.protocol import Commit, Entry
from monitor.window import Unsaved

Changes = dict[str, dict[Key, Alert | None]]
"""By account: alerts as they are to be, None: gone."""


def alerts_of(evaluator: RuleEvaluator, fresh: Mapping[Key, Alert | None]) -> dict[Key, Alert]:
    """An account's alerts with these changes."""
    known = {(rule, group): alert for rule, alerts in evaluator.alerts.items() for group, alert in alerts.items()}
    return {key: alert for key, alert in (known | dict(fresh)).items() if alert is not None}


def keep_views(judges: Mapping[str, RuleEvaluator], changes: Changes, told: DispatchPlan) -> None:
    """Alerts remember how they were last shown while they fired: that is one more change."""
    shown = {view.fingerprint: view for view in told.views if view.status == "firing"}
    if not shown:
        return
    for account, fresh in changes.items():
        for key, alert in alerts_of(judges[account], fresh).items():
            view = shown.get(alert.fingerprint)
            if view is not None:
                fresh[key] = msgspec.structs.replace(alert, view=kept(view))


def put_alerts(commit: Commit, judges: Mapping[str, RuleEvaluator], changes: Changes) -> None:
    """Alerts as they are to be, and those that are gone."""
    for account, fresh in changes.items():
        for (rule, group), alert in fresh.items():
            if alert is not None:
                commit.alerts.append(alert)
            elif (before := judges[account].alerts.get(rule, {}).get(group)) is not None:
                commit.dropped_alerts.append(before.fingerprint)


def put_groups(commit: Commit, told: DispatchPlan) -> None:
    """Notifications, and the groups, silences and acknowledgements as they are after them."""
    commit.outbox = told.outbox
    commit.groups = told.groups if told.watchdog is None else [*told.groups, told.watchdog]
    commit.dropped_groups = [(group.key, group.receiver) for group in told.dropped]
    commit.silences, commit.dropped_silences = told.edits.silences, told.edits.dropped_silences
    commit.acks, commit.dropped_acks = told.edits.acks, told.edits.dropped_acks


def is_news(told: DispatchPlan) -> bool:
    """Whether there is anything in it to be written."""
    return bool(told.groups or told.dropped or told.outbox or told.edits)


def put_rows(commit: Commit, account: str, unsaved: Unsaved) -> None:
    """What the store is to keep of the window."""
    blob = unsaved.blob
    commit.journal = [] if blob is None else [(account, blob)]
    commit.cleaned = [(account, seq) for seq in unsaved.cleaned]
    commit.entries = [Entry(account, *entry) for entry in unsaved.entries]
