"""A country outage that grows alert by alert, over a restart: one message in Slack, one group for a webhook, and the end of all."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, hook, write
from e2e_hook import hook as webhook
from e2e_stage import SEARCH, fast_clock, put_operator, routee, running

from monitor.simulation.sandbox import Sandbox
from tests.fakes.slack import TOKEN, slack
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

SHARE = {"kind": "rate", "window": "1h", "above": "20%", "severity": "critical", "incident": {"by": ["country"]}}
RULES = [
    SHARE | {"name": "OperatorFails", "by": ["operator", "country"]},
    SHARE | {"name": "CountryFails", "by": ["country"], "above": "60%"},
    SHARE | {"name": "AllFail", "above": "40%"},
]
OTHERS = {"Telekom": "DE", "O2": "DE", "Cyta": "CY", "Epic": "CY"}


async def test_an_outage_that_grows_is_one_message_and_one_group_over_a_restart_until_it_is_over(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    clock = fast_clock()
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, slack() as seen, webhook() as told:
        channel = {"channel": "#sms-ops", "token": TOKEN, "api_url": seen.api_url}
        (receiver,) = hook(told.url)
        config = write(
            tmp_path,
            RULES,
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=[receiver | {"slack": [channel]}],
            route={"group_interval": "30s"},
            **store_in,
        )

        def preview() -> str:
            return str(seen.main[0].said["text"])

        for operator, country in OTHERS.items():
            put_operator(sandbox, operator, failed=0, of=10, country=country)
        for operator in ("Vodafone", "Nova"):
            put_operator(sandbox, operator, failed=0)
        async with running(config, clock):
            put_operator(sandbox, "Cosmote", failed=10)
            await until(lambda: seen.main, "the incident to be posted")
            assert preview().startswith("CRITICAL firing: OperatorFails: 100% of 10 messages to Cosmote (GR) failed")
            put_operator(sandbox, "Vodafone", failed=10)
            await until(lambda: "CountryFails" in preview(), "the country as the cause")
            assert preview().startswith("CRITICAL firing: CountryFails: 66.7% of 30 messages to GR failed")
        async with running(config, clock):
            put_operator(sandbox, "Nova", failed=10)
            await until(lambda: "all messages" in preview(), "all messages under it")
            assert preview().endswith("and 4 more alerts of 2 rules: 3 operators, all messages") or preview().endswith(
                "and 4 more alerts of 2 rules: all messages, 3 operators"
            )
            for operator in ("Cosmote", "Vodafone", "Nova"):
                put_operator(sandbox, operator, failed=0)
            await until(lambda: "resolved" in preview(), "the end")
            await until(lambda: not told.firing(), "the end of all alerts at the webhook")
            put_operator(sandbox, "Nova", failed=10)
            await until(lambda: "firing again" in preview(), "the incident to be opened again")
            put_operator(sandbox, "Nova", failed=0)
            await until(lambda: "resolved" in preview(), "the second end")
            await until(lambda: not told.firing(), "the end of all alerts at the webhook")
    assert len(seen.main) == 1
    assert {reply.thread_ts for reply in seen.replies} == {seen.main[0].ts}
    payloads = [one.payload for one in told.told]
    assert len({payload["groupKey"] for payload in payloads}) == 1
    assert {tuple(payload["groupLabels"]) for payload in payloads} == {("incident",)}
    ends = Counter(
        (alert["fingerprint"], alert["startsAt"])
        for payload in payloads
        for alert in payload["alerts"]
        if alert["status"] == "resolved"
    )
    begun = {(alert["fingerprint"], alert["startsAt"]) for payload in payloads for alert in payload["alerts"]}
    assert set(ends) == begun
    assert set(ends.values()) == {1}
