"""Puts what is made from the commands into the wheel: the manual page and the shells' completions."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = {
    "bash": "share/bash-completion/completions/routee-monitor",
    "zsh": "share/zsh/site-functions/_routee-monitor",
    "fish": "share/fish/vendor_completions.d/routee-monitor.fish",
}
MANUAL = "share/man/man1/routee-monitor.1"


class Generated(BuildHookInterface[Any]):
    """Needs click and nothing else of what the program needs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files, and name them as what belongs under the prefix of the installation."""
        sys.path.insert(0, self.root)
        from monitor.cli import cli
        from monitor.cli.completion import completion_script
        from monitor.cli.roff import manual

        texts = {place: completion_script(cli, shell) for shell, place in PLACES.items()}
        texts[MANUAL] = manual(cli, self.metadata.version)
        self._folder = Path(tempfile.mkdtemp())
        for number, (place, text) in enumerate(texts.items()):
            made = self._folder / str(number)
            made.write_text(text, "utf-8")
            build_data["shared_data"][str(made)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """They are in the wheel now."""
        shutil.rmtree(self._folder)
