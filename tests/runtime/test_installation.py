from pathlib import Path

import pytest

from monitor.runtime.installation import how_to_add

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "docs" / "install"


@pytest.mark.parametrize("lock", ["postgresql", "apprise"])
def test_an_extra_is_added_as_the_pages_say(tmp_path: Path, lock: str) -> None:
    own = how_to_add(lock, Path("/opt/routee-monitor"), ())
    command = own.partition("run ")[2]
    assert command == f"/opt/routee-monitor/bin/pip install --require-hashes --no-deps -r requirements/{lock}.txt"
    assert command.replace(lock, "postgresql") in (INSTALL / "systemd.md").read_text()
    assert (ROOT / "requirements" / f"{lock}.txt").exists()
    (tmp_path / "pipx_metadata.json").write_text("{}")
    piped = how_to_add(lock, tmp_path, ()).partition("run ")[2].partition("requirements/")[0]
    assert piped in (INSTALL / "pipx.md").read_text()
    image = how_to_add(lock, tmp_path, (tmp_path / "pipx_metadata.json",))
    assert image.partition("with ")[2] in (INSTALL / "container.md").read_text()
