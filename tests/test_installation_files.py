"""The systemd unit and the Dockerfile, as far as they can be held to the program without running systemd or a container engine."""

import configparser
import re
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
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
    assert service["RestartPreventExitStatus"].split() == ["64", "65", "78"]


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


def build_requirements(name: str) -> set[str]:
    parsed = [Requirement(each) for each in requires(name) or []]
    needed = {each.name for each in parsed if each.marker is None or each.marker.evaluate({"extra": ""})}
    return needed.union(*map(build_requirements, needed))


def test_the_image_is_built_with_all_that_the_locked_build_backend_needs():
    named = re.search(r"\^\(([a-z|-]+)\)==", DOCKERFILE)
    assert named is not None
    assert set(named[1].split("|")) == {"hatchling", "click"} | build_requirements("hatchling") | build_requirements(
        "click"
    )


def test_the_image_installs_only_what_is_locked_with_hashes():
    installs = re.findall(r"pip install ([^\n\\&]*)", DOCKERFILE)
    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def test_the_image_runs_as_nobody_special_and_says_how_it_fares():
    last_stage = DOCKERFILE.rsplit("FROM ", 1)[1]
    assert "USER 10001:10001" in last_stage
    assert 'CMD ["routee-monitor", "healthcheck"]' in last_stage
    assert "pip install" not in last_stage
