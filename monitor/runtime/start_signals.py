"""Takes the signals that come while the daemon starts. It imports nothing but what Python has loaded anyway, to be the first thing of a start."""

import os
import signal
from types import FrameType
from typing import Self


class StartSignals:
    """Remembers a SIGHUP, which would end the process, and ends at a SIGTERM or SIGINT as asked, until `monitor.cli.signals` handles them.

    Python would make an exception of a SIGINT, which a module that is being imported shows with a traceback. A process whose PID is 1, as in a
    container, would ignore a SIGTERM. Nothing is begun yet that would have to be ended.
    """

    def __init__(self) -> None:
        self.hangup_came = False

    def __enter__(self) -> Self:
        self._end = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
        self._hang_up = signal.signal(signal.SIGHUP, self._remember)
        earlier = getattr(self._hang_up, "__self__", None)
        if isinstance(earlier, StartSignals) and earlier.hangup_came:
            self.hangup_came = True
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGHUP, self._hang_up)
        for number, before in self._end.items():
            signal.signal(number, before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.hangup_came = True


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0)  # an exception could be caught by whatever is being imported
