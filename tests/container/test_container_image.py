"""The image: what is in it, what is not, and that its command runs, is watched and stops, with nothing writable but its volume."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from container_image import Image, inside, loopback_up, mounted, start

from tests.fakes.patience import until

CONFIG = """
accounts:
  - name: main
    application_id: sandbox
    application_secret_file: /run/secrets/routee_secret
    api_url: {url}
    auth_url: {url}
searches: [{{name: all, every: 1s}}]
rules: [rules/*.yaml]
store: sqlite:///var/lib/routee-monitor/monitor.db
receivers: [{{name: console, console: [{{}}]}}]
"""


@dataclass
class Container:
    image: Image
    process: subprocess.Popen[str]
    first: int
    log: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return inside(self.image, self.first, command)

    def said(self, words: str) -> bool:
        return words in self.log.read_text()


@pytest.fixture(scope="module")
def image() -> Image:
    loopback_up()
    return Image.built()


@pytest.fixture(scope="module")
def routee(image: Image) -> Iterator[str]:
    command = [sys.executable, "-m", "monitor", "sandbox", "--listen", "127.0.0.1:0", "--history", "10m"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture(scope="module")
def container(image: Image, routee: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("container")
    (folder / "monitor.yaml").write_text(CONFIG.format(url=routee))
    (folder / "secrets").mkdir()
    (folder / "secrets" / "routee_secret").write_text("sandbox-secret\n")
    binds = {folder / "monitor.yaml": "/etc/routee-monitor/monitor.yaml", folder / "secrets": "/run/secrets"}
    log = folder / "log"
    with mounted(image, folder, binds) as root, log.open("w") as stream:
        process = start(image, root, image.command, stderr=stream, stdout=subprocess.DEVNULL)
        try:
            first = until(lambda: children(process.pid), "the first process")[0]
            yield Container(image, process, first, log)
        finally:
            process.kill()
            process.wait()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_it_runs_as_a_user_without_rights(image: Image) -> None:
    assert image.user == ("10001", "10001")
    assert list(image.config["Volumes"]) == ["/var/lib/routee-monitor"]
    assert image.config["StopSignal"] in ("SIGTERM", "15")


def test_nothing_in_it_builds_or_installs(image: Image) -> None:
    venv = image.root / "opt/routee-monitor"
    assert (venv / "bin/routee-monitor").exists()
    for folder in (venv / "bin", image.root / "usr/bin", image.root / "usr/local/bin"):
        found = {path.name for path in folder.iterdir()} & {
            "cc",
            "gcc",
            "g++",
            "make",
            "ld",
            "pip",
            "pip3",
            "hatchling",
        }
        assert not found, folder
    assert not list(venv.rglob("site-packages/pip"))
    assert not list(venv.rglob("site-packages/pytest"))


def test_no_cache_and_no_leftover_of_building_is_in_it(image: Image) -> None:
    for place in ("root/.cache", "src", "build", "dist", "var/cache/apt/archives/partial/x"):
        assert not (image.root / place).exists()
    assert not list((image.root / "tmp").iterdir())
    assert not list((image.root / "var/lib/routee-monitor").iterdir())


def test_it_brings_the_starter_rules_and_the_manual(image: Image) -> None:
    assert list((image.root / "etc/routee-monitor/rules").glob("*.yaml"))
    assert (image.root / "opt/routee-monitor/share/man/man1/routee-monitor.1").exists()


def test_it_is_well_once_it_runs(container: Container) -> None:
    asked = until(lambda: found if (found := healthcheck(container)).returncode == 0 else None, "a healthy daemon")
    assert asked.stdout
    until(lambda: container.said("watching 1 search with"), "the daemon to watch")


def healthcheck(container: Container) -> subprocess.CompletedProcess[str]:
    assert container.process.poll() is None, container.log.read_text()
    return container.run(*container.image.healthcheck)


def test_it_can_write_its_volume_and_nothing_else(container: Container) -> None:
    find = "find / -path /proc -prune -o -type d -print 2>/dev/null"
    attempt = f"{find} | while read -r d; do (: >$d/.try) 2>/dev/null && rm $d/.try && echo $d; done; true"
    assert container.run("bash", "-c", attempt).stdout.split() == ["/var/lib/routee-monitor"]
    store = container.run("ls", "/var/lib/routee-monitor").stdout.split()
    assert "monitor.db" in store


def test_it_has_no_capability(container: Container) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{container.first}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert status["CapEff"] == status["CapPrm"] == "0" * 16


def test_its_log_is_json_without_secrets(container: Container) -> None:
    lines = container.log.read_text().splitlines()
    assert all(json.loads(line)["message"] for line in lines)
    assert not container.said("sandbox-secret")


def test_it_drains_within_ten_seconds_of_sigterm(container: Container) -> None:
    subprocess.run(["kill", f"-{signal.SIGTERM.value}", str(container.first)], check=True)
    assert container.process.wait(10) == 0
    assert container.said("stopped")
