"""How SQLite finds past notifications: of one alert or incident it must not read all of them, which takes seconds."""

import sqlite3
from pathlib import Path

import pytest

from monitor.store import statements
from monitor.store.sqlite import open_sqlite


@pytest.mark.parametrize("name", ["fingerprint", "incident", "rule"])
def test_the_notifications_of_one_alert_or_incident_are_found_by_an_index(tmp_path: Path, name: str) -> None:
    open_sqlite(tmp_path / "monitor.db").close()
    asked = statements.HISTORY_COUNT.format(statements.CONDITIONS[name])
    connection = sqlite3.connect(tmp_path / "monitor.db")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {asked}", ["x"] * asked.count("?"))]
    connection.close()
    assert not any(step.startswith("SCAN parcel") for step in plan), plan
    assert any("transition_incident" in step for step in plan) == (name == "incident")
