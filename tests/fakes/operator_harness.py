"""A harness whose operators fail as a test says, with silences and acknowledgements made by hand."""

from typing import Any

from monitor.model.alert import Alert
from monitor.model.notification import Notification
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE, Duration
from monitor.store.protocol import Commit
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

RULES = """
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 1m
    levels: [{above: 20%, severity: warning}, {above: 60%, severity: critical}]
"""
AT_ONCE = CONFIG.replace("group_wait: 10s", "group_wait: 0s")
TWO = AT_ONCE.replace("receivers:\n", "receivers:\n  - {name: oncall, console: [{}]}\n")


class OperatorHarness:
    """A pipeline with rules about operators. ``told`` lists the notifications in the outbox. By default, a poll comes a minute after the last."""

    def __init__(self, rules: str = RULES, config: str = AT_ONCE) -> None:
        self.rules, self.config = rules, config
        self.clock = HandClock()
        self.harness = PipelineHarness(settings(rules, config), self.clock)

    async def poll(self, later: int = MINUTE, **failing: int | None) -> None:
        self.clock.at += later
        await self.harness.poll([row for name, bad in failing.items() for row in traffic(bad or 0, operator=name)])

    async def flush(self, later: int = 0) -> None:
        self.clock.at += later
        await self.harness.pipeline.flush()

    async def restart(self, rules: str | None = None, config: str | None = None) -> None:
        self.rules, self.config = rules or self.rules, config or self.config
        await self.harness.restart(settings(self.rules, self.config))

    async def lose_alerts(self, *operators: str) -> None:
        """Restarts with a store that has lost the alerts of these operators; without any, all alerts."""
        alerts = self.harness.store.load().alerts
        lost = [one.fingerprint for one in alerts if not operators or dict(one.group).get("operator") in operators]
        self.harness.store.commit(Commit(dropped_alerts=lost))
        await self.restart()

    async def silence(self, matchers: str, lasts: Duration = HOUR, **more: Any) -> str:
        """Silences from now on; returns the silence's id."""
        now = self.clock.at
        one = f"silence-{len(self.harness.pipeline.dispatcher.silences.all())}"
        fields = {"starts_at": now, "ends_at": now + lasts} | more
        silence = Silence(one, parse_matchers(matchers), created_by="Ann", comment="why", updated_at=now, **fields)
        await self.harness.actions.put_silence(silence)
        return one

    def alert(self, operator: str) -> Alert:
        """Returns the alert of that operator."""
        for alert in self.harness.pipeline.accounts["main"].evaluator.alerts["Failing"].values():
            if ("operator", operator) in alert.group:
                return alert
        raise AssertionError(f"{operator} has no alert")

    async def ack(self, operator: str, until: int | None = None) -> None:
        await self.harness.actions.acknowledge(self.alert(operator).fingerprint, "Ann", "", until)

    @property
    def told(self) -> list[Notification]:
        return self.harness.told

    @property
    def last(self) -> Notification:
        return self.told[-1]

    def to(self, receiver: str) -> list[tuple[str, list[tuple[str, str]]]]:
        """Returns what that receiver was sent: each notification's reason, and its operators with their status."""
        return [
            (one.reason, [(view.labels.get("operator", view.name), view.status) for view in one.alerts])
            for one in self.told
            if one.receiver == receiver
        ]


def payload(notification: Notification) -> list[tuple[str, str, str]]:
    """Returns status, operator and severity of each alert, as receivers see them that identify alerts by labels."""
    alerts: list[dict[str, Any]] = alertmanager(notification)["alerts"]
    return [(one["status"], one["labels"]["operator"], one["labels"]["severity"]) for one in alerts]
