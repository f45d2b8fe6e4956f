"""What is published: a sdist that is the repository, a wheel with all that is made for it, a bill of materials, checksums."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
VERSION = version("routee-monitor")
LOCKS = [
    "requirements/run.txt",
    "requirements/dev.txt",
    "requirements/build.txt",
    "requirements/apprise.txt",
    "requirements/postgresql.txt",
]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "dist"
    around = os.environ | {"RELEASE_PYTHON": sys.executable, "SOURCE_DATE_EPOCH": "1800000000"}
    done = subprocess.run(
        [ROOT / ".ci/release", folder], env=around, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def materials(dist: Path) -> dict[str, Any]:
    bill: dict[str, Any] = json.loads((dist / f"routee_monitor-{VERSION}.cdx.json").read_text("utf-8"))
    return bill


def repository() -> set[str]:
    """Every file that a commit of the present state would hold; of an unpacked sdist, what it holds."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        return {name for name in listed if (ROOT / name).exists()}
    made = {".venv", "__pycache__", ".hypothesis", ".pytest_cache", "PKG-INFO"}
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return {str(path) for path in files if not made & set(path.parts)}


def test_the_sdist_is_the_repository(dist: Path) -> None:
    with tarfile.open(dist / f"routee_monitor-{VERSION}.tar.gz") as archive:
        packed = {member.name.partition("/")[2] for member in archive.getmembers()}
    assert packed == repository() | {"PKG-INFO"}


def test_the_wheel_has_the_program_its_demo_its_manual_and_nothing_of_the_tests(dist: Path) -> None:
    with zipfile.ZipFile(dist / f"routee_monitor-{VERSION}-py3-none-any.whl") as archive:
        names = set(archive.namelist())
        manual = archive.read(f"routee_monitor-{VERSION}.data/data/share/man/man1/routee-monitor.1").decode()
    assert f"routee\\-monitor {VERSION}" in manual
    data = f"routee_monitor-{VERSION}.data/data/share"
    assert {
        f"{data}/bash-completion/completions/routee-monitor",
        f"{data}/zsh/site-functions/_routee-monitor",
        f"{data}/fish/vendor_completions.d/routee-monitor.fish",
    } <= names
    assert {
        "monitor/py.typed",
        "monitor/store/migrations/0001_initial.sql",
        "monitor/simulation/demo/monitor.yaml",
    } <= names
    assert any(name.startswith("monitor/config/starter_rules/") for name in names)
    assert {name.split("/")[0] for name in names} == {
        "monitor",
        f"routee_monitor-{VERSION}.data",
        f"routee_monitor-{VERSION}.dist-info",
    }


def test_the_checksums_are_those_of_the_files(dist: Path) -> None:
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    files = {path.name: path for path in dist.iterdir() if path.name != "SHA256SUMS"}
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_the_bill_of_materials_is_cyclonedx(dist: Path) -> None:
    text = (dist / f"routee_monitor-{VERSION}.cdx.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"type": "library"', '"type": "x"'))


def test_the_bill_lists_exactly_what_is_locked_and_who_needs_it(materials: dict[str, Any]) -> None:
    listed = sorted((each["name"], each["version"]) for each in materials["components"])
    assert listed == sorted((each.name, next(iter(each.specifier)).version) for each in locked("requirements/run.txt"))
    assert all(each["properties"] for each in materials["components"])
    graph = {each["ref"]: each["dependsOn"] for each in materials["dependencies"]}
    own = {re.sub(r"pkg:pypi/(.*)@.*", r"\1", each) for each in graph[materials["metadata"]["component"]["bom-ref"]]}
    assert own == {canonicalize_name(each.name) for each in asked_for("charts")}
    reached: set[str] = set()
    waiting = [materials["metadata"]["component"]["bom-ref"]]
    while waiting:
        reference = waiting.pop()
        if reference not in reached:
            reached.add(reference)
            waiting += graph[reference]
    assert {each["bom-ref"] for each in materials["components"]} <= reached, "nothing is locked that nobody needs"


def locked(lock: str) -> list[Requirement]:
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    return [Requirement(line.split("--hash")[0]) for line in text.splitlines() if line.strip()]


def asked_for(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(each) for some in lists for each in some]


def here(requirements: list[Requirement]) -> list[Requirement]:
    """Those that this machine needs."""
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_to_one_version_by_hashes(lock: str) -> None:
    for line in (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines():
        assert re.fullmatch(r"[a-z0-9.-]+==[^ ;]+( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line), line


def pins(lock: str) -> dict[str, str]:
    """Name and version of all that this machine needs of a lock."""
    return {canonicalize_name(each.name): next(iter(each.specifier)).version for each in here(locked(lock))}


@pytest.mark.parametrize("lock", ["requirements/run.txt", "requirements/build.txt"])
def test_the_tools_lock_holds_what_running_and_building_need(lock: str) -> None:
    assert pins(lock).items() <= pins("requirements/dev.txt").items()


def test_locks_that_are_installed_together_agree() -> None:
    tools = pins("requirements/dev.txt")
    assert {
        name: version
        for lock in ("requirements/apprise.txt", "requirements/postgresql.txt")
        for name, version in pins(lock).items()
        if tools.get(name, version) != version
    } == {}


def test_the_locks_satisfy_what_the_project_asks_for() -> None:
    pinned = pins("requirements/dev.txt")
    for wanted in asked_for("dev"):
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), wanted
