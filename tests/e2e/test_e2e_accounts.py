"""Several accounts and searches: each alert says whose it is, and nobody waits for anybody."""

from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, message, write
from e2e_folder import hook as receivers
from e2e_hook import hook
from e2e_stage import EACH_ALONE, FAILING, SEARCH, fast_clock, put_operator, routee, running, until_polled

from monitor.model.message import DELIVERED, FAILED
from monitor.runtime.clock import MINUTE, SECOND
from monitor.simulation.sandbox import Sandbox
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e


async def test_an_account_whose_routee_hangs_holds_up_no_other(tmp_path: Path, store_in: dict[str, Any]) -> None:
    clock = fast_clock()
    well, ill = Sandbox(clock), Sandbox(clock)
    put_operator(ill, "Cosmote", failed=5)
    async with routee(well) as url, routee(ill) as other_url, hook() as told:
        told.now = clock.now
        ill.fault("delay", seconds=3_600.0, endpoint="token")
        ill.fault("delay", seconds=3_600.0)
        config = write(
            tmp_path,
            [FAILING],
            accounts=[account(url, "well"), account(other_url, "ill")],
            searches=[SEARCH | {"account": "well"}, SEARCH | {"account": "ill"}],
            receivers=receivers(told.url),
            route=EACH_ALONE,
            **store_in,
        )
        async with running(config, clock) as daemon:
            await until_polled(daemon, clock.now(), "well")
            put_operator(well, "Cosmote", failed=5)
            bad = clock.now()
            await until(lambda: told.names("firing")["Failing"], "the account that is well to be told of")
            assert told.told[-1].at <= bad + 2 * MINUTE
            await until(lambda: told.names("firing")["MonitorBlind"], "the other account's blindness")
            ill.faults.clear()
    alerts = {frozenset(alert) for alert in told.firing()}
    same = {"severity": "warning", "operator": "Cosmote"}
    assert frozenset(({"alertname": "Failing", "account": "well"} | same).items()) in alerts
    assert {dict(alert)["account"] for alert in alerts if ("alertname", "MonitorBlind") in alert} == {"ill"}
    assert len(alerts) == 2


async def test_a_rule_with_a_search_counts_only_what_that_search_returned(tmp_path: Path) -> None:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    now = clock.now() - SECOND
    for number in range(10):
        sandbox.put(message(f"out-{number}", DELIVERED, now, label="otp", operator="Cosmote"))
        sandbox.put(message(f"promo-{number}", FAILED, now, label="promo", operator="Cosmote"))
    searches = [
        SEARCH | {"name": "otp", "filters": [{"field": "label", "is": "otp"}]},
        SEARCH | {"name": "promo", "filters": [{"field": "label", "is": "promo"}], "every": "1m"},
    ]
    rules = [
        FAILING | {"name": "Otp", "search": "otp"},
        FAILING | {"name": "Promo", "search": "promo"},
        FAILING | {"name": "Any", "above": "49%"},
    ]
    async with routee(sandbox) as url, hook() as told:
        given = {"accounts": [account(url)], "receivers": receivers(told.url), "route": EACH_ALONE}
        async with running(write(tmp_path, rules, searches=searches, **given), clock) as daemon:
            await until(lambda: len(told.firing()) == 2, "the two rules that see the failures")
            assert set(told.names("firing")) == {"Promo", "Any"}
            [any_] = [each.payload["alerts"][0] for each in told.told if "Any" in str(each.payload["groupLabels"])]
            assert "account" not in any_["labels"]
            for number in range(10):
                sandbox.change(f"sms-out-{number}", FAILED)
                sandbox.change(f"sms-promo-{number}", DELIVERED)
            await until_polled(daemon, clock.now() + SECOND, search="promo")
            await until(lambda: {dict(alert)["alertname"] for alert in told.firing()} == {"Otp", "Any"}, "the exchange")
    assert told.names("firing")["Any"] == 1
