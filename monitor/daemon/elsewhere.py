"""What is known of the accounts that other daemons on the store hold: as the store has it, without their messages. For people only."""

from collections.abc import Iterator, Mapping
from dataclasses import field

from monitor.alerts.evaluation import EvaluationResult, ViewContext
from monitor.alerts.view import Views
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.model.alert import Alert
from monitor.routing.acknowledgements import Ack
from monitor.routing.route import AggregationGroup
from monitor.runtime.dataclass import dataclass
from monitor.store.protocol import Cursor


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The accounts by name, their groups by receiver and key, and the acknowledgements of their alerts by fingerprint."""

    accounts: Mapping[str, AccountPipeline] = field(default_factory=dict)
    groups: Mapping[tuple[str, str], AggregationGroup] = field(default_factory=dict)
    acks: Mapping[str, Ack] = field(default_factory=dict)

    def without(self, accounts: Mapping[str, object]) -> "Elsewhere":
        """Returns the same without accounts that are held here by now."""
        if self.accounts.keys().isdisjoint(accounts):
            return self
        left = {name: one for name, one in self.accounts.items() if name not in accounts}
        groups = {key: group for key, group in self.groups.items() if group.account in left}
        return Elsewhere(left, groups, self.acks)

    def with_forgotten(
        self, account: AccountPipeline, groups: Mapping[tuple[str, str], AggregationGroup], acks: Mapping[str, Ack]
    ) -> "Elsewhere":
        """Returns the same with an account that was held here, as it was last known, until the store is read."""
        fingerprints = {alert.fingerprint for _, alert in account.evaluator.every_alert()}
        return Elsewhere(
            {**self.accounts, account.name: account},
            {**self.groups, **{key: group for key, group in groups.items() if group.account == account.name}},
            {**self.acks, **{one: ack for one, ack in acks.items() if one in fingerprints}},
        )

    def every_alert(self) -> Iterator[Alert]:
        """Returns all alerts."""
        return (alert for account in self.accounts.values() for _, alert in account.evaluator.every_alert())

    def cursors(self) -> Iterator[Cursor]:
        """Returns the cursors of all searches."""
        return (one for account in self.accounts.values() for one in account.evaluator.coverage.cursors.values())

    def alerts(self) -> Iterator[tuple[Alert, Views, ViewContext]]:
        """Yields all alerts with what they are rendered by."""
        for account in self.accounts.values():
            context = account.evaluator.view_context(EvaluationResult(), None)
            for _, alert in account.evaluator.every_alert():
                yield alert, account.views, context
