"""Everything that people wrote, templates included, read and tried out: what the daemon starts with, or every problem of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.render import Templates
from monitor.settings import Settings
from monitor.settings import load as load_settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with their templates."""

    settings: Settings
    templates: Templates


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """What the configuration ``path`` and the files that it names say. Raises InputError with every problem."""
    settings = load_settings(path, environ)
    return Loaded(settings, Templates({file.name: file.read_text("utf-8") for file in settings.config.template_files}))
