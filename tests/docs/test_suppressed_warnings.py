"""Where a warning of ruff or mypy is switched off, the reason stands beside it (CONTRIBUTING.md)."""

import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b")
REASON = re.compile(r"(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*\s*(?:[-—#]\s*)|type:\s*ignore\[[a-z, -]+\]\s*#\s*)\w.{4,}")


def comments(text: str) -> list[tuple[int, str]]:
    """Returns the comments of a program with their lines, without what only looks like one inside a text."""
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in found if token.type == tokenize.COMMENT]


def unreasoned(text: str) -> list[int]:
    return [line for line, comment in comments(text) if MARK.search(comment) and not REASON.search(comment)]


def test_each_has_its_reason() -> None:
    files = [one for folder in ("monitor", "tests", "benchmarks", "docs") for one in (ROOT / folder).rglob("*.py")]
    bare = [f"{one.relative_to(ROOT)}:{line}" for one in files for line in unreasoned(one.read_text("utf-8"))]
    assert len(files) > 500
    assert bare == []


def test_a_bare_one_is_found() -> None:
    good = "a = 1  # noqa: S105 - a file's name\nb = 2  # type: ignore[index]  # each of them matches\nc = '# noqa'\n"
    bad = "a = 1  # noqa\nb = 2  # noqa: S105\nc = 3  # type: ignore[index]\nd = 4  # type: ignore  # why\n"
    assert unreasoned(good) == []
    assert unreasoned(bad) == [1, 2, 3, 4]
