"""Two campaigns end ten minutes apart: Slack has two messages, each told once, none repeated, edited or resolved."""

from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, message, write
from e2e_stage import NOW, SEARCH, routee, running, until_polled

from monitor.model.message import DELIVERED
from monitor.runtime.clock import MINUTE, SECOND, TrioClock
from monitor.simulation.sandbox import Sandbox
from tests.fakes.slack import TOKEN, slack
from tests.fakes.waiting import until
from tests.fakes.webhook import webhook

pytestmark = pytest.mark.e2e

RULE = {"name": "CampaignReport", "kind": "campaign", "ended": "report", "min_messages": 10}


async def test_two_campaigns_end_as_two_reports_and_programs_get_their_ends(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    clock = TrioClock(NOW, speed=360)
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, slack() as seen, webhook() as hook:
        channel = {"channel": "#sms-ops", "token": TOKEN, "api_url": seen.api_url}
        config = write(
            tmp_path,
            [RULE],
            accounts=[account(url)],
            searches=[SEARCH | {"every": "2m", "resweep": [{"back": "30m", "every": "2m"}]}],
            receivers=[{"name": "ops", "slack": [channel], "webhook": [{"url": hook.url}]}],
            route={"group_wait": "10s", "group_interval": "30s", "repeat_interval": "5m"},
            **store_in,
        )
        async with running(config, clock) as daemon:
            send(sandbox, "Sale")
            await until_polled(daemon, sandbox.now() + 10 * MINUTE)
            send(sandbox, "News")
            await until(lambda: seen.main, "the first report")
        async with running(config, clock):
            await until(lambda: len(seen.main) == 2, "the second report")
            await until(lambda: "resolved" in str([one.json for one in hook.asked[-1:]]), "an end", 120)
            ended = [one.json["alerts"][0] for one in hook.asked]
    assert [str(one.said["text"]).partition(":")[0] for one in seen.main] == ["INFO report"] * 2
    assert [name in str(one.said) for one in seen.main for name in ("Sale", "News")] == [True, False, False, True]
    assert seen.methods() == ["chat.postMessage"] * 2
    assert seen.replies == []
    assert [(one["labels"]["campaign"], one["status"]) for one in ended[:3]] == [
        ("Sale", "firing"),
        ("News", "firing"),
        ("Sale", "resolved"),
    ]


def send(sandbox: Sandbox, name: str) -> None:
    """A campaign whose messages are all delivered at once."""
    now = sandbox.now()
    for number in range(20):
        fields = {"campaignTrackingId": name, "campaignName": name}
        sandbox.put(message(f"{name}-{number}", DELIVERED, now - SECOND, **fields), sent=now - MINUTE)
