"""Asking Routee for accounts that were left to others, on a real one: what is answered can be polled from here again."""

import pytest
import trio

from monitor.daemon.fleet.probes import Probes
from monitor.daemon.fleet.unpolled_accounts import UnpolledAccounts
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.services import Services
from monitor.model.fleet import Fleet, LeaseView, WorkerView
from monitor.runtime.clock import MINUTE, TrioClock
from tests.fakes.routee import APPLICATION_ID, APPLICATION_SECRET, START, local_routee
from tests.fakes.waiting import until
from tests.fakes.written import settings

CONFIG = """
accounts:
  - {{name: good, application_id: "{id}", application_secret: "{secret}", api_url: "{url}", auth_url: "{url}"}}
  - {{name: refused, application_id: "{id}", application_secret: "wrong", api_url: "{url}", auth_url: "{url}"}}
  - {{name: away, application_id: "{id}", application_secret: "{secret}", api_url: "http://127.0.0.1:9", auth_url: "http://127.0.0.1:9"}}
searches: [{{name: all, account: good}}, {{name: some, account: good}}, {{name: all, account: refused}}, {{name: all, account: away}}]
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
web: off
"""
NAMES = ("good", "refused", "away", "gone")
"""The last one is not configured any more."""


def left_to_another() -> UnpolledAccounts:
    """Returns what worker 1 knows after it gave everything to worker 2."""
    unpolled, now = UnpolledAccounts(), trio.current_time()
    other = WorkerView(2, "w:2", "1", "", 0, MINUTE, NAMES)
    leases = tuple(LeaseView(name, 1, 2, 0, MINUTE) for name in NAMES)
    for name in NAMES:
        unpolled.given_back(name, now)
    unpolled.follow(1, (), Fleet((other,), leases), now)
    return unpolled


async def test_what_routee_answers_is_not_left_to_others_any_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "monitor")
    clock, changes = TrioClock(START), list[frozenset[str]]()
    async with local_routee(clock) as routee, trio.open_nursery() as nursery:
        written = settings(config=CONFIG.format(url=routee.url, id=APPLICATION_ID, secret=APPLICATION_SECRET))
        unpolled = left_to_another()
        services = Services(clock, Metrics(clock), Health(), lambda: None)
        probes = Probes(lambda: written.config, unpolled, services, lambda: changes.append(unpolled.left_to_others))
        nursery.start_soon(probes.run)
        await until(lambda: not unpolled.to_probe(trio.current_time()), "all to be asked for")
        assert unpolled.left_to_others == {"refused", "away", "gone"}
        assert len(changes) == 1
        assert routee.requests("search") == 1, "one small question"
        assert routee.requests("token") in (2, 3), "an answer has the others asked for again at once"
        assert caplog.messages == ["account good can be polled from here again"]
        nursery.cancel_scope.cancel()
