"""What the last commit left, made into windows, evaluators and groups again; and what a reload makes of those that are there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from monitor.alerts.evaluation import Group as GroupOfRule
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.view import Annotator, Views
from monitor.config.monitor import Config, Receiver, Search
from monitor.config.rules import Rule
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.dispatch.dispatcher import Dispatcher
from monitor.dispatch.watchdog import KEY as WATCHDOG_KEY
from monitor.dispatch.watchdog import WatchdogState
from monitor.ingest.poll import SearchPlan
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.alert import Alert
from monitor.model.privacy import RecipientMask
from monitor.routing.flapping import NEVER, FlappingPolicy, RecentStarts
from monitor.routing.route import AggregationGroup
from monitor.routing.silences import Silences
from monitor.runtime.clock import Duration
from monitor.runtime.errors import StoreDamaged
from monitor.store.protocol import Commit, Cursor, Store, StoredState
from monitor.window import UnreadableBlob, Window
from monitor.window.membership import Fits


def accounts_of(config: Config, loaded: StoredState) -> list[str]:
    """The accounts that are watched, and those that have alerts although they are watched no more."""
    watched = [account.name for account in config.accounts]
    return list(dict.fromkeys([*watched, *(alert.account for alert in loaded.alerts)]))


def restored_window(store: Store, account: str, config: Config, key: bytes) -> Window:
    """An account's window as the store has it; empty where the account is watched no more. Blocking: for a worker thread.

    Raises StoreError, and StoreDamaged where an entry of its journal cannot be read.
    """
    window = Window(account, RecipientMask(config.privacy.recipients, key))
    if account not in {one.name for one in config.accounts}:
        return window
    window.restore_entries([(entry.field, entry.code, entry.value) for entry in store.entries(account)])
    for seq, blob in store.journal(account):
        try:
            window.restore(seq, blob)
        except UnreadableBlob as error:
            raise StoreDamaged(
                f"the messages of account {account} in the store cannot be read ({error}): "
                "restart the daemon; it fetches the last 7 days from Routee again"
            ) from error
    window.restored()
    return window


def restored_or_empty(store: Store, account: str, config: Config, key: bytes) -> tuple[Window, str]:
    """An account's window, and why it is empty where its messages cannot be read: then its searches begin anew.

    Its alerts stay as they are: what they rest on is read again before any of them can be over (`monitor.alerts.evaluator`).
    """
    try:
        return restored_window(store, account, config, key), ""
    except StoreDamaged as error:
        store.commit(Commit(forgotten=[account]))
        return Window(account, RecipientMask(config.privacy.recipients, key)), str(error).partition(": start")[0]


def without_cursors(loaded: StoredState, account: str) -> StoredState:
    """Where an account's searches begin again."""
    return replace(loaded, cursors=[cursor for cursor in loaded.cursors if cursor.account != account])


def restored_evaluator(window: Window, config: Config, rules: tuple[Rule, ...], loaded: StoredState) -> RuleEvaluator:
    """An account's evaluator, with the cursors and alerts that were stored. An account without searches has no rules."""
    account = window.account
    searches = _searches_of(account, config)
    window.membership.searches = _statuses_of(account, config)
    evaluator = RuleEvaluator(window, _rules_of(searches, rules), searches)
    found = [cursor for cursor in loaded.cursors if cursor.account == account and cursor.search in searches]
    evaluator.coverage.cursors = {cursor.search: cursor for cursor in found}
    evaluator.coverage.deepest, evaluator.coverage.every = _deepest_of(account, config), _every_of(account, config)
    evaluator.time_zone = config.time_zone_of(account)
    evaluator.account_state = loaded.facts.get(account, NOTHING_KNOWN)
    for alert in loaded.alerts:
        if alert.account == account:
            group = _in_order(alert, evaluator.rules.get(alert.rule))
            evaluator.put(alert.rule, group, _regrouped(alert, group))
    return evaluator


def restored_dispatcher(config: Config, loaded: StoredState) -> Dispatcher:
    """The groups, silences and acknowledgements as they were, under the routes as they are written now."""
    dispatcher = _dispatcher(config, [group for group in loaded.groups if group.key == WATCHDOG_KEY])
    dispatcher.groups = {(group.receiver, group.key): group for group in loaded.groups if group.key != WATCHDOG_KEY}
    dispatcher.silences = Silences(loaded.silences)
    dispatcher.acks = {ack.fingerprint: ack for ack in loaded.acks}
    dispatcher.begun = RecentStarts(loaded.begun, _flapping(config))
    return dispatcher


def reloaded_accounts(
    accounts: Mapping[str, AccountPipeline],
    config: Config,
    rules: tuple[Rule, ...],
    annotator: Annotator,
    found: "RestoredState",
    afresh: Iterable[tuple[str, str]],
) -> dict[str, AccountPipeline]:
    """The accounts under another configuration; one whose account is watched no more keeps its alerts, until they are told as over.

    ``afresh`` are the searches (account, name) that ask something else than before.
    """
    watched = [account.name for account in config.accounts]
    anew, reloaded = set(afresh), dict[str, AccountPipeline]()
    for account in dict.fromkeys([*watched, *accounts]):
        known = accounts.get(account)
        evaluator = known.evaluator if known is not None else _new_evaluator(account, found)
        evaluator.window = found.windows.get(account, evaluator.window)
        evaluator.window.privacy.mode = config.privacy.recipients
        evaluator.window.membership.searches = _statuses_of(account, config)
        searches = _searches_of(account, config)
        cursors = {name: found.cursors.get((account, name)) for name in searches}
        evaluator.reload(_rules_of(searches, rules), cursors, {name for name in searches if (account, name) in anew})
        evaluator.coverage.deepest, evaluator.coverage.every = _deepest_of(account, config), _every_of(account, config)
        evaluator.time_zone = config.time_zone_of(account)
        _put_in_order(evaluator)
        views = Views(
            evaluator, annotator, distinguish=len(config.accounts) > 1, time_zone=config.time_zone_of(account)
        )
        reloaded[account] = known or AccountPipeline(evaluator, views, stored_state=evaluator.account_state)
        reloaded[account].views = views
    return reloaded


@dataclass(frozen=True, slots=True)
class RestoredState:
    """What the store has of accounts and searches that are not watched yet, and an empty window for each account that is watched no more.

    ``troubles`` says of which accounts the messages cannot be read: their searches begin anew.
    """

    windows: Mapping[str, Window]
    cursors: Mapping[tuple[str, str], Cursor]
    facts: Mapping[str, AccountState]
    troubles: tuple[str, ...] = ()


def returned(store: Store, before: Config, config: Config, key: bytes) -> RestoredState:
    """What a reload needs from the store. Blocking: for a worker thread."""
    known = {account.name for account in before.accounts}
    now = {account.name for account in config.accounts}
    restored = {name: restored_or_empty(store, name, config, key) for name in sorted(known ^ now)}
    windows = {name: window for name, (window, _) in restored.items()}
    troubles = {name: trouble for name, (_, trouble) in restored.items() if trouble}
    searches = {(search.account, search.name) for search in before.searches}
    if all((search.account, search.name) in searches for search in config.searches):
        return RestoredState(windows, {}, {}, tuple(troubles.values()))
    loaded = store.load()
    cursors = {(one.account, one.search): one for one in loaded.cursors if one.account not in troubles}
    return RestoredState(windows, cursors, loaded.facts, tuple(troubles.values()))


def reloaded_dispatcher(config: Config, before: Dispatcher) -> Dispatcher:
    """The groups, silences and acknowledgements as they are, under the routes as they are written now."""
    watchdog = before.watchdog
    dispatcher = _dispatcher(config, [watchdog.group] if watchdog is not None and watchdog.group is not None else [])
    dispatcher.groups, dispatcher.silences = before.groups, before.silences
    dispatcher.acks, dispatcher.begun = before.acks, before.begun
    dispatcher.begun.policy = _flapping(config)
    dispatcher.most_groups = before.most_groups
    return dispatcher


def _new_evaluator(account: str, found: RestoredState) -> RuleEvaluator:
    """Of an account that was never watched since the start."""
    evaluator = RuleEvaluator(found.windows[account], (), ())
    evaluator.account_state = found.facts.get(account, NOTHING_KNOWN)
    return evaluator


def _flapping(config: Config) -> FlappingPolicy:
    return NEVER if config.flapping is None else config.flapping.policy


def _searches_of(account: str, config: Config) -> list[str]:
    return [search.name for search in config.searches if search.account == account]


def _statuses_of(account: str, config: Config) -> dict[str, Fits | None]:
    """The account's searches, each with the statuses that it can return; None: all."""
    asked = {search.name: search.question for search in config.searches if search.account == account}
    return {name: question.can_have if question.by_status else None for name, question in asked.items()}


def _rules_of(searches: list[str], rules: tuple[Rule, ...]) -> list[Rule]:
    """The rules that are judged where these searches are."""
    return [rule for rule in rules if searches and rule.search in (None, *searches)]


def _dispatcher(config: Config, watchdog_groups: list[AggregationGroup]) -> Dispatcher:
    """Without groups but the watchdog's, of which ``watchdog_groups`` are those that are known."""
    web, watchdog = config.web, config.watchdog
    return Dispatcher(
        config.route_tree(),
        {one.name: tuple(one.notified) for one in config.receivers},
        (web.external_url or "") if web is not None else "",
        inhibitions=config.inhibitions,
        editable={one.name: tuple(_editable(one)) for one in config.receivers},
        keeping={one.name: tuple(_keeping(one)) for one in config.receivers},
        watchdog=None if watchdog is None else _watchdog(watchdog.receiver, watchdog.every, watchdog_groups),
    )


def _every_of(account: str, config: Config) -> dict[str, Duration]:
    return {search.name: search.every for search in config.searches if search.account == account}


def _deepest_of(account: str, config: Config) -> dict[str, str | None]:
    return {search.name: _deepest(search) for search in config.searches if search.account == account}


def _deepest(search: Search) -> str | None:
    """What of a cursor's ``swept`` says that the search's history was read: the sweep that looks furthest back, if there is one."""
    resweeps = tuple((sweep.back, sweep.every) for sweep in search.resweep)
    sweeps = SearchPlan(search.account, search.name, search.question, search.every, resweeps).sweeps
    return str(sweeps[0][0]) if sweeps else None


def _editable(receiver: Receiver) -> Iterator[str]:
    """The channels that can change what they were told."""
    return (channel for channel, entry in receiver.channels if entry.edits)


def _keeping(receiver: Receiver) -> Iterator[str]:
    """The channels behind which a program keeps an alert until it gets its end."""
    return (channel for channel, entry in receiver.channels if entry.keeps_alerts)


def _watchdog(receiver: str, every: Duration, watchdog_groups: list[AggregationGroup]) -> WatchdogState:
    return WatchdogState(
        receiver, every, next((group for group in watchdog_groups if group.receiver == receiver), None)
    )


def _put_in_order(evaluator: RuleEvaluator) -> None:
    """Alerts whose rule writes the fields of its groups in another order now find their place again."""
    for name, rule in evaluator.rules.items():
        for group, alert in list(evaluator.alerts.get(name, {}).items()):
            ordered = _in_order(alert, rule)
            if ordered != group:
                evaluator.put(name, group, None)
                evaluator.put(name, ordered, _regrouped(alert, ordered))


def _in_order(alert: Alert, rule: Rule | None) -> GroupOfRule:
    """The alert's group in the order of the rule's fields, which may be written otherwise now."""
    values = dict(alert.group)
    if rule is None or values.keys() != set(rule.grouping):
        return alert.group
    return tuple((name, values[name]) for name in rule.grouping)


def _regrouped(alert: Alert, group: GroupOfRule) -> Alert:
    earlier = None if alert.earlier is None else _regrouped(alert.earlier, group)
    return msgspec.structs.replace(alert, group=group, earlier=earlier)
