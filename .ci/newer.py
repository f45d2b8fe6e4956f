"""Makes a newer release of every package that is locked: `python .ci/newer.py FOLDER LOCK…`. Each is a wheel with nothing in it."""

import re
import sys
import zipfile
from pathlib import Path

VERSION = "9999"


def names(lock: Path) -> set[str]:
    """The packages of a lock."""
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text("utf-8"), re.MULTILINE))


def make(folder: Path, name: str) -> Path:
    """A wheel of ``name`` in ``folder``; it needs nothing and holds nothing."""
    stem = f"{name.replace('-', '_')}-{VERSION}"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: newer\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(f"{stem}.dist-info/{file}", text)
    return wheel


if __name__ == "__main__":
    target, *locks = map(Path, sys.argv[1:])
    target.mkdir(parents=True)
    for each in sorted(set().union(*map(names, locks))):
        make(target, each)
