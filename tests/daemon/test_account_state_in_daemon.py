"""The daemon runs the errands: a low balance and a campaign that stopped become alerts, from what a local Routee says."""

import functools
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from monitor.daemon.main import Running, run
from monitor.daemon.validate import load
from monitor.runtime.clock import MINUTE, SECOND, TrioClock, parse_iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, Sandbox, serve
from tests.fakes.routee import sms
from tests.fakes.waiting import guarded, until
from tests.fakes.webhook import FakeWebhook, webhook

NOW = parse_iso("2026-11-21T10:00:00Z")
CONFIG = """\
accounts:
  - {{name: main, application_id: {0}, application_secret: {1}, api_url: "{2}", auth_url: "{2}", requests_per_second: 200}}
searches: [{{name: outbound, every: 30s}}]
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops, group_wait: 1s, group_by: [alertname, problem]}}
store: sqlite:monitor.db
web: off
"""
RULES = """\
rules:
  - {name: LowBalance, kind: balance, below: 50}
  - {name: Watch, kind: campaign, stalled_for: 30m, short_below: 95%, ended: report}
"""


def _filled(clock: TrioClock) -> Sandbox:
    """A campaign that stopped at 300 of 1,000 recipients 40 minutes ago."""
    sandbox = Sandbox(clock)
    for number in range(300):
        sandbox.put(
            sms("Delivered", NOW - 60 * MINUTE + number * 4 * SECOND, campaignTrackingId="c1", campaignName="Sale")
        )
    sandbox.put_campaign("c1", {"state": "Running", "smsAnalysis": {"numberOfRecipients": 1000}})
    sandbox.balance = 41.2
    return sandbox


@dataclass(frozen=True)
class Watched:
    """A local Routee under a daemon that tells a webhook."""

    sandbox: Sandbox
    clock: TrioClock
    hook: FakeWebhook

    def told(self) -> list[tuple[str, str, str]]:
        """(alert, problem, status) of each that the webhook was told of, in order."""
        alerts = [alert for asked in self.hook.asked for alert in asked.json["alerts"]]
        return [(one["labels"]["alertname"], one["labels"].get("problem", ""), one["status"]) for one in alerts]

    async def run_until(self, name: str, problem: str, status: str) -> None:
        """Wait for it."""
        await until(lambda: (name, problem, status) in self.told(), f"{name} {problem} {status}")


@asynccontextmanager
async def watched(folder: Path, rules: str) -> AsyncIterator[Watched]:
    clock, stop = TrioClock(NOW, speed=120), trio.Event()
    sandbox = Sandbox(clock)
    async with webhook() as hook, trio.open_nursery() as nursery:
        url: str = await nursery.start(serve, sandbox)
        text = CONFIG.format(*DEFAULT_CREDENTIALS, url).replace("console: [{}]", f'webhook: [{{url: "{hook.url}"}}]')
        (folder / "monitor.yaml").write_text(text)
        (folder / "rules.yaml").write_text(rules)
        loaded = load(folder / "monitor.yaml", {})
        daemon = functools.partial(run, loaded.settings, loaded.templates, stop=stop, clock=clock)
        await nursery.start(daemon)
        yield Watched(sandbox, clock, hook)
        stop.set()
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()


async def test_a_balance_that_falls_is_told_and_its_rise_ends_it(tmp_path: Path) -> None:
    rules = (
        "rules: [{name: LowBalance, kind: balance, below: 50, every: 1m, annotations: {summary: '{{ value }} left'}}]"
    )
    async with watched(tmp_path, rules) as world:
        world.sandbox.balance = 80.0
        await until(lambda: world.sandbox.requests["balance"] >= 2, "two answers")
        assert world.told() == [], "there was enough"
        world.sandbox.balance = 41.2
        await world.run_until("LowBalance", "", "firing")
        world.sandbox.balance = 100.0
        await world.run_until("LowBalance", "", "resolved")
    assert world.told() == [("LowBalance", "", "firing"), ("LowBalance", "", "resolved")]
    first, _ = (asked.json["alerts"][0] for asked in world.hook.asked)
    assert first["annotations"]["summary"] == "41.2 left"


async def test_a_campaign_that_stalls_is_told_and_its_end_ends_it(tmp_path: Path) -> None:
    async with watched(tmp_path, "rules: [{name: Watch, kind: campaign, stalled_for: 10m}]") as world:
        world.sandbox.put_campaign("c1", {"state": "Running", "smsAnalysis": {"numberOfRecipients": 200}})
        _send(world, 100)
        await world.run_until("Watch", "stalled", "firing")
        _send(world, 100)
        await world.run_until("Watch", "stalled", "resolved")
    assert world.told() == [("Watch", "stalled", "firing"), ("Watch", "stalled", "resolved")]
    labels = world.hook.asked[0].json["alerts"][0]["labels"]
    assert (labels["campaign"], labels["campaignTrackingId"], labels["severity"]) == ("Sale", "c1", "warning")


def _send(world: Watched, messages: int) -> None:
    for _ in range(messages):
        world.sandbox.put(sms("Delivered", world.clock.now(), campaignTrackingId="c1", campaignName="Sale"))


async def test_what_routee_says_besides_messages_becomes_alerts(tmp_path: Path) -> None:
    clock, stream, stop = TrioClock(NOW, speed=120), io.StringIO(), trio.Event()
    sandbox = _filled(clock)
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(serve, sandbox)
        (tmp_path / "monitor.yaml").write_text(CONFIG.format(*DEFAULT_CREDENTIALS, url))
        (tmp_path / "rules.yaml").write_text(RULES)
        loaded = load(tmp_path / "monitor.yaml", {})
        daemon = functools.partial(run, loaded.settings, loaded.templates, stop=stop, clock=clock, stream=stream)
        running: Running = await nursery.start(daemon)
        with guarded():
            while "Only 41.20 EUR left" not in stream.getvalue() or "has stalled" not in stream.getvalue():
                await trio.sleep(0.05)
            assert running.pipeline.accounts["main"].evaluator.account_state.campaigns["c1"].state.recipients == 1000
            assert "WARNING LowBalance" in stream.getvalue()
            assert "Sale has stalled: messages to 300 of 1,000 recipients, no new one for" in stream.getvalue()
            sandbox.put_campaign("c1", {"state": "Finished", "smsAnalysis": {"numberOfRecipients": 1000}})
            while "ended short" not in stream.getvalue() or "INFO REPORT Watch" not in stream.getvalue():
                await trio.sleep(0.05)
        assert "Sale has ended: 300 messages to 1,000 recipients in 19m: 100% delivered" in stream.getvalue()
        stop.set()
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
