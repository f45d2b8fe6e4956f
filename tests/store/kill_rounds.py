"""Kills a process that commits as fast as it can, at random instants, and says what is found in the store afterwards.

Run as a program of its own, so that it can fork: ``kill_rounds.py STORE ROUNDS``, where the store is a file, or a PostgreSQL address without
its password. Each commit carries one number in every table; receipts are written in between. Prints one line a
round: the number of commits that the writer had reported before it was killed.
"""

import os
import random
import select
import signal
import sys
from itertools import count
from pathlib import Path

from monitor.runtime.postgresql_address import is_postgresql, parse_postgresql
from monitor.store.open import StoreLocation, open_exclusively
from monitor.store.protocol import Commit, Pending
from tests.store.store_samples import NOW, alert, cursor, group, notification, transition


def write(path: StoreLocation, out: int) -> None:
    """Commit numbers from the last one on, for ever, and report each when it is durable."""
    with open_exclusively(path, existing=False) as store:
        begun = max((one.as_of for one in store.load().cursors), default=0)
        for number in count(begun + 1):
            store.commit(
                Commit(
                    journal=[("main", b"%d " % number + os.urandom(20_000))],
                    cursors=[cursor(as_of=number)],
                    alerts=[alert(operator=str(number))],
                    transitions=[transition(at=number)],
                    groups=[group(key=str(number))],
                    outbox=[Pending("slack/0", notification(f"k{number}"))],
                )
            )
            os.write(out, b".")
            [outbox_row] = store.waiting("ops", "slack/0", 1)
            store.sent(outbox_row.id, {"ts": outbox_row.notification.key}, NOW)


def kill_once(path: StoreLocation) -> int:
    """How many commits were reported before the kill."""
    read, out = os.pipe()
    writer = os.fork()
    if writer == 0:
        os.close(read)
        try:
            write(path, out)
        finally:
            os._exit(1)
    os.close(out)
    # The first report shows that it runs; then anything between no time and some commits.
    reported = len(os.read(read, 1))
    select.select([], [], [], random.uniform(0, 0.05))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    while chunk := os.read(read, 65_536):
        reported += len(chunk)
    os.close(read)
    return reported


def check(path: StoreLocation, reported: int, kills: int) -> int:
    """The number of the last commit, after seeing that every table tells of the same commits and none that was reported is lost."""
    with open_exclusively(path, existing=True) as store:  # of a killed process nothing is under way any more
        [last] = [one.as_of for one in store.load().cursors]
        assert last >= reported, f"{reported} commits were reported, {last} are there"
        numbers = list(range(1, last + 1))
        assert [int(blob.split()[0]) for _, blob in store.journal("main")] == numbers
        assert [one.at for one in store.transitions(last + 1)] == numbers[::-1]
        assert [int(one.group[0][1]) for one in store.load().alerts] == numbers
        assert len(store.load().groups) == last
        outbox_rows = store.outbox_rows(limit=last + 1)
        assert [one.notification.key for one in outbox_rows] == [f"k{number}" for number in numbers[::-1]]
        assert all(one.receipt == {"ts": one.notification.key} for one in outbox_rows if one.state == "sent")
        assert len(store.waiting("ops", "slack/0", 99)) <= kills, "more receipts are missing than there were kills"
    return last


if __name__ == "__main__":
    named, last = sys.argv[1], 0
    database = parse_postgresql(named) if is_postgresql(named) else Path(named)
    for kills in range(1, int(sys.argv[2]) + 1):
        reported = kill_once(database)
        last = check(database, last + reported, kills)
        sys.stdout.write(f"{reported}\n")
