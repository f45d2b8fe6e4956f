"""Files that hold what people read. ``UPDATE_GOLDEN=1 pytest`` writes them anew; look at the difference before committing it."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "testdata" / "golden"


def is_as_before(name: str, text: str) -> None:
    """``text`` is what the golden file holds."""
    file = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"{file.name} differs; UPDATE_GOLDEN=1 writes it anew"
