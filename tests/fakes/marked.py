"""Reads files that say on each line what is wrong with it: ``# !! these words; and these``."""

from pathlib import Path

from monitor.runtime.errors import Problem

TESTDATA = Path(__file__).parent.parent / "testdata"


def marks(path: Path) -> dict[int, list[str]]:
    """Returns, by line number, the words that problems of that line must contain, each at least once."""
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if number > 1 and "# !! " in line:
            found[number] = line.split("# !! ")[1].split("; ")
    return found


def assert_as_marked(path: Path, problems: list[Problem]) -> None:
    """Asserts that every marked problem is among ``problems``, at its line, and that no other line has a problem."""
    wanted = marks(path)
    said: dict[int, list[str]] = {}
    for problem in problems:
        assert problem.file == str(path)
        said.setdefault(problem.line, []).append(f"{problem.path}: {problem.message}")
    assert sorted(said) == sorted(wanted), "\n".join(map(str, problems))
    for line, words in wanted.items():
        for word in words:
            assert any(word in sentence for sentence in said[line]), (line, word, said[line])
