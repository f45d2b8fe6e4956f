"""What holds for every test."""

import gc
import logging
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from monitor.runtime.postgresql_address import PostgresqlAddress
from tests.fakes.log_as_it_was import log_as_it_was
from tests.fakes.longest_first import longest_first
from tests.fakes.patience import until
from tests.fakes.postgresql import PostgresqlServer, running_server, store_keys

# What is compiled is kept, whatever the environment says: hundreds of tests start the program, and each start would compile all of it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Temporary files, those of PostgreSQL among them, are in memory where there is room for them. No test here takes the power away, so
# none can tell a disk from memory, but for the time that each commit waits for the disk.
MEMORY, ROOM = Path("/dev/shm"), 2**31


def _may_be_used(folder: Path) -> bool:
    """Whether there is room in it, and programs in it may run."""
    if not folder.is_dir():
        return False
    return shutil.disk_usage(folder).free > ROOM and not os.statvfs(folder).f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and _may_be_used(MEMORY):
    tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)

TESTS = Path(__file__).parent
SLOW = {TESTS / line for line in (TESTS / "slow.txt").read_text("utf-8").splitlines() if not line.startswith("#")}

# A busy machine is slow: how long an example takes says nothing of the code.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


LEVELS = {name: logging.getLogger(name).level for name in ("root", "monitor")}
"""As they were before any test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help="leave out what tests/slow.txt lists, as `make test-fast` does"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--fast") and collection_path in SLOW else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = longest_first(items, processes)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leaves what is collected, some 400,000 objects, to no garbage collection: each full one would look through all of them again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Commands set the log up for a process of their own; here the next test has it again as it was.

    A fixture of a module or of the session may have run one too, before this was asked for.
    """
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    with log_as_it_was():
        yield


@pytest.fixture(autouse=True)
def _no_thread_left_at_work() -> Iterator[None]:
    """A call that a test gave up goes on in its thread. It ends before the next test begins, so that it cannot log or warn into that."""
    before = _at_work()
    yield
    until(lambda: not _at_work() - before, "the threads of this test to end")


def _at_work() -> set[threading.Thread]:
    """All but trio's spare ones, which wait under this name for what comes next."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Trio thread ")}


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL for all tests of this process."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgresqlServer) -> Iterator[PostgresqlAddress]:
    """An empty database."""
    address = postgresql_server.database()
    yield address
    postgresql_server.drop(address)


@pytest.fixture
def postgresql_tables(postgresql_server: PostgresqlServer) -> Iterator[PostgresqlAddress]:
    """A database with the tables of a store, and nothing in them."""
    address = postgresql_server.database_with_tables()
    yield address
    postgresql_server.drop(address)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_in(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The keys of ``monitor.yaml`` that say where the store is (the file ``monitor.db`` beside it where there is none): each test runs on both."""
    return {} if request.param == "sqlite" else store_keys(request.getfixturevalue("postgresql"))
