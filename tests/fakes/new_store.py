"""New stores, for tests that make many of them: the steps that make the tables are run once, and their result is copied."""

import tempfile
from functools import cache
from pathlib import Path

from monitor.store.sqlite import SqliteStore, open_sqlite


@cache
def _new_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "monitor.db"
        open_sqlite(path).close()
        return path.read_bytes()


def new_sqlite(path: Path) -> SqliteStore:
    """Opens a new store in ``path``, as `open_sqlite` does."""
    path.write_bytes(_new_file())
    return open_sqlite(path)
