"""The service under a real systemd, from its first start to its stop."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from system_machine import UNIT, Machine

from tests.fakes.patience import until

CONFIG = "/etc/routee-monitor/monitor.yaml"
RULES = "/etc/routee-monitor/always.yaml"


@pytest.fixture(scope="module")
def machine() -> Machine:
    made = Machine(int(os.environ["SYSTEM_LEADER"]))
    until(lambda: made.attempt("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"), "the boot")
    made.run("systemctl", "start", "sandbox.service")
    made.run("systemctl", "start", UNIT)
    return made


@pytest.fixture
def running(machine: Machine) -> Machine:
    """The machine, with the service up, whatever the test before did to it."""
    if machine.shows("ActiveState") != "active":
        machine.start()
    return machine


@pytest.fixture
def file_as_it_was(machine: Machine) -> Iterator[None]:
    for file in (CONFIG, RULES):
        machine.run("cp", file, f"{file}.before")
    yield
    for file in (CONFIG, RULES):
        machine.run("mv", f"{file}.before", file)


def health(machine: Machine, path: str) -> int:
    ask = (
        "import http.client as c; a = c.HTTPConnection('127.0.0.1', 9465, timeout=5);"
        f" a.request('GET', '{path}'); print(a.getresponse().status)"
    )
    return int(machine.run("python3", "-c", ask))


def test_it_is_active_and_says_how_it_fares(running: Machine) -> None:
    assert running.shows("ActiveState") == "active"
    assert running.shows("SubState") == "running"
    until(lambda: re.fullmatch(r"1 search, .*\d+s behind", running.shows("StatusText")), "a line for systemctl status")


def test_it_polls_with_the_secret_that_systemd_hands_over(running: Machine) -> None:
    until(lambda: health(running, "/readyz") == 200, "a complete poll")
    assert health(running, "/healthz") == 200


def test_the_log_can_be_searched_by_rule_and_alert(running: Machine) -> None:
    fired = until(lambda: [entry for entry in running.journal() if entry.get("RULE") == "Always"], "the alert")[0]
    assert fired["WHAT"] == "fired"
    assert fired["FINGERPRINT"]
    assert fired["PRIORITY"] == "6"
    assert fired["SYSLOG_IDENTIFIER"] == "routee-monitor"
    assert fired["_SYSTEMD_UNIT"] == UNIT
    found = running.run("journalctl", "--unit", UNIT, "RULE=Always", "--output", "cat", "--no-pager")
    assert "Always fired" in found
    until(lambda: any(entry.get("RECEIVER") == "console" for entry in running.journal()), "the notification")


def test_no_secret_is_in_the_log(running: Machine) -> None:
    logged = running.run("journalctl", "--unit", UNIT, "--output", "json", "--no-pager")
    assert "sandbox-secret" not in logged
    assert "web-token-of-the-test" not in logged


def test_it_has_no_privilege_left(running: Machine) -> None:
    status = running.status_of_process()
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert "0" not in status["Uid"].split()


WRITE_EVERYWHERE = r"""
find / \( -path /proc -o -path /sys \) -prune -o -type d -print 2>/dev/null | while read -r folder; do
  if (: >"$folder/.written-by-the-test") 2>/dev/null; then echo "$folder"; rm "$folder/.written-by-the-test"; fi
done
"""


def test_it_can_write_its_state_and_nothing_else(running: Machine) -> None:
    uid = running.status_of_process()["Uid"].split()[0]
    found = running.run(
        *("nsenter", "--target", str(running.pid()), "--mount"),
        *("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--bounding-set=-all", "bash", "-c"),
        WRITE_EVERYWHERE,
    )
    private = {"/tmp", "/var/tmp"}
    assert set(found.splitlines()) == {"/var/lib/private/routee-monitor"} | private


def test_it_cannot_read_the_secrets_where_they_lie(running: Machine) -> None:
    done = running.attempt(
        *("nsenter", "--target", str(running.pid()), "--mount"), "cat", "/etc/routee-monitor/secrets/routee_secret"
    )
    assert "sandbox-secret" not in done.stdout


def test_it_outlives_a_reload(running: Machine, file_as_it_was: None) -> None:
    before = running.pid()
    running.run("sed", "-i", "s/name: Always/name: Changed/", RULES)
    running.run("systemctl", "reload", UNIT)
    assert running.pid() == before
    assert running.shows("ActiveState") == "active"
    until(lambda: running.said("Changed fired"), "the changed rule to be judged")


def test_it_comes_back_after_kill_9(running: Machine) -> None:
    before, restarts = running.pid(), int(running.shows("NRestarts"))
    running.run("kill", "-9", str(before))
    until(
        lambda: running.pid() not in (0, before) and running.shows("ActiveState") == "active",
        "systemd to start it again",
    )
    assert int(running.shows("NRestarts")) == restarts + 1


def test_a_daemon_that_stands_still_is_started_again(running: Machine) -> None:
    before = running.pid()
    running.run("kill", "-STOP", str(before))
    until(
        lambda: running.pid() not in (0, before) and running.shows("ActiveState") == "active",
        "the watchdog to bite",
    )
    assert running.said("Watchdog timeout")


def test_a_backup_is_restored_as_the_documentation_says(running: Machine) -> None:
    page = (Path(__file__).parents[2] / "docs/install/backup.md").read_text("utf-8")
    backup, restore = (
        "".join(line.strip() + "\n" for line in page.split(after)[1].split("\n\n")[1].splitlines())
        for after in ("**Backup**", "**Restore:**")
    )
    running.run("mkdir", "-p", "/var/backups")
    running.run("bash", "-eu", "-c", backup)
    running.run("bash", "-eu", "-c", restore)
    assert running.shows("ActiveState") == "active"
    running.run("/opt/routee-monitor/bin/routee-monitor", "status", "--config", CONFIG)


def test_who_may_not_see_the_store_is_told_so(running: Machine) -> None:
    done = running.attempt(
        *("setpriv", "--reuid", "nobody", "--clear-groups"),
        *("/opt/routee-monitor/bin/routee-monitor", "alerts", "--config", CONFIG),
    )
    assert (done.returncode, done.stdout) == (69, ""), done.stderr
    assert "/var/lib/routee-monitor" in done.stderr
    assert "permission denied" in done.stderr


def test_what_a_person_has_to_put_right_is_not_tried_again(running: Machine, file_as_it_was: None) -> None:
    running.run("sed", "-i", "s/^accounts:/acounts:/", CONFIG)
    assert running.attempt("systemctl", "restart", UNIT).returncode != 0
    assert running.shows("ExecMainStatus") == "78"
    assert running.shows("ActiveState") == "failed"
    assert running.shows("NRestarts") == "0"
    assert running.said("acounts"), "the log says what is wrong"


def test_it_stops_in_good_order_within_ten_seconds(running: Machine) -> None:
    began = time.monotonic()  # noqa: TID251 - measured on purpose: ten seconds are the promise
    running.run("systemctl", "stop", UNIT)
    assert time.monotonic() - began < 10  # noqa: TID251 - the same
    assert running.shows("Result") == "success"
    assert running.shows("ExecMainStatus") == "0"
