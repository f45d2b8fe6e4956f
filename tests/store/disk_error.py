"""Lets a store's files hit a limit of the kernel while it commits, lifts the limit and goes on: ``disk_error.py DATABASE``."""

import resource
import signal
import sys
from contextlib import closing
from pathlib import Path

from monitor.runtime.errors import StoreError
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from tests.store.store_samples import cursor

unlimited = resource.RLIM_INFINITY
big = Commit(cursors=[cursor()], journal=[("main", bytes(5_000_000))])

with closing(open_sqlite(Path(sys.argv[1]))) as store:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, unlimited))
    for _ in range(3):
        try:
            store.commit(big)
        except StoreError as error:
            sys.stdout.write(f"{error}\n")
        assert store.load().cursors == []
        assert list(store.journal("main")) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
    store.commit(big)
    assert store.load().cursors == [cursor()]
    [(_, blob)] = store.journal("main")
    assert len(blob) == 5_000_000
