"""What the polls of an account tell of whether this daemon can ask Routee for it at all."""

import pytest
import trio

from monitor.daemon.account_tasks import AccountSupervisor
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.runtime.clock import TrioClock
from monitor.runtime.task_supervisor import TaskSupervisor
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.routee import APPLICATION_ID, APPLICATION_SECRET, START, local_routee
from tests.fakes.waiting import until
from tests.fakes.written import settings

CONFIG = """
accounts:
  - {{name: main, application_id: "{id}", application_secret: "{secret}", api_url: "{url}", auth_url: "{url}"}}
searches: [{{name: all, every: 20s}}]
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
web: off
"""


@pytest.mark.parametrize(("secret", "is_refused"), [(APPLICATION_SECRET, False), ("wrong", True)])
async def test_polls_say_whether_routee_answers_this_daemon(secret: str, is_refused: bool) -> None:
    clock, unpolled = TrioClock(START, speed=60), UnpolledAccounts()
    async with local_routee(clock) as routee, trio.open_nursery() as nursery:
        written = settings(config=CONFIG.format(url=routee.url, id=APPLICATION_ID, secret=secret))
        harness = PipelineHarness(written, clock)
        unpolled.failed("main", "timeout", trio.current_time())
        if is_refused:
            unpolled.succeeded("main", trio.current_time())
        supervisor = AccountSupervisor(written.config, harness.pipeline, unpolled=unpolled)
        TaskSupervisor(nursery).assign(supervisor.specs(written.config))
        await until(lambda: unpolled.cannot_poll("main") == is_refused, "a poll")
        nursery.cancel_scope.cancel()
