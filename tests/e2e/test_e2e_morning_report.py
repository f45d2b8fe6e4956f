"""The morning report from configuration to a webhook, by the whole daemon."""

from pathlib import Path
from typing import Any

import pytest
from e2e_folder import account, write
from e2e_stage import FAILING, NOW, SEARCH, fast_clock, put_operator, routee, running, until_polled

from monitor.runtime.clock import MINUTE, iso
from monitor.simulation.sandbox import Sandbox
from tests.fakes.waiting import until
from tests.fakes.webhook import webhook

pytestmark = pytest.mark.e2e


async def test_the_report_reaches_its_receiver_at_its_time_and_a_restart_does_not_repeat_it(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    clock = fast_clock()  # 10:00 UTC on a Saturday, and a minute passes in a second
    sandbox = Sandbox(clock)
    async with routee(sandbox) as url, webhook() as people, webhook() as oncall:
        receivers = [
            {"name": "ops", "webhook": [{"url": oncall.url}]},
            {"name": "people", "webhook": [{"url": people.url}]},
        ]
        config = write(
            tmp_path,
            [FAILING],
            accounts=[account(url)],
            searches=[SEARCH],
            receivers=receivers,
            route={"receiver": "ops", "group_wait": "1s"},
            report={"receiver": "people", "at": "12:05", "weekdays": ["saturday"], "time_zone": "Europe/Athens"},
            **store_in,
        )
        async with running(config, clock) as daemon:
            put_operator(sandbox, "Cosmote", failed=5)
            await until_polled(daemon, clock.now())
            await until(lambda: people.asked, "the report")
        [asked] = people.asked
        report = asked.json["report"]
        assert (asked.json["kind"], asked.json["receiver"]) == ("report", "people")
        assert report["until"] == iso(NOW + 5 * MINUTE)
        assert (report["total"]["final"], report["total"]["failed"]) == (10, 5)
        assert [one["title"] for one in report["incidents"]] == ["Failing Cosmote"]
        assert all(one.json["alerts"] for one in oncall.asked), "who gets the alerts does not get the report"
        async with running(config, clock) as daemon:
            await until_polled(daemon, clock.now() + MINUTE)
        assert len(people.asked) == 1
