"""A booted Debian, reached from outside through the namespaces of its first process."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNIT = "routee-monitor.service"


@dataclass(frozen=True)
class Machine:
    """``leader`` is the process id of its systemd, as seen from here."""

    leader: int

    def attempt(self, *command: str, inside: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine; ``inside``: further arguments of nsenter."""
        enter = ["nsenter", "--target", str(self.leader), "--all", *inside, "--", *command]
        return subprocess.run(enter, capture_output=True, text=True, timeout=60, check=False)

    def run(self, *command: str) -> str:
        """What a command that succeeds prints."""
        done = self.attempt(*command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def shows(self, name: str, unit: str = UNIT) -> str:
        """A property of the service."""
        return self.run("systemctl", "show", "--property", name, "--value", unit)

    def pid(self) -> int:
        """The daemon's process, as the machine counts."""
        return int(self.shows("MainPID"))

    def journal(self) -> list[dict[str, Any]]:
        """What the service has logged, with its fields."""
        printed = self.run("journalctl", "--unit", UNIT, "--output", "json", "--no-pager")
        return [json.loads(line) for line in printed.splitlines()]

    def said(self, words: str) -> bool:
        """Whether the log has these words."""
        return any(words in str(entry["MESSAGE"]) for entry in self.journal())

    def start(self) -> None:
        """Start the service afresh, whatever became of it before; done once it says that it is ready."""
        self.run("systemctl", "reset-failed", UNIT)
        self.run("systemctl", "restart", UNIT)

    def status_of_process(self) -> dict[str, str]:
        """/proc/PID/status of the daemon."""
        lines = self.run("cat", f"/proc/{self.pid()}/status").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
