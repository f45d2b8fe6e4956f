"""Where a store is, as ``monitor.yaml`` and commands write it."""

from pathlib import Path
from typing import Final

from monitor.runtime.postgresql_address import PostgresqlAddress, is_postgresql, parse_postgresql

_ABSOLUTE: Final = "sqlite:///"
_SQLITE: Final = "sqlite:"


def parse_store(text: str, folder: Path) -> Path | PostgresqlAddress:
    """Returns the path of a SQLite file, relative to ``folder`` unless it is absolute, or a PostgreSQL address. Raises ValueError."""
    if is_postgresql(text):
        return parse_postgresql(text)
    name = text.removeprefix("sqlite://" if text.startswith(_ABSOLUTE) else _SQLITE)
    if not text.startswith(_SQLITE) or name.startswith("//") or not name.strip("/"):
        raise ValueError(
            "should be sqlite:///absolute/path, sqlite:NAME relative to this file, or postgresql://user@host/database"
        )
    return Path(name) if text.startswith(_ABSOLUTE) else folder / name
