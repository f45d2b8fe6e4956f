"""Writes notifications to a terminal: in colour if the stream is a terminal, otherwise as plain text. Respects NO_COLOR."""

from typing import TYPE_CHECKING, Final, TextIO

import trio

from monitor.model.notification import Notification
from monitor.notify.channels.protocol import Outcome, Rejected, Sent, too_slow
from monitor.notify.render.sanitize import Tone
from monitor.notify.render.text import Style, TextLine, layout, plain_text
from monitor.runtime.transport_errors import trouble

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLOURS: Final[dict[Tone, str]] = {"critical": "red", "warning": "yellow", "info": "cyan", "resolved": "green"}
_STYLES: Final[dict[Style, str]] = {
    "plain": "",
    "strong": "bold",
    "faint": "dim",
    "toned": "bold {colour}",
    "badge": "bold reverse {colour}",
}
_BAR: Final = "▌ "


class ConsoleNotifier:
    """The notifier that writes to ``stream``, in a thread of its own; a terminal that blocks gets ``timeout`` seconds."""

    def __init__(self, stream: TextIO, *, timeout: float = 5.0) -> None:
        self._stream = stream
        self.timeout = timeout
        self._one_writer = trio.CapacityLimiter(1)

    checked = "the terminal is open"

    async def send(self, notification: Notification, previous: dict[str, str] | None) -> Outcome:
        """Writes a notification as a block of lines."""
        with trio.move_on_after(self.timeout):
            try:
                await trio.to_thread.run_sync(
                    self._write, notification, abandon_on_cancel=True, limiter=self._one_writer
                )
            except (OSError, ValueError) as error:
                return Rejected(f"the terminal cannot be written to any more: {trouble(error)}")
            return Sent()
        return too_slow("The terminal", self.timeout)

    async def check(self) -> str:
        """Returns a problem if the stream is closed."""
        return "the terminal is closed" if self._stream.closed else ""

    def _write(self, notification: Notification) -> None:
        if self._stream.isatty():
            self._write_coloured(notification)
        else:
            self._stream.write(_encodable(plain_text(notification) + "\n\n", self._stream.encoding))
        self._stream.flush()

    def _write_coloured(self, notification: Notification) -> None:
        from rich.console import Console  # takes 0.1 s, and only terminals need it

        console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
        with console.capture() as block:
            for line in layout(notification):
                for row in _rows(line, console):
                    console.print(row, no_wrap=True, overflow="ignore", crop=False)
            console.print()
        self._stream.write(block.get())  # at once: the log may write to the same terminal


def _rows(line: TextLine, console: "Console") -> "list[Text]":
    """Returns a line wrapped to the width of the terminal, with the coloured bar before each row."""
    from rich.text import Text

    colour = _COLOURS[line.tone]
    text = Text()
    for piece, style in line.pieces:
        text.append(_encodable(piece, console.encoding), _STYLES[style].format(colour=colour))
    rows = text.wrap(console, max(console.width - len(_BAR) - line.indent, 20))
    bar = _encodable(_BAR, console.encoding)
    return [Text.assemble((bar + " " * (line.indent if index else 0), colour), row) for index, row in enumerate(rows)]


def _encodable(text: str, encoding: str | None) -> str:
    """Returns ``text`` with a replacement for each character that the terminal's encoding lacks."""
    name = encoding or "utf-8"
    return text.encode(name, "replace").decode(name)
