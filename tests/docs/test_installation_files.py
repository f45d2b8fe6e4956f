"""The systemd unit and the Dockerfile, as far as they can be held to the program without running systemd or a container engine."""

import configparser
import re
from importlib.metadata import requires
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(ROOT / "systemd" / "routee-monitor.service")
    return parser["Service"]


def test_the_unit_runs_the_daemon_with_the_configuration_that_is_looked_for(service):
    assert service["ExecStart"].endswith("/routee-monitor run --config /etc/routee-monitor/monitor.yaml")
    assert service["Type"] == "notify"


def test_what_a_person_has_to_put_right_is_not_tried_again(service):
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == ["2", "65", "78"]


def test_the_unit_leaves_time_to_drain(service):
    assert int(service["TimeoutStopSec"].removesuffix("s")) > 10


def test_the_unit_reloads_and_feeds_a_watchdog(service):
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["WatchdogSec"]


SERVICE_KEYS = {
    "build",
    "cap_drop",
    "image",
    "ports",
    "pull_policy",
    "read_only",
    "restart",
    "secrets",
    "security_opt",
    "stop_grace_period",
    "volumes",
}
"""The keys of the Compose specification that the example needs; a misspelt one would be refused by no test of YAML."""


def test_the_compose_file_runs_the_image_without_rights_and_keeps_its_state():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    assert compose.keys() == {"services", "volumes", "secrets"}
    (service,) = compose["services"].values()
    assert service.keys() == SERVICE_KEYS
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 10
    assert set(service["secrets"]) == compose["secrets"].keys()
    volume, target = service["volumes"][0].split(":")
    assert volume in compose["volumes"]
    assert f"VOLUME {target}\n" in DOCKERFILE
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_example_of_several_daemons_runs_them_alike_and_with_rights_as_few():
    compose = yaml.safe_load((ROOT / "docs/install/compose.cluster.yaml").read_text("utf-8"))
    single = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["routee-monitor"]
    workers = [service for name, service in compose["services"].items() if name.startswith("worker-")]
    assert len(workers) == 2
    for service in workers:
        for key in ("read_only", "cap_drop", "security_opt", "restart", "stop_grace_period"):
            assert service[key] == single[key]
        assert "./monitor.yaml:/etc/routee-monitor/monitor.yaml:ro" in service["volumes"]
        assert set(service["secrets"]) == compose["secrets"].keys()
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert workers[0]["ports"] != workers[1]["ports"]
    assert "state" in compose["volumes"]


def test_the_image_of_the_examples_is_built_and_asked_of_no_registry():
    for name in ("compose.yaml", "docs/install/compose.cluster.yaml"):
        for service in yaml.safe_load((ROOT / name).read_text("utf-8"))["services"].values():
            if service["image"].startswith("routee-monitor"):
                assert service["pull_policy"] == "build"
                build = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
                assert ((ROOT / name).parent / build["context"] / "Dockerfile").samefile(ROOT / "Dockerfile")
                assert ("postgresql" in build.get("args", {}).get("LOCKS", "").split()) == ("cluster" in name)


def test_a_worker_of_the_example_that_is_made_anew_has_the_name_of_the_one_before():
    services = yaml.safe_load((ROOT / "docs/install/compose.cluster.yaml").read_text("utf-8"))["services"]
    workers = {name: service["hostname"] for name, service in services.items() if name.startswith("worker-")}
    assert workers == {name: name for name in workers}


def test_the_example_of_several_daemons_has_what_the_configuration_of_its_page_names():
    page = (ROOT / "docs/install/cluster.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    compose = yaml.safe_load((ROOT / "docs/install/compose.cluster.yaml").read_text("utf-8"))
    given = compose["services"]["worker-1"]["environment"]
    assert set(re.findall(r"\$\{(\w+)\}", example)) == given.keys() - {"CREDENTIALS_DIRECTORY"}
    assert given["CREDENTIALS_DIRECTORY"] == "/run/secrets"
    assert set(re.findall(r"_file: (\w+)", example)) == compose["secrets"].keys()


def build_requirements(name: str) -> set[str]:
    parsed = [Requirement(each) for each in requires(name) or []]
    needed = {each.name for each in parsed if each.marker is None or each.marker.evaluate({"extra": ""})}
    return needed.union(*map(build_requirements, needed))


def locked(name: str) -> dict[str, str]:
    """Every requirement of a lock by its package, as it is pinned."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("lock", "roots"),
    [
        ("build", ["hatchling", "click"]),
        ("apprise", ["apprise"]),
        ("postgresql", ["psycopg", "psycopg-binary"]),
    ],
)
def test_a_small_lock_is_whole_and_pins_what_the_others_pin(lock, roots):
    pins, whole = locked(lock), locked("dev")
    needed = chain(roots, *map(build_requirements, roots))
    assert set(map(canonicalize_name, needed)) <= pins.keys()
    assert pins.items() <= whole.items()
    assert locked("run").items() <= whole.items()


def test_the_image_installs_only_what_is_locked_with_hashes():
    installs = re.findall(r"pip install ([^\n\\&]*)", DOCKERFILE)
    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def installing() -> list[tuple[Path, str]]:
    """Every line of the repository, outside the tests, with which a lock is installed or fetched."""
    files = [
        ROOT / "Makefile",
        ROOT / "Dockerfile",
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob(".ci/*"),
    ]
    texts = [(file, file.read_text("utf-8")) for file in [*files, ROOT / "tests/system/install.sh"]]
    return [
        (file.relative_to(ROOT), line)
        for file, text in texts
        for line in text.splitlines()
        if re.search(r"(install|download) .*--require-hashes", line)
    ]


def test_wherever_a_lock_is_installed_pip_does_not_resolve_it_again():
    assert {str(file) for file, _ in installing()} >= {"Makefile", "Dockerfile", "README.md", ".ci/package", ".ci/fuzz"}
    assert [line for _, line in installing() if "--no-deps" not in line] == []


def test_wherever_the_project_is_built_to_be_installed_its_backend_is_the_locked_one():
    lines = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.endswith(" .")]
    assert [line for line in lines if "pip install" in line and "--no-build-isolation" not in line] == []


def test_the_image_runs_as_nobody_special_and_says_how_it_fares():
    last_stage = DOCKERFILE.rsplit("FROM ", 1)[1]
    assert "USER 10001:10001" in last_stage
    assert 'CMD ["routee-monitor", "healthcheck"]' in last_stage
    assert "pip install" not in last_stage
