"""A simulated account whose alerts are notified, as the daemon does it, to one receiver."""

import msgspec

from monitor.alerts.view import Views
from monitor.daemon.committer import alerts_after
from monitor.dispatch.dispatcher import Dispatcher
from monitor.model.notification import Notification
from monitor.notify.render import Templates
from monitor.routing.route import Route
from monitor.store.protocol import Cursor
from tests.fakes.simulated import Account


class NotifiedAccount(Account):
    """``sent`` are the notifications, oldest first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.views = Views(self.evaluator, Templates())
        self.dispatcher = Dispatcher(Route("ops"), {"ops": ("console/0",)})
        self.sent: list[Notification] = []

    @property
    def episodes(self) -> list[str]:
        """Messages that people get, changes of them not counted."""
        return list(dict.fromkeys(one.episode for one in self.sent))

    def _evaluator(self) -> None:
        cursor = Cursor("main", "all", as_of=self.now, covered_since=self._covered_since)
        result = self.evaluator.evaluate(cursor)
        assert not result.errors, result.errors
        alerts, context = dict(alerts_after(self.evaluator, result)), self.evaluator.view_context(result, cursor)
        plan = self.dispatcher.flush([(alert, self.views, context) for alert in alerts.values()], self.now)
        for key, alert in alerts.items():
            if alert.fingerprint in plan.incidents:
                result.alerts[key] = msgspec.structs.replace(alert, incident=plan.incidents[alert.fingerprint])
        self.evaluator.apply(result, cursor)
        self.dispatcher.apply(plan)
        self.sent += [pending.notification for pending in plan.outbox]
        notified = self.dispatcher.notified_fingerprints()
        for (rule, group), alert in list(self.evaluator.every_alert()):
            if alert.state == "resolved" and alert.fingerprint not in notified:
                self.evaluator.put(rule, group, None)
