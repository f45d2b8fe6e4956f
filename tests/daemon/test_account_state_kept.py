"""What Routee answered besides messages is in the store: a restart and the commands beside the daemon know it."""

import functools
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import trio
from click.testing import CliRunner

from monitor.alerts.evaluator import RuleEvaluator
from monitor.cli import cli
from monitor.daemon.main import Running, run
from monitor.daemon.validate import load
from monitor.model.account_state import NOTHING_KNOWN, AccountState
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import MINUTE, SECOND, Clock, SystemClock, TrioClock
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS, Sandbox, serve
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from tests.fakes.routee import sms
from tests.fakes.waiting import until
from tests.store.store_samples import NOW

CONFIG = """\
accounts:
  - {{name: main, application_id: {0}, application_secret: {1}, api_url: "{2}", auth_url: "{2}", requests_per_second: 200}}
searches: [{{name: outbound, every: 30s}}]
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
store: sqlite:monitor.db
web: off
"""
RULES = """\
rules:
  - {name: LowBalance, kind: balance, below: 50}
  - {name: Watch, kind: campaign, stalled_for: 30m, short_below: 95%}
"""


def state(number: int, word: str = "Running") -> CampaignState:
    return CampaignState(f"c{number}", "Sale", word, {"Delivered": 3}, 1_000, None, NOW)


def test_what_is_known_comes_back_as_it_was(tmp_path: Path) -> None:
    account_state = NOTHING_KNOWN.asking(NOW)
    for number in range(300):
        account_state = account_state.with_balance(
            NOW + number * MINUTE, AccountBalance(41.25 + number, "EUR")
        ).with_campaign(NOW, state(number))
    account_state = account_state.with_campaign(NOW + 1, state(7, "Finished"))
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        store.commit(Commit(account_states={"main": account_state, "other": NOTHING_KNOWN}))
        assert store.load().account_states == {"main": account_state, "other": NOTHING_KNOWN}
        store.commit(Commit(account_states={"main": NOTHING_KNOWN}))
        assert store.load().account_states == {"main": NOTHING_KNOWN, "other": NOTHING_KNOWN}


def test_what_cannot_be_read_is_asked_again_and_stops_nothing(tmp_path: Path) -> None:
    with closing(open_sqlite(tmp_path / "monitor.db")) as store:
        store.commit(Commit(account_states={"main": NOTHING_KNOWN.asking(NOW)}))
        store._connection.execute("UPDATE fact SET data = '{\"balances\": 7}'")
        assert store.load().account_states == {}


@asynccontextmanager
async def started(config: Path, clock: Clock) -> AsyncIterator[Running]:
    loaded, stop = load(config, {}), trio.Event()
    daemon = functools.partial(run, loaded.settings, loaded.templates, stop=stop, clock=clock, stream=io.StringIO())
    async with trio.open_nursery() as nursery:
        yield await nursery.start(daemon)
        stop.set()


def evaluator_of(running: Running) -> RuleEvaluator:
    return running.pipeline.accounts["main"].evaluator


def known(config: Path) -> AccountState:
    with closing(open_sqlite(config.parent / "monitor.db", read_only=True)) as store:
        return store.load().account_states.get("main", NOTHING_KNOWN)


def filled(clock: Clock) -> Sandbox:
    """A balance of 41.20, and a campaign that stopped at 300 of 1,000 recipients 40 minutes ago."""
    sandbox = Sandbox(clock)
    began = sandbox.now() - 60 * MINUTE
    for number in range(300):
        sandbox.put(sms("Delivered", began + number * 4 * SECOND, campaignTrackingId="c1", campaignName="Sale"))
    sandbox.put_campaign("c1", {"state": "Running", "smsAnalysis": {"numberOfRecipients": 1000}})
    sandbox.balance = 41.2
    return sandbox


async def asked(config: Path, *command: str) -> list[dict[str, object]]:
    """What a command says beside the daemon, or after it."""
    words = [*command, "--json", "--config", str(config)]
    outcome = await trio.to_thread.run_sync(lambda: CliRunner().invoke(cli, words))
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(outcome.stdout)
    listed: list[dict[str, object]] = found.get("groups") or found["rules"]
    return listed


async def test_explain_and_campaign_show_what_the_daemon_knows_and_a_restart_goes_on_with_it(
    tmp_path: Path,
) -> None:
    clock = TrioClock(SystemClock().now(), speed=60)
    sandbox = filled(clock)
    async with trio.open_nursery() as nursery:
        url: str = await nursery.start(serve, sandbox)
        config = tmp_path / "monitor.yaml"
        config.write_text(CONFIG.format(*DEFAULT_CREDENTIALS, url))
        (tmp_path / "rules.yaml").write_text(RULES)
        async with started(config, clock) as running:
            await until(lambda: bool(known(config).balances and known(config).campaigns), "the answers to be kept")
            assert known(config) == evaluator_of(running).account_state
            [balance] = await asked(config, "explain", "LowBalance")
            assert balance["state"] == "firing"
            assert str(balance["why"]).startswith("41.20 EUR left")
        sandbox.fault("status", endpoint="balance", status=400)
        sandbox.fault("status", endpoint="campaign", status=400)
        for command in (("explain", "Watch"), ("campaign", "c1")):
            found = await asked(config, *command)
            assert any("300 of 1,000 recipients" in str(one["why"]) for one in found), found
        before = known(config)
        async with started(config, clock) as running:
            assert evaluator_of(running).account_state == before
            assert evaluator_of(running).account_state.balances[-1].balance.amount == 41.2
        nursery.cancel_scope.cancel()
