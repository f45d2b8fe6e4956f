"""What was stored by an earlier version, and would stop the daemon or blind its lists today, is set aside, and said."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import trio.testing

from monitor.runtime.clock import HOUR, LATEST, iso
from monitor.store.sqlite import open_sqlite
from tests.faults.fault_stage import NOW, staged

GOOD = {"name": "operator", "op": "=", "value": "Calm"}
DEAR = {"name": "operator", "op": "=~", "value": r"(?i)(?:\pL\PL){12}"}
OLD = NOW - 30 * HOUR


def stored(name: str, *matchers: Mapping[str, str], ends_at: int = NOW + HOUR) -> dict[str, Any]:
    """A silence as it stands in a store."""
    about = {"created_by": "ann", "comment": "why", "updated_at": OLD}
    return {"id": name, "matchers": matchers, "starts_at": OLD, "ends_at": ends_at, **about}


async def test_stored_silences_that_are_too_dear_are_set_aside_and_one_without_end_is_listed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.005
    dear = [DEAR | {"value": f"{DEAR['value']}{number}"} for number in range(2_000)]
    silences = [
        stored("good", GOOD),
        stored("one", GOOD, DEAR),
        stored("many", GOOD, *dear),
        stored("forever", GOOD, ends_at=253_402_351_199_000_000),  # 9999-12-31T23:59:59-14:00
    ]
    store = tmp_path / "monitor.db"
    open_sqlite(store).close()
    with closing(sqlite3.connect(store)) as connection, connection:
        rows = [(one["id"], json.dumps(one)) for one in silences]
        connection.executemany("INSERT INTO silence (id, data) VALUES (?, CAST(? AS BLOB))", rows)
    async with staged(tmp_path, store=f"sqlite:{store.name}") as stage:
        listed = json.loads((await stage.asked("/api/v2/silences"))[1])
        status, said = await stage.asked("/readyz")
        overall, _ = await stage.asked("/api/v1/status")
    assert {one["id"]: one["endsAt"] for one in listed} == {"good": iso(NOW + HOUR), "forever": iso(LATEST)}
    assert (status, overall) == (200, 200)
    for name in ("one", "many"):
        assert f"The stored silence {name} was set aside and silences nothing any more" in said
    with closing(open_sqlite(store, read_only=True)) as kept:
        assert {one.why.partition(":")[0] for one in kept.quarantined()} == {"silence one", "silence many"}
        assert {one.id for one in kept.load().silences} == {"good", "forever"}
        assert kept.load().unusable == []
