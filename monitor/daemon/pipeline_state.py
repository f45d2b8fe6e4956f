"""What a pipeline has: the accounts that it holds and the dispatcher, and how alerts are read from them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

import trio

from monitor.alerts.evaluation import EvaluationResult, ViewContext
from monitor.alerts.view import Views
from monitor.daemon.account_pipeline import AccountPipeline, Proposal
from monitor.daemon.committer import alerts_after
from monitor.daemon.elsewhere import Elsewhere
from monitor.daemon.services import Services
from monitor.daemon.smallest_first import SmallestFirst
from monitor.dispatch.dispatcher import Dispatcher
from monitor.model.alert import Alert
from monitor.model.announced_rules import AnnouncedRules
from monitor.model.builtin_alerts import BuiltIn
from monitor.runtime.clock import Instant
from monitor.store.protocol import Cursor

EFFORT: Final = 100.0
"""How much of the past one evaluation of a rule may work through, about 10 ms: see `monitor.alerts.kinds.EvaluationInput`."""

RESTORED_AT_ONCE: Final = 2
"""How many accounts are restored at a time where one after the other is taken over: each further one slows down all, and the daemon's answers."""


class PipelineState:
    """The accounts that are held, in the order of ``order`` (names; others follow), and the dispatcher of their alerts."""

    def __init__(
        self, accounts: Iterable[AccountPipeline], dispatcher: Dispatcher, services: Services, order: Iterable[str]
    ) -> None:
        self.dispatcher = dispatcher
        self.services = services
        self._next_flushes: dict[str, Instant] = {}
        """By account when its groups are flushed again if nothing else happens; of all (empty) where that concerns none."""
        self.windows = trio.Lock()
        """Held by whoever changes a window, and by whoever reads one in pieces: an evaluation until its notifications are planned, a page that
        explains an alert. Who holds it does not wait for the store, nor for another commit.
        """
        self.explaining = trio.Lock()
        """Held by whoever explains an alert, and taken before `windows`: however many ask, whoever changes a window waits for one explanation."""
        self.membership = trio.Lock()
        """Held by whoever reads what the store has of accounts, in order to adopt or to reload them, until everything follows that."""
        self.judged_otherwise: Mapping[str, Sequence[AnnouncedRules]] = {}
        """The accounts that other daemons on the store judge by other rules, and which daemons (`monitor.daemon.rule_sets`): a rule that is missing
        here may be new, so nothing of it is ended or deleted.
        """
        self.put_off: frozenset[str] = frozenset()
        """Those of them whose removed rules, searches and alerts wait for the others to agree."""
        self.restoring = SmallestFirst(RESTORED_AT_ONCE)
        """The turns of accounts that are restored in order to be adopted. Whoever has one takes `membership` at its end only."""
        self._elsewhere = Elsewhere()
        self._order = tuple(order)
        self._news = trio.Event()
        self._hold({account.name: account for account in accounts})

    @property
    def next_flush(self) -> Instant | None:
        """When groups are flushed again if nothing else happens; None: only when something does."""
        return min(self._next_flushes.values(), default=None)

    @property
    def news(self) -> trio.Event:
        """An event that is set once alerts may have changed, and replaced by a new one. Take it before looking, so that no change is missed."""
        return self._news

    @property
    def default_account(self) -> str | None:
        """The name of the account that keeps alerts which are about no account; None while no account is held."""
        return None if self._default is None else self._default.name

    def holds(self, account: str) -> bool:
        """Returns whether the account, or (empty) what concerns no account, is held here."""
        return not account or account in self.accounts

    def cursors(self) -> Iterator[Cursor]:
        """Returns the cursors of all searches."""
        return (one for account in self.accounts.values() for one in account.evaluator.coverage.cursors.values())

    def every_alert(self) -> Iterator[Alert]:
        """Returns all alerts."""
        return (alert for account in self.accounts.values() for _, alert in account.evaluator.every_alert())

    # For people: also of accounts that other daemons hold

    @property
    def elsewhere(self) -> Elsewhere:
        """What is known of the accounts that other daemons hold."""
        return self._elsewhere.without(self.accounts)

    def show_elsewhere(self, elsewhere: Elsewhere) -> None:
        """Takes what is known of the accounts that other daemons hold."""
        self._elsewhere = elsewhere
        self._announce()

    def known_cursors(self) -> Iterator[Cursor]:
        """Returns the cursors of all searches, whoever polls them."""
        return chain(self.cursors(), self.elsewhere.cursors())

    def known_alerts(self) -> Iterator[Alert]:
        """Returns all alerts, whoever evaluates their rules."""
        return chain(self.every_alert(), self.elsewhere.every_alert())

    def alerts(
        self, proposal: Proposal | None = None, among: Collection[str] | None = None
    ) -> Iterator[tuple[Alert, Views, ViewContext]]:
        """Yields all alerts (or those of the accounts ``among``) with what they are rendered by, as they are once the ``proposal`` is applied."""
        for account in self._accounts_of(among).values():
            result, cursor = EvaluationResult(), None
            if proposal is not None and proposal.account is account:
                result, cursor = proposal.result, proposal.cursor
            context = account.evaluator.view_context(result, cursor)
            for _, alert in alerts_after(account.evaluator, result):
                yield alert, account.views, context

    def firing(self, built_in: BuiltIn) -> Iterator[tuple[str, dict[str, str]]]:
        """Yields each of these built-in alerts that fires: the account that keeps it, and its group."""
        for name, account in self.accounts.items():
            for group, alert in account.evaluator.alerts.get(built_in.name, {}).items():
                if alert.state == "firing":
                    yield name, dict(group)

    @property
    def _default(self) -> AccountPipeline | None:
        return next(iter(self.accounts.values()), None)

    def _hold(self, accounts: Mapping[str, AccountPipeline]) -> None:
        """Replaces the accounts. Each one's evaluations work through no more of the past than others can wait for."""
        ordered = dict.fromkeys([*(name for name in self._order if name in accounts), *accounts])
        self.accounts = {name: accounts[name] for name in ordered}
        self._next_flushes = {name: at for name, at in self._next_flushes.items() if not name or name in accounts}
        for account in accounts.values():
            account.evaluator.effort = EFFORT
        self.dispatcher.leads = self.holds(self.dispatcher.leading)

    def _accounts_of(self, among: Collection[str] | None) -> dict[str, AccountPipeline]:
        """Returns the accounts ``among`` those that are held, or (None) all of them, in their order."""
        return {name: one for name, one in self.accounts.items() if among is None or name in among}

    def _flush_all_soon(self) -> None:
        """Lets the flush timer flush all accounts."""
        self._next_flushes[""] = self.services.clock.now()

    def _flush_again(self, among: Collection[str] | None, at: Instant | None) -> None:
        """Takes when the accounts ``among`` the held ones, or (None) all, are flushed again."""
        if among is None:
            self._next_flushes = {}
        for name in self._accounts_of(among) or [""]:
            self._next_flushes.pop(name, None)
            if at is not None:
                self._next_flushes[name] = at

    def _announce(self) -> None:
        """Sets `news`."""
        self._news.set()
        self._news = trio.Event()
