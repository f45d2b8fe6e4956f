"""Several real daemons on one PostgreSQL: who holds what, and what people are told whoever does."""

import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, hook
from e2e_process import Daemon, daemon
from e2e_stage import EACH_ALONE, FAILING, SEARCH, put_operator, routee
from e2e_store import store_keys

import monitor
from monitor.runtime.clock import SystemClock
from monitor.runtime.errors import StoreError
from monitor.runtime.postgresql_address import PostgresqlAddress
from monitor.simulation.sandbox import Sandbox
from monitor.store.open import open_store
from tests.fakes.waiting import until

ACCOUNTS = ("athens", "berlin", "cairo", "dublin")
ROUTE = EACH_ALONE | {"group_by": ["alertname", "operator", "account"], "group_wait": "1s", "group_interval": "1s"}

Alert = tuple[str, str]
"""An account and an operator that fails there."""


@dataclass
class Cluster:
    """Accounts with a Routee each, a webhook, and a database. Each worker posts to a path of its own, so that they can be told apart."""

    folder: Path
    database: PostgresqlAddress
    told: Hook
    sandboxes: dict[str, Sandbox]
    urls: dict[str, str]
    more: dict[str, Any] = field(default_factory=dict)

    def config(self, worker: str, **more: Any) -> Path:
        """The configuration of a worker: the same for all but for where its notifications are posted."""
        folder = self.folder / worker
        folder.mkdir(exist_ok=True)
        keys = {
            "accounts": [account(self.urls[name], name) for name in ACCOUNTS],
            "searches": [SEARCH | {"account": name, "every": "1s"} for name in ACCOUNTS],
            "receivers": receivers(f"{self.told.url}/{worker}"),
            "route": ROUTE,
            "flapping": "off",
            **store_keys(self.database),
        }
        return write(folder, [FAILING], **(keys | self.more | more))

    @asynccontextmanager
    async def worker(self, name: str, *, inside: Sequence[str] = (), **more: Any) -> AsyncIterator[Daemon]:
        """A daemon that has started. ``inside``: see `daemon`."""
        async with daemon(self.config(name, **more), inside=inside) as process:
            await process.watching()
            yield process

    def fail(self, operator: str, accounts: Iterable[str] = ACCOUNTS) -> None:
        for name in accounts:
            put_operator(self.sandboxes[name], operator, failed=5)

    def mend(self, operator: str, accounts: Iterable[str] = ACCOUNTS) -> None:
        for name in accounts:
            put_operator(self.sandboxes[name], operator, failed=0)

    def firing(self) -> set[Alert]:
        """What the webhook's owner believes to fire."""
        known = [dict(alert) for alert in self.told.firing()]
        return {(one["account"], one["operator"]) for one in known if one["alertname"] == "Failing"}

    async def until_firing(self, *operators: str, accounts: Iterable[str] = ACCOUNTS) -> None:
        wanted = {(name, operator) for name in accounts for operator in operators}
        await until(lambda: self.firing() == wanted, lambda: f"{wanted} to be told, not {self.firing()}", 60)
        await until(self._is_noted, "what came of it to be noted")

    def _is_noted(self) -> bool:
        with suppress(StoreError), open_store(self.database, read_only=True) as store:
            return not store.outbox_rows("waiting")
        return False  # a busy machine takes too long to connect: the next look may do better

    def told_by(self, worker: str) -> int:
        """How many notifications a worker posted."""
        return sum(one.path == f"/hook/{worker}" for one in self.told.taken)

    def check_once(self, *, fired: int, resolved: int) -> None:
        """Everything was told exactly so often, each notification once, and nothing of this program's own troubles."""
        assert self.told.names("firing") == Counter({"Failing": fired} if fired else {})
        assert self.told.names("resolved") == Counter({"Failing": resolved} if resolved else {})
        assert all(times == 1 for times in Counter(one.id for one in self.told.taken).values())
        self.told.episodes()  # also that nothing is resolved that was not told to fire


def newer_version(folder: Path, version: str) -> list[str]:
    """A copy of this program with another version and one more step of the tables; gives what runs it (see `daemon`)."""
    package = Path(monitor.__file__).parent
    compiling = shutil.ignore_patterns("*.pyc.*")  # another process may be about to rename it
    shutil.copytree(package, folder / "monitor", ignore=compiling)
    steps = folder / "monitor/store/postgresql_migrations"
    number = len(list(steps.glob("*.sql"))) + 1
    (steps / f"{number:04}_more.sql").write_text("ALTER TABLE worker ADD COLUMN more TEXT NOT NULL DEFAULT '';\n")
    information = folder / f"routee_monitor-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: routee-monitor\nVersion: {version}\n")
    return ["env", f"--chdir={folder}", f"PYTHONPATH={folder}"]


def taken(process: Daemon) -> list[str]:
    """The accounts that a worker holds, as its log tells."""
    held: list[str] = []
    for entry in process.logged:
        words = entry["message"].split()
        if entry["message"].startswith("account ") and " was taken" in entry["message"]:
            held.append(words[1])
        elif "was given away" in entry["message"] or "is held by another worker" in entry["message"]:
            held.remove(words[1])
    return sorted(held)


async def until_shared(*processes: Daemon) -> None:
    """Until every account is held, and the workers' numbers of accounts differ by one at most."""

    def shared() -> bool:
        counts = [len(taken(one)) for one in processes]
        return sum(counts) == len(ACCOUNTS) and max(counts) - min(counts) <= 1

    await until(shared, lambda: f"the accounts to be shared, not {[taken(one) for one in processes]}", 60)


@asynccontextmanager
async def cluster(folder: Path, database: PostgresqlAddress, **more: Any) -> AsyncIterator[Cluster]:
    """Everything but the workers."""
    async with AsyncExitStack() as stack:
        sandboxes = {name: Sandbox(SystemClock()) for name in ACCOUNTS}
        urls = {name: await stack.enter_async_context(routee(one)) for name, one in sandboxes.items()}
        told = await stack.enter_async_context(hook())
        yield Cluster(folder, database, told, sandboxes, urls, more)
