"""Restores evaluators and groups from the store at the start, and adapts them to another configuration at a reload."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

import msgspec

from monitor.alerts.evaluation import Group as GroupOfRule
from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.kinds.rule_state import StoredRuleState
from monitor.alerts.view import Annotator, Views
from monitor.config.monitor import Config, Receiver
from monitor.config.rules import Rule
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.search_plan import deepest_sweeps_of
from monitor.daemon.window_restore import known_to, restored_or_empty
from monitor.dispatch.dispatcher import Dispatcher
from monitor.dispatch.watchdog import WatchdogState
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.alert import Alert
from monitor.routing.flapping import NEVER, FlappingPolicy, RecentStarts
from monitor.routing.silences import Silences
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.clock import Duration, Instant
from monitor.runtime.dataclass import dataclass
from monitor.runtime.pieces import Work, at_once, paced
from monitor.store.protocol import Cursor, StoredState
from monitor.window import Window
from monitor.window.search_results import StatusPredicate

if TYPE_CHECKING:
    from monitor.store.async_store import AsyncStore  # a command that reads the store does without trio


def accounts_to_restore(config: Config, loaded: StoredState) -> list[str]:
    """Returns the configured accounts, and those that still have alerts or states of rules although they were removed."""
    owners = [alert.account for alert in loaded.alerts] + [account for account, _ in loaded.rule_states]
    return list(dict.fromkeys([*(account.name for account in config.accounts), *owners]))


def judged_by(account: str, config: Config, rules: tuple[Rule, ...]) -> list[str]:
    """Returns the names of all that an account's alerts can be about: its searches, and the enabled rules that are evaluated for it."""
    searches = _searches_of(account, config)
    judging = (rule.name for rule in _rules_of(searches, rules) if rule.enabled)
    return [*sorted(f"search {name}" for name in searches), *sorted(f"rule {name}" for name in judging)]


def without_messages(loaded: StoredState, account: str, now: Instant) -> StoredState:
    """Returns the state without an account's cursors, so that its searches start again; its messages until ``now`` are lost."""
    lost_to = known_to((one for one in loaded.cursors if one.account == account), now)
    cursors = [cursor for cursor in loaded.cursors if cursor.account != account]
    return replace(loaded, cursors=cursors, lost=loaded.lost | {account: lost_to})


def restored_evaluator(
    window: Window, config: Config, rules: tuple[Rule, ...], loaded: StoredState, now: Instant | None = None
) -> RuleEvaluator:
    """Returns an account's evaluator with its stored cursors and alerts. An account without searches has no rules.

    Where Routee pushes reports, it is as of the latest one at or before ``now``.
    """
    return at_once(restoring_evaluator(window, config, rules, loaded, now))


def restoring_evaluator(
    window: Window, config: Config, rules: tuple[Rule, ...], loaded: StoredState, now: Instant | None = None
) -> Work[RuleEvaluator]:
    """Does what `restored_evaluator` does, in pieces."""
    account = window.account
    searches = _searches_of(account, config)
    window.search_results.searches = _statuses_of(account, config)
    evaluator = RuleEvaluator(window, _rules_of(searches, rules), searches)
    found = [cursor for cursor in loaded.cursors if cursor.account == account and cursor.search in searches]
    evaluator.coverage.cursors = {cursor.search: cursor for cursor in found}
    evaluator.coverage.deepest, evaluator.coverage.every = (
        deepest_sweeps_of(account, config),
        _every_of(account, config),
    )
    evaluator.coverage.lost_to = loaded.lost_to(account)
    _allow_pushes(evaluator, config)
    if window.is_pushed_to and now is not None:
        evaluator.coverage.pushed_to = window.latest_report(now)
    evaluator.time_zone = config.time_zone_of(account)
    evaluator.account_state = loaded.account_states.get(account, NOTHING_KNOWN)
    states = {rule: data for (owner, rule), data in loaded.rule_states.items() if owner == account}
    evaluator.kept = {rule: StoredRuleState(data) for rule, data in states.items()}
    evaluator.dropped_states = states.keys() - evaluator.rules.keys()
    for alert, pauses in paced(loaded.alerts, AT_ONCE):
        if alert.account == account:
            group = _ordered_group(alert, evaluator.rules.get(alert.rule))
            evaluator.put(alert.rule, group, _regrouped(alert, group))
        if pauses:
            yield
    return evaluator


def views_of(evaluator: RuleEvaluator, config: Config, annotator: Annotator) -> Views:
    """Returns what an account's alerts are shown by."""
    zone = config.time_zone_of(evaluator.account)
    return Views(evaluator, annotator, distinguish=len(config.accounts) > 1, time_zone=zone)


def restored_dispatcher(config: Config, loaded: StoredState) -> Dispatcher:
    """Returns the stored groups, silences and acknowledgements under the configured routes."""
    dispatcher = _dispatcher(config, config.accounts[0].name if config.by_account else "")
    dispatcher.silences = Silences(loaded.silences)
    dispatcher.recent_starts = RecentStarts(policy=_flapping(config))
    dispatcher.adopt(loaded.groups, loaded.acks, loaded.begun)
    return dispatcher


def order_of(config: Config) -> tuple[str, ...]:
    """Returns the accounts in the order in which a pipeline has them that gains and loses accounts; empty for one that always has all."""
    return tuple(account.name for account in config.accounts) if config.by_account else ()


def reloaded_accounts(
    accounts: Mapping[str, AccountPipeline],
    config: Config,
    rules: tuple[Rule, ...],
    annotator: Annotator,
    found: "RestoredState",
    afresh: Iterable[tuple[str, str]],
) -> dict[str, AccountPipeline]:
    """Returns the accounts under another configuration. A removed account keeps its alerts until no receiver shows them as firing.

    ``afresh`` are the searches (account, name) whose query changed. Where several daemons share the accounts, only held ones are returned:
    who takes a new one is decided elsewhere.
    """
    watched = [] if config.by_account else [account.name for account in config.accounts]
    anew, reloaded = set(afresh), dict[str, AccountPipeline]()
    for account in dict.fromkeys([*watched, *accounts]):
        known = accounts.get(account)
        evaluator = known.evaluator if known is not None else _new_evaluator(account, found)
        evaluator.window = found.windows.get(account, evaluator.window)
        evaluator.coverage.lost_to = max(evaluator.coverage.lost_to, found.lost.get(account, 0))
        evaluator.window.privacy.mode = config.privacy.recipients
        evaluator.window.search_results.searches = _statuses_of(account, config)
        searches = _searches_of(account, config)
        cursors = {name: found.cursors.get((account, name)) for name in searches}
        evaluator.reload(_rules_of(searches, rules), cursors, {name for name in searches if (account, name) in anew})
        evaluator.coverage.deepest, evaluator.coverage.every = (
            deepest_sweeps_of(account, config),
            _every_of(account, config),
        )
        _allow_pushes(evaluator, config)
        evaluator.time_zone = config.time_zone_of(account)
        _reorder_groups(evaluator)
        views = views_of(evaluator, config, annotator)
        reloaded[account] = known or AccountPipeline(evaluator, views, stored_state=evaluator.account_state)
        reloaded[account].views = views
    return reloaded


@dataclass(frozen=True, slots=True)
class RestoredState:
    """What the store holds for accounts and searches that a reload adds, and an empty window for each account that it removes.

    ``troubles`` says of which accounts the messages cannot be read; their searches start again. ``lost`` says up to when messages of an account
    were lost.
    """

    windows: Mapping[str, Window]
    cursors: Mapping[tuple[str, str], Cursor]
    account_states: Mapping[str, AccountState]
    troubles: tuple[str, ...] = ()
    lost: Mapping[str, Instant] = field(default_factory=dict)


async def state_for_reload(
    store: "AsyncStore", before: Config, config: Config, key: bytes, now: Instant, held: Collection[str] = ()
) -> RestoredState:
    """Returns what a reload needs from the store. Raises StoreError.

    ``held`` are the accounts that are held; they matter where several daemons share the accounts.
    """
    known = {account.name for account in before.accounts}
    wanted = {account.name for account in config.accounts}
    changed = (known ^ wanted) & set(held) if config.by_account else known ^ wanted
    searches = {(search.account, search.name) for search in before.searches}
    adds = any((search.account, search.name) not in searches for search in config.searches)
    loaded = await store.load(held if config.by_account else None) if adds else StoredState([], [], [])
    restored = {name: await restored_or_empty(store, name, config, key, loaded, now) for name in sorted(changed)}
    windows = {name: window for name, (window, _) in restored.items()}
    troubles = {name: trouble for name, (_, trouble) in restored.items() if trouble}
    for name in troubles:
        loaded = without_messages(loaded, name, now)
    cursors = {(one.account, one.search): one for one in loaded.cursors}
    lost = {name: loaded.lost_to(name) for name in windows}
    return RestoredState(windows, cursors, loaded.account_states, tuple(troubles.values()), lost)


def reloaded_dispatcher(config: Config, before: Dispatcher) -> Dispatcher:
    """Returns the present groups, silences and acknowledgements under the newly configured routes."""
    watchdog = None if before.watchdog is None else before.watchdog.group
    dispatcher = _dispatcher(config, before.leading)
    dispatcher.groups, dispatcher.silences, dispatcher.reported = before.groups, before.silences, before.reported
    dispatcher.recent_starts, dispatcher.missing = before.recent_starts, before.missing
    dispatcher.adopt(() if watchdog is None else (watchdog,), before.acks.values(), ())
    dispatcher.recent_starts.policy = _flapping(config)
    dispatcher.most_groups = before.most_groups
    return dispatcher


def _new_evaluator(account: str, found: RestoredState) -> RuleEvaluator:
    """Returns the evaluator of an account that was not in the configuration since the start."""
    evaluator = RuleEvaluator(found.windows[account], (), ())
    evaluator.account_state = found.account_states.get(account, NOTHING_KNOWN)
    return evaluator


def _flapping(config: Config) -> FlappingPolicy:
    return NEVER if config.flapping is None else config.flapping.policy


def _allow_pushes(evaluator: RuleEvaluator, config: Config) -> None:
    """Tells the evaluator and its window whether Routee pushes the account's reports, and which searches return every message."""
    searches = [search for search in config.searches if search.account == evaluator.account]
    evaluator.coverage.unfiltered = frozenset(one.name for one in searches if not one.question.is_narrow)
    accounts = {account.name for account in config.accounts if account.callback_secret is not None}
    evaluator.window.is_pushed_to = evaluator.account in accounts
    if not evaluator.window.is_pushed_to:
        evaluator.coverage.pushed_to = None


def _searches_of(account: str, config: Config) -> list[str]:
    return [search.name for search in config.searches if search.account == account]


def _statuses_of(account: str, config: Config) -> dict[str, StatusPredicate | None]:
    """Returns the account's searches, each with the statuses that it can return (None: all)."""
    asked = {search.name: search.question for search in config.searches if search.account == account}
    return {name: question.can_have if question.by_status else None for name, question in asked.items()}


def _rules_of(searches: list[str], rules: tuple[Rule, ...]) -> list[Rule]:
    """Returns the rules that these searches are evaluated for."""
    return [rule for rule in rules if searches and rule.search in (None, *searches)]


def _dispatcher(config: Config, leading: str) -> Dispatcher:
    """Returns a dispatcher without groups."""
    web, watchdog = config.web, config.watchdog
    return Dispatcher(
        config.route_tree(),
        {one.name: tuple(one.notified_channels) for one in config.receivers},
        (web.external_url or "") if web is not None else "",
        inhibitions=config.inhibitions,
        editable={one.name: tuple(_editable(one)) for one in config.receivers},
        keeping={one.name: tuple(_keeping(one)) for one in config.receivers},
        watchdog=None if watchdog is None else WatchdogState(watchdog.receiver, watchdog.every, account=leading),
        leading=leading,
    )


def _every_of(account: str, config: Config) -> dict[str, Duration]:
    return {search.name: search.every for search in config.searches if search.account == account}


def _editable(receiver: Receiver) -> Iterator[str]:
    """Yields the channels that can change messages they have sent."""
    return (channel for channel, entry in receiver.channels if entry.can_edit)


def _keeping(receiver: Receiver) -> Iterator[str]:
    """Yields the channels behind which a program keeps an alert open until it is resolved."""
    return (channel for channel, entry in receiver.channels if entry.keeps_alerts)


def _reorder_groups(evaluator: RuleEvaluator) -> None:
    """Moves alerts whose rule now lists the fields of its groups in another order."""
    for name, rule in evaluator.rules.items():
        for group, alert in list(evaluator.alerts.get(name, {}).items()):
            ordered = _ordered_group(alert, rule)
            if ordered != group:
                evaluator.put(name, group, None)
                evaluator.put(name, ordered, _regrouped(alert, ordered))


def _ordered_group(alert: Alert, rule: Rule | None) -> GroupOfRule:
    """Returns the alert's group in the order of the rule's fields."""
    values = dict(alert.group)
    if rule is None or values.keys() != set(rule.grouping):
        return alert.group
    return tuple((name, values[name]) for name in rule.grouping)


def _regrouped(alert: Alert, group: GroupOfRule) -> Alert:
    earlier = None if alert.earlier is None else _regrouped(alert.earlier, group)
    return msgspec.structs.replace(alert, group=group, earlier=earlier)
