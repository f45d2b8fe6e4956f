"""The line of `systemctl status`, as systemd gets it."""

import socket
from pathlib import Path

from monitor.daemon.systemd_status import SystemdStatus
from monitor.runtime.sd_notify import Systemd
from tests.fakes.daemon_reading import Reading
from tests.fakes.shared_worker import present_of


async def test_the_line_counts_searches_and_alerts_in_good_english(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db")
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(2)
    present = present_of(reading.harness.settings, reading.clock)
    status = SystemdStatus(Systemd(str(tmp_path / "notify")), reading.harness.pipeline, lambda: present)
    await reading.poll(Cosmote=0)
    status.ready()
    assert heard.recv(4096).decode().split("\n")[1] == "STATUS=1 search, 0 alerts firing, 0s behind"
    await reading.fail()
    status.ready()
    assert heard.recv(4096).decode().split("\n")[1] == "STATUS=1 search, 1 alert firing, 0s behind"
    heard.close()
    reading.harness.store.close()
