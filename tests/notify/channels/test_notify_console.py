"""The terminal: coloured where it is one, plain where it is not, and never a reason to stand still."""

import io
import itertools
import os
import pty
import re
import threading

import pytest
import trio
import trio.testing

from monitor.notify.channels import ChannelContext, make_notifier
from monitor.notify.channels.console.notifier import ConsoleNotifier
from monitor.notify.channels.protocol import Rejected, Retry, Sent
from monitor.notify.render import Templates, plain_text
from monitor.runtime.clock import SystemClock
from tests.fakes.alerts import notification_of, over, rate, spike
from tests.golden import is_as_before


class Terminal(io.StringIO):
    """A text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


async def test_a_file_gets_plain_text() -> None:
    stream = io.StringIO()
    assert await ConsoleNotifier(stream).send(notification_of(), None) == Sent()
    assert stream.getvalue() == plain_text(notification_of()) + "\n\n"


@pytest.mark.usefixtures("colours")
async def test_a_terminal_gets_colours() -> None:
    stream = Terminal()
    await ConsoleNotifier(stream).send(notification_of(rate(), spike()), None)
    await ConsoleNotifier(stream).send(notification_of(over(rate()), status="resolved", reason="all resolved"), None)
    is_as_before("console.ansi", stream.getvalue())
    assert all(f"\x1b[{colour}m" in stream.getvalue() for colour in (31, 32, 33))


@pytest.mark.usefixtures("colours")
async def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    await ConsoleNotifier(stream).send(notification_of(), None)
    assert not any(f"\x1b[{colour}m" in stream.getvalue() for colour in (31, 32, 33))


@pytest.mark.usefixtures("colours")
async def test_every_row_stands_behind_the_bar_and_fits_the_terminal() -> None:
    stream = Terminal()
    await ConsoleNotifier(stream).send(notification_of(rate(labels={"operator": "word " * 40})), None)
    rows = [row for row in stream.getvalue().splitlines() if row]
    assert all("▌" in row for row in rows)


@pytest.mark.usefixtures("colours")
async def test_log_lines_on_the_same_terminal_stand_before_or_behind_a_notification_and_never_within() -> None:
    """On a real terminal, to which the log writes without a pause."""
    shown, terminal = pty.openpty()
    seen, over_now = bytearray(), threading.Event()

    def read() -> None:
        while chunk := os.read(shown, 65_536):
            seen.extend(chunk)
            if chunk.endswith(b"the end\r\n"):
                return

    def write_log() -> None:
        while not over_now.is_set():
            os.write(terminal, b"a log line\n")

    threads = [threading.Thread(target=one, daemon=True) for one in (read, write_log)]
    for one in threads:
        one.start()
    with open(terminal, "w", encoding="utf-8", buffering=1, closefd=False) as stream:
        for _ in range(20):
            assert await ConsoleNotifier(stream).send(notification_of(rate(), spike()), None) == Sent()
    over_now.set()
    threads[1].join(20)
    os.write(terminal, b"the end\n")
    threads[0].join(20)
    os.close(terminal)
    os.close(shown)
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in seen.decode().split("\r\n")]
    blocks = [
        list(rows)
        for is_log, rows in itertools.groupby(lines, lambda line: line in ("a log line", "the end"))
        if not is_log
    ]
    usual = blocks[0][: blocks[0].index("") + 1]
    assert usual[0].startswith("▌"), usual
    assert [rows for rows in blocks if len(rows) % len(usual)] == [[""]], "what follows the end alone"
    assert sum(len(rows) for rows in blocks) == 20 * len(usual) + 1


async def test_an_encoding_without_bars_is_no_error() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    assert await ConsoleNotifier(stream).send(notification_of(), None) == Sent()
    assert b"? CRITICAL OperatorFailureRate" in raw.getvalue()


async def test_a_closed_terminal_is_said_once_and_for_all() -> None:
    stream = io.StringIO()
    stream.close()
    assert isinstance(await ConsoleNotifier(stream).send(notification_of(), None), Rejected)
    assert await ConsoleNotifier(stream).check() == "the terminal is closed"


async def test_a_terminal_that_stands_still_holds_nobody_up() -> None:
    release = trio.Event()
    token = trio.lowlevel.current_trio_token()

    class Stopped(io.StringIO):
        def write(self, text: str) -> int:
            trio.from_thread.run(release.wait, trio_token=token)
            return len(text)

    assert isinstance(await ConsoleNotifier(Stopped(), timeout=0.05).send(notification_of(), None), Retry)
    release.set()
    await trio.testing.wait_all_tasks_blocked()


def test_the_console_is_made_from_its_key() -> None:
    channel_context = ChannelContext(SystemClock(), Templates(), io.StringIO())
    assert isinstance(make_notifier("console", object(), channel_context), ConsoleNotifier)
