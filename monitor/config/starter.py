"""The text of a first configuration, and the starter rules."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_CHANNEL_ID: Final = re.compile(r"[CGD][A-Z0-9]{7,}")
_CONSOLE: Final = "console"

ID_FILE: Final = "secrets/routee_application_id"
SECRET_FILE: Final = "secrets/routee_secret"  # noqa: S105 - a file's name
HOOK_FILE: Final = "secrets/slack_hook"

_TEXT: Final = """\
# routee-monitor: what is watched, by which rules, and who is told. `routee-monitor check --online` tries all of it.
# All keys: docs/configuration.md
accounts:
  - name: main
    {application_id}
    {secret}
rules: [rules/*.yaml]
receivers:
  - name: ops
    {receiver}
store: sqlite:monitor.db
"""


def rules() -> Path:
    """The folder of the starter rules: within the package where it was installed, else that of the checkout."""
    installed = _HERE / "starter_rules"
    return installed if installed.is_dir() else _HERE.parents[1] / "rules"


@dataclass(frozen=True, slots=True)
class StarterAnswers:
    """What a first configuration needs to know. ``application_id`` or ``secret`` empty: it comes from a variable.

    ``told`` is a Slack channel, the address of a Slack webhook, or ``console``.
    """

    application_id: str
    secret: str
    told: str

    @property
    def is_hook(self) -> bool:
        """Whether Slack is told through a webhook, whose address is a secret."""
        return self.told.startswith("https://")

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that have to be set."""
        needed = {
            "ROUTEE_APPLICATION_ID": not self.application_id,
            "ROUTEE_APPLICATION_SECRET": not self.secret,
            "SLACK_BOT_TOKEN": not self.is_hook and self.told != _CONSOLE,
        }
        return tuple(name for name, is_needed in needed.items() if is_needed)

    @property
    def secrets(self) -> dict[str, str]:
        """The files of secrets, by their names beside the configuration."""
        found = {ID_FILE: self.application_id, SECRET_FILE: self.secret, HOOK_FILE: self.told if self.is_hook else ""}
        return {name: text for name, text in found.items() if text}

    def text(self) -> str:
        """The configuration."""
        files = self.secrets
        return _TEXT.format(
            application_id=f"application_id_file: {ID_FILE}"
            if ID_FILE in files
            else "application_id: ${ROUTEE_APPLICATION_ID}",
            secret=f"application_secret_file: {SECRET_FILE}"
            if SECRET_FILE in files
            else "application_secret: ${ROUTEE_APPLICATION_SECRET}",
            receiver=self._receiver(),
        )

    def _receiver(self) -> str:
        if self.told == _CONSOLE:
            return "console: [{}]"
        if self.is_hook:
            return f"slack: [{{webhook_url_file: {HOOK_FILE}}}]"
        channel = self.told if self.told.startswith("#") or _CHANNEL_ID.fullmatch(self.told) else f"#{self.told}"
        return f'slack: [{{channel: {json.dumps(channel, ensure_ascii=False)}, token: "${{SLACK_BOT_TOKEN}}"}}]'
