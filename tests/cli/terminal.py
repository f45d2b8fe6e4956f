"""Real commands on a terminal (a pty of a given size), and piped."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli_folder import PROGRAM
from rich.cells import cell_len

COLOUR = re.compile(r"\x1b\[[\d;]*m")
MOVES = re.compile(r"\x1b\[(?:2K|2J|H|1;1H|\?25[lh]|1A)|\x1b\[3J|\r(?!\n)")
"""What a command of ours that shows something in place sends beside colours."""
LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Shown:
    """What a command showed, with line ends as ``\\n``, and its exit code."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """Without colours."""
        return MOVES.sub("\n", COLOUR.sub("", self.raw))

    @property
    def is_coloured(self) -> bool:
        return COLOUR.search(self.raw) is not None

    @property
    def widest(self) -> int:
        """Columns of the longest line, as the library rich counts them."""
        return max((cell_len(line) for line in self.text.splitlines()), default=0)

    @property
    def strays(self) -> list[str]:
        """Characters that no command may send."""
        return sorted({char for char in self.text if not char.isprintable() and char not in "\n\t\u3000\xa0"})


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES", "TERM")}
    return kept | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | more


def on_terminal(
    arguments: Sequence[str],
    folder: Path,
    columns: int,
    rows: int = 40,
    until: str = "",
    env: Mapping[str, str] = {},
) -> Shown:
    """Run a command with a terminal for standard input, output and error. Once ``until`` is shown it is interrupted, as Ctrl-C does."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment(**env)
    )
    os.close(slave)
    return _watched(process, master, until)


def piped(arguments: Sequence[str], folder: Path, until: str = "", env: Mapping[str, str] = {}) -> Shown:
    """Run a command whose standard output and error are one pipe."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        cwd=folder,
        env=environment(**env),
    )
    os.close(writing)
    return _watched(process, reading, until)


def _watched(process: subprocess.Popen[bytes], source: int, until: str) -> Shown:
    """Read to the end; a terminal whose other side is closed answers with an error."""
    said, deadline, wanted = b"", time.monotonic() + LONGEST_SECONDS, until.encode()
    try:
        while time.monotonic() < deadline:
            if not select.select([source], [], [], 1)[0]:
                continue
            try:
                chunk = os.read(source, 65536)
            except OSError:
                break
            if not chunk:
                break
            said += chunk
            if wanted and wanted in said:
                process.send_signal(signal.SIGINT)
                wanted = b""
        code = process.wait(timeout=LONGEST_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(source)
    return Shown(code, said.decode().replace("\r\n", "\n"))
