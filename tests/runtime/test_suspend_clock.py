"""The time of a daemon on a machine that was suspended."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
import trio

from monitor.notify.outbox.gate import AccountGate
from monitor.runtime.suspend_clock import SuspendCountingClock, since_boot

NAMESPACE = ("unshare", "--user", "--map-root-user", "--time", "--boottime", "86400", "--fork")
SHOWN = "import time; from monitor.runtime.suspend_clock import since_boot; print(since_boot() - time.monotonic())"


@dataclass
class Machine:
    """Seconds that go on by themselves, and those of suspends."""

    suspended: float = 0.0

    def seconds(self) -> float:
        return since_boot() + self.suspended


def test_a_send_that_was_under_way_when_the_machine_was_suspended_does_not_go_on() -> None:
    machine = Machine()

    async def daemon() -> None:
        gate = AccountGate()
        gate.hold(["main"])
        gate.extend(trio.current_time() + 4.5)
        assert gate.is_open("main")
        with gate.sending("main") as sending:
            machine.suspended = 60.0
            assert not gate.is_open("main"), "others may have taken it"
            await trio.sleep(60)
        assert sending.cancelled_caught

    trio.run(daemon, clock=SuspendCountingClock(machine.seconds))


def test_what_was_due_during_a_suspend_is_done_after_it() -> None:
    machine = Machine()

    async def daemon() -> float:
        began, due = trio.current_time(), trio.current_time() + 3_600
        machine.suspended = 3_600.0
        await trio.sleep_until(due)
        return trio.current_time() - began

    assert 3_600 <= trio.run(daemon, clock=SuspendCountingClock(machine.seconds)) < 3_660


def test_trio_waits_with_it_as_with_its_own() -> None:
    async def daemon() -> float:
        began = since_boot()
        await trio.sleep(0.05)
        return since_boot() - began

    assert 0.05 <= trio.run(daemon, clock=SuspendCountingClock()) < 5


def test_it_reads_the_systems_time_with_suspends() -> None:
    """In a namespace where the machine was suspended for a day."""
    if subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs a namespace for the time")
    shown = subprocess.run([*NAMESPACE, sys.executable, "-c", SHOWN], check=True, capture_output=True, text=True)
    assert float(shown.stdout) > 86_399
