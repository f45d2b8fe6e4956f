import time

import pytest

from monitor.runtime.sd_notify import Systemd
from tests.fakes.service_manager import Manager


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def manager(path):
    made = Manager(path)
    yield made
    made.close()


@pytest.fixture
def systemd(manager, path) -> Systemd:
    return Systemd.from_environment({"NOTIFY_SOCKET": path})


def test_tells_that_it_is_ready_and_how_it_fares(systemd, manager):
    systemd.ready("3 searches")
    assert manager.heard() == ["READY=1", "STATUS=3 searches"]
    systemd.ready()
    assert manager.heard() == ["READY=1"]


def test_a_status_is_one_line_whatever_is_in_it(systemd, manager):
    systemd.status("2 alerts\nSTOPPING=1\n")
    assert manager.heard() == ["STATUS=2 alerts STOPPING=1"]


def test_tells_that_it_reloads_and_since_when(systemd, manager):
    before = time.monotonic_ns() // 1_000
    systemd.reloading()
    reloading, since = manager.heard()
    assert reloading == "RELOADING=1"
    assert before <= int(since.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1_000


def test_tells_that_it_stops(systemd, manager):
    systemd.stopping("sending what is left")
    assert manager.heard() == ["STOPPING=1", "STATUS=sending what is left"]


def test_feeds_the_watchdog(systemd, manager):
    systemd.alive()
    assert manager.heard() == ["WATCHDOG=1"]


def test_finds_an_abstract_socket():
    manager = Manager("\0routee-monitor-test-notify")
    Systemd.from_environment({"NOTIFY_SOCKET": "@routee-monitor-test-notify"}).ready()
    assert manager.heard() == ["READY=1"]
    manager.close()


def say_everything(systemd: Systemd) -> None:
    systemd.ready("x")
    systemd.status("x")
    systemd.reloading()
    systemd.alive()
    systemd.stopping()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nothing_happens(environment, caplog):
    say_everything(Systemd.from_environment(environment))
    assert caplog.records == []


@pytest.mark.parametrize("address", ["/nowhere/at/all", "/" + "x" * 200, "/a\0b"])
def test_a_socket_that_is_not_there_is_a_warning_and_never_an_error(address, caplog):
    say_everything(Systemd.from_environment({"NOTIFY_SOCKET": address}))
    assert {record.levelname for record in caplog.records} == {"WARNING"}


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15_000_000),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_systemd_looks(environment, watchdog):
    assert Systemd.from_environment(environment).watchdog == watchdog


def test_a_start_that_takes_longer_asks_for_time(manager, systemd) -> None:
    systemd.starting("waiting\nfor it", 120_000_000)
    assert manager.heard() == ["EXTEND_TIMEOUT_USEC=120000000", "STATUS=waiting for it"]
