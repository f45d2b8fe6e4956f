"""Kills a daemon's opening of a damaged store at every few calls of Python, and says what the next opening finds.

Run as a program of its own, so that it can fork: ``recovery_kills.py STORE``, where the store is a damaged file. Prints a line for each kill:
what was found (alerts, groups, silences, acknowledgements, waiting notifications, whether losses are known), and whether damage was reported
by then, at the first or at the second opening.
"""

import os
import shutil
import sys
from contextlib import closing
from pathlib import Path
from types import FrameType

from monitor.store.open import open_daemon_store
from tests.store.store_samples import NOW

EVERY = 25
"""The calls between two kills; the last ones, while files are renamed, are all tried."""
LAST = 60


class Killer:
    """Ends the process at a call, without any cleaning up; counts them if that never comes."""

    def __init__(self, at: int = -1) -> None:
        self.at = at
        self.calls = 0

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call") and "monitor/store/" in frame.f_code.co_filename:
            if self.calls == self.at:
                os._exit(9)
            self.calls += 1

    def open(self, path: Path) -> bool:
        """Returns whether damage was reported."""
        sys.setprofile(self.profile)
        try:
            store, report = open_daemon_store(path, NOW)
        finally:
            sys.setprofile(None)
        store.close()
        return report is not None


def killed_at(path: Path, call: int) -> None:
    child = os.fork()
    if child == 0:
        try:
            Killer(call).open(path)
        finally:
            os._exit(1)
    os.waitpid(child, 0)


def found(path: Path) -> str:
    store, report = open_daemon_store(path, NOW)
    with closing(store):
        loaded = store.load()
        counts = (len(loaded.alerts), len(loaded.groups), len(loaded.silences), len(loaded.acks))
        waiting = len(store.waiting("ops", "slack/0", 9))
        return f"{(*counts, waiting, bool(loaded.lost))} reported {report is not None}"


def main(damaged: Path) -> None:
    place = damaged.with_name("killed") / damaged.name

    def anew() -> Path:
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir()
        for one in damaged.parent.glob(f"{damaged.name}*"):
            shutil.copy(one, place.parent)
        return place

    counter = Killer()
    counter.open(anew())
    assert counter.calls > EVERY + LAST
    for call in [*range(0, counter.calls - LAST, EVERY), *range(counter.calls - LAST, counter.calls)]:
        killed_at(anew(), call)
        sys.stdout.write(found(place) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
