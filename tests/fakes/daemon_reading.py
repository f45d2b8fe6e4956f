"""A daemon's pipeline with a real store, and what reads it for pages and the API."""

from pathlib import Path

from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.runtime.clock import MINUTE
from monitor.store.sqlite import open_sqlite
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

RULES = """
rules:
  - name: Failing
    kind: rate
    description: An operator fails.
    by: [operator]
    window: 5m
    for: 1m
    min_messages: 5
    levels: [{above: 20%, severity: warning}, {above: 60%, severity: critical}]
    incident: {name: delivery, by: [country]}
  - {name: Off, kind: count, window: 5m, above: 10, enabled: false}
  - {name: Volume, kind: count, window: 5m, above: 1000}
"""
AT_ONCE = CONFIG.replace("group_wait: 10s", "group_wait: 0s")


class Reading:
    """A daemon's pipeline with a real store, and its reader."""

    def __init__(self, path: Path, rules: str = RULES, config: str = AT_ONCE) -> None:
        self.clock = HandClock()
        self.harness = PipelineHarness(settings(rules, config), self.clock, open_sqlite(path))
        self.reader = DaemonReader(self.harness.pipeline, self.harness.front, lambda: self.harness.settings)

    async def poll(self, later: int = MINUTE, **failing: int) -> None:
        self.clock.at += later
        await self.harness.poll(
            [
                row
                for name, bad in failing.items()
                for row in traffic(bad, operator=name, country="GR", campaign="Autumn", campaignTrackingId="c-1")
            ]
        )

    async def fail(self) -> None:
        """Half of Cosmote's messages fail for three polls, so that its alert fires."""
        for _ in range(3):
            await self.poll(Cosmote=5, Nova=0)
