"""The demo's own texts, apart from what routee-monitor itself prints."""

import shutil
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from monitor.model.format import datetime, duration, number
from monitor.runtime.clock import SECOND, Duration, Instant
from monitor.simulation.demo.screen import Screen

_LONGEST_LINE: Final = 110
_BAR: Final = "▌"
_YOURS: Final = "~/sms/monitor.yaml"
"""Where the reader's own configuration may be: its folder holds the rules and the store too."""


class Words:
    """Prints on a screen: in colours if it is a terminal (respects NO_COLOR), and with paragraphs as wide as the screen."""

    def __init__(self, screen: Screen) -> None:
        self._console = Console(file=screen, highlight=False, markup=False, emoji=False)

    @property
    def width(self) -> int:
        """The present width of the screen in columns."""
        return self._console.width

    def rendered(self, text: Text) -> str:
        """Returns a line as it is written, with its colours."""
        with self._console.capture() as capture:
            self._console.print(text, end="", no_wrap=True, crop=True)
        return capture.get()

    def opening(self, speed: float, rate: float, takes: Duration | None, url: str) -> None:
        """Prints what the demo will show. ``takes`` is how long it takes in real time; None: until somebody ends it."""
        self._paragraph(Text("routee-monitor demo", "bold"))
        self._paragraph(
            f"A local Routee delivers {number(rate)} SMS a minute. The real daemon polls it over HTTP and evaluates three "
            "rules, two of them starter rules of rules/. It shows on this terminal what it would send to Slack."
        )
        length = (
            "It goes on until Ctrl-C."
            if takes is None
            else f"It takes about {duration(takes // SECOND * SECOND)}; Ctrl-C ends it at any time."
        )
        self._paragraph(
            Text.assemble(
                f"Its clock runs {number(speed)} times faster than yours: {_pace(speed)}. {length} Lines marked ",
                ("(behind the scenes)", "italic magenta"),
                f" are what happens to the messages; what routee-monitor sends has a bar before it ({_BAR}).",
            )
        )
        self._paragraph(Text.assemble("The page  ", (url, "cyan"), ("  what fires, live: open it in a browser", "dim")))

    def comment(self, at: Instant, text: str) -> None:
        """Prints what happens at Routee, which the monitor has to find out by itself."""
        said = Text.assemble(
            (datetime(at, "%H:%M:%S"), "bold magenta"), ("  (behind the scenes)  ", "italic magenta"), text
        )
        self._paragraph(said)

    def plain(self, line: str) -> None:
        """Prints one line unchanged."""
        self._console.print(line, no_wrap=True, overflow="ignore", crop=False)

    def closing(self, own_configuration: str) -> None:
        """Prints how to go on from here; ``own_configuration`` is a configuration to copy."""
        command = _command()
        self._paragraph(
            "That was the demo: two incidents. Each alert that fired was sent once, with its reason, and once more when it resolved. "
            "On a busy machine, or with a high --speed, a short incident can be over before it is seen."
        )
        self._paragraph(
            Text(
                "Now with your own account. This asks three questions and writes the configuration and the rules:",
                "bold",
            )
        )
        self.plain(f"    {command} init --config {_YOURS}")
        self._console.print()
        self._paragraph(f"Or write {_YOURS} yourself, and copy the starter rules into rules/ beside it:")
        for line in own_configuration.splitlines():
            self.plain(f"    {line}")
        self._console.print()
        self._paragraph(
            "Then, with the application's credentials from Routee's console and a Slack bot's token (scope chat:write):"
        )
        self.plain("    export ROUTEE_APPLICATION_ID=… ROUTEE_APPLICATION_SECRET=…")
        self.plain("    export SLACK_BOT_TOKEN=xoxb-…")
        self.plain(f"    {command} check --online --config {_YOURS}")
        self.plain(f"    {command} run --config {_YOURS}")
        self._console.print()
        self._paragraph("README.md says how to make the Slack bot; it takes five minutes.")

    def stopped(self) -> None:
        """Prints that the demo was stopped early."""
        self._paragraph(Text("The demo is over; nothing of it is left behind.", "dim"))

    def _paragraph(self, text: str | Text) -> None:
        self._console.print(text, width=min(self._console.width, _LONGEST_LINE))
        self._console.print()


def _pace(speed: float) -> str:
    return f"a minute passes in {60 / speed:.1f} seconds"


def _command() -> str:
    """Returns the command by which the program is started here."""
    if shutil.which("routee-monitor"):
        return "routee-monitor"
    beside = Path(sys.executable).with_name("routee-monitor")
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)
