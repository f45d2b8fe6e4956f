"""Reads configuration and rules from texts with the real reader."""

import tempfile
from functools import cache
from pathlib import Path

from monitor.config.settings import Settings, load

CONFIG = """
accounts:
  - {name: main, application_id: id, application_secret: secret}
searches:
  - {name: all, account: main, every: 30s}
rules: [rules.yaml]
receivers:
  - {name: ops, console: [{}]}
route: {receiver: ops, group_by: [alertname], group_wait: 10s, group_interval: 5m, repeat_interval: 4h}
web: off
"""


@cache
def settings(rules: str = "rules: []", config: str = CONFIG) -> Settings:
    """Returns the settings that these two files define."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.yaml").write_text(rules, "utf-8")
        path = Path(folder) / "monitor.yaml"
        path.write_text(config, "utf-8")
        return load(path, {})
