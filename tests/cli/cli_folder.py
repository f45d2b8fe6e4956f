"""A folder with a configuration, rules and a template, and ways to run commands on it."""

import functools
import io
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import trio
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.daemon import main as daemon
from monitor.daemon.validate import load
from tests.fakes.waiting import guarded

CREDENTIALS = ("cli-test-application", "cli-test-secret")

CONFIG = """\
accounts:
  - name: main
    application_id: {application_id}
    application_secret: {secret}
    api_url: "{url}"
    auth_url: "{url}"
    requests_per_second: 100
searches:
  - {{name: outbound, every: 30s, filters: [{{field: direction, is: Outbound}}]}}
rules: [rules.yaml]
templates: [templates]
receivers:
  - {{name: ops, console: [{{}}]}}
  - {{name: hook, webhook: [{{url: "http://127.0.0.1:9/secret-path", template: body.json.j2}}]}}
route: {{receiver: ops}}
store: sqlite:monitor.db
web: {{listen: "127.0.0.1:0"}}
"""

RULES = """\
rules:
  - name: OperatorFailureRate
    kind: rate
    by: [operator, country]
    window: 15m
    above: 20%
    min_messages: 30
    severity: critical
    annotations: {summary: "{{ labels.operator }}: {{ value | percent }}", runbook_url: "https://wiki.example.org/ops"}
  - name: ManyMessages
    kind: count
    window: 1h
    above: 100
    for: 1h
  - name: SwitchedOff
    kind: count
    window: 1h
    above: 1
    enabled: false
"""


@dataclass(frozen=True)
class Folder:
    """``path`` holds monitor.yaml, rules.yaml and templates/body.json.j2."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "monitor.yaml"

    @property
    def rules(self) -> Path:
        return self.path / "rules.yaml"

    @property
    def template(self) -> Path:
        return self.path / "templates" / "body.json.j2"

    def replace(self, file: Path, old: str, new: str) -> None:
        """Change a file; what is to be changed has to be there."""
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def add_account(self, name: str) -> None:
        """Configure a second account, which has nothing yet."""
        more = f"  - {{name: {name}, application_id: more-id, application_secret: more-secret}}\nsearches:\n"
        self.replace(self.config, "searches:\n", f"{more}  - {{name: {name}-all, account: {name}}}\n")
        text = self.config.read_text()
        self.config.write_text(text.replace("{name: outbound,", "{name: outbound, account: main,"))

    def ask_nobody(self) -> None:
        """Point the account at a port where nobody listens."""
        self.config.write_text(
            re.sub(r'_url: "http://127[^"]*"', '_url: "http://127.0.0.1:1"', self.config.read_text())
        )

    def invoke(self, command: str, *arguments: str) -> Result:
        """Run a command in this process with this configuration."""
        return CliRunner().invoke(cli, [command, *arguments, "--config", str(self.config)])


def run_on(folder: Folder, *words: str) -> Result:
    """Run a command of several words in this process with this configuration."""
    return CliRunner().invoke(cli, [*words, "--config", str(folder.config)])


def folder_at(path: Path, url: str) -> Folder:
    folder = Folder(path)
    application_id, secret = CREDENTIALS
    folder.config.write_text(CONFIG.format(url=url, application_id=application_id, secret=secret))
    folder.rules.write_text(RULES)
    folder.template.parent.mkdir()
    folder.template.write_text('{"text": {{ sentence | tojson }}}')
    return folder


def poll_once(folder: Folder) -> None:
    """Let a daemon run until its first poll is stored."""
    loaded = load(folder.config, dict(os.environ))

    async def main() -> None:
        stop = trio.Event()
        run = functools.partial(daemon.run, loaded.settings, loaded.templates, stop=stop, stream=io.StringIO())
        with guarded():
            async with trio.open_nursery() as nursery:
                running = await nursery.start(run)
                while not running.pipeline.accounts["main"].evaluator.coverage.cursors:
                    await trio.sleep(0.01)
                stop.set()

    trio.run(main)


PROGRAM = (sys.executable, "-m", "monitor")
"""The command as a process of its own."""
