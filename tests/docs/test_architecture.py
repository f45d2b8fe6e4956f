"""docs/architecture.md says how the rooms lie and which way a message and an alert take: as the code has it."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
[LAYERS] = [one["layers"] for one in CONTRACTS if one["type"] == "layers"]


def _part(heading: str) -> str:
    """What stands below a heading."""
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def _chains(heading: str) -> list[list[tuple[str, str]]]:
    """The lists of hops below a heading: in each, a function calls the next one. A hop is a file and a function (``Class.method``)."""
    chains: list[list[tuple[str, str]]] = []
    for number, file, function in re.findall(r"^(\d+)\. `([\w/]+\.py):([\w.]+)`", _part(heading), re.MULTILINE):
        if number == "1":
            chains.append([])
        chains[-1].append((file, function))
    return chains


def _functions(file: str) -> dict[str, ast.AST]:
    found: dict[str, ast.AST] = {}
    for node in ast.parse((ROOT / "monitor" / file).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{one.name}": one
                for one in node.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
    return found


def _named_in(node: ast.AST) -> set[str]:
    """Every name and attribute in a function's body."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} | {
        one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)
    }


def test_the_rooms_stand_in_the_order_in_which_they_may_import() -> None:
    shown = re.findall(r"^\| `(\w+)/` \|", _part("The rooms"), re.MULTILINE)
    assert shown == LAYERS
    folders = {path.name for path in (ROOT / "monitor").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(shown)
    picture = (ROOT / "docs" / "images" / "rooms.svg").read_text("utf-8")
    for room in shown:
        assert f">{room}/<" in picture


@pytest.mark.parametrize(
    "chain", [*_chains("The path of a message"), *_chains("The path of an alert")], ids=lambda chain: chain[0][1]
)
def test_each_hop_calls_the_next(chain: list[tuple[str, str]]) -> None:
    assert len(chain) >= 3
    for (file, function), (_, following) in zip(chain, [*chain[1:], ("", "")], strict=True):
        functions = _functions(file)
        assert function in functions, f"{file} has no {function}"
        if following:
            assert following.rpartition(".")[2] in _named_in(functions[function]), (
                f"{file}:{function} does not call {following}"
            )


def test_both_paths_are_shown() -> None:
    assert len(_chains("The path of a message")) == 4
    assert len(_chains("The path of an alert")) == 3


def test_every_file_named_is_there() -> None:
    for file in re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)`", PAGE):
        assert (ROOT / "monitor" / file).exists() or (ROOT / file).exists(), file


def test_a_class_has_a_name_that_no_other_class_has() -> None:
    named: dict[str, list[str]] = {}
    for path in sorted((ROOT / "monitor").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                named.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in named.items() if len(files) > 1} == {}


def test_what_the_fast_tests_leave_out_is_there() -> None:
    named = [line for line in (ROOT / "tests" / "slow.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in named if not (ROOT / "tests" / line).exists()] == []
