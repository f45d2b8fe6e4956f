"""Writes a first configuration, and finds the starter rules."""

import json
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from monitor.config.yaml import is_loopback
from monitor.runtime.dataclass import dataclass

_HERE: Final = Path(__file__).parent
_CHANNEL_ID: Final = re.compile(r"[CGD][A-Z0-9]{7,}")
_CHANNEL: Final = re.compile(r"#?[\w-]{1,80}")
_CONSOLE: Final = "console"
_SLACK_HOSTS: Final = ("hooks.slack.com", "hooks.slack-gov.com")

_ADDRESSES: Final = ("api_url", "auth_url")

RECEIVERS: Final = (
    "a Slack channel (#sms-ops), the URL of a Slack webhook (https://hooks.slack.com/…), the URL of any other webhook "
    "(http:// or https://), or console"
)
"""The possible values of `StarterAnswers.receiver`, in words."""

ID_FILE: Final = "secrets/routee_application_id"
SECRET_FILE: Final = "secrets/routee_secret"  # noqa: S105 - a file's name
HOOK_FILE: Final = "secrets/slack_hook"
WEBHOOK_FILE: Final = "secrets/webhook_url"

_TEXT: Final = """\
# routee-monitor: what is watched, by which rules, and who is told.
# `routee-monitor check --online` tries all of it.
# All keys: docs/configuration.md where routee-monitor comes from;
# `routee-monitor schema config` is for editors.
accounts:
  - name: main
    {application_id}
    {secret}{routee}
rules: [rules/*.yaml]
receivers:
  - name: ops
    {receiver}
store: sqlite:monitor.db
# 30d unless written. 8d is enough for the starter rules, and takes about a quarter of the memory.
# retention: 8d
"""


def rules() -> Path:
    """Returns the folder of the starter rules: in the installed package, or else in the checkout."""
    installed = _HERE / "starter_rules"
    return installed if installed.is_dir() else _HERE.parents[1] / "rules"


@dataclass(frozen=True, slots=True)
class StarterAnswers:
    """The answers that a first configuration needs. An empty ``application_id`` or ``secret`` comes from an environment variable.

    ``receiver`` is a Slack channel, the address of a webhook (Slack's or another's), or ``console``; see `is_receiver`. ``routee`` is the
    address of another Routee than the real one, see `is_routee`.
    """

    application_id: str
    secret: str
    receiver: str
    routee: str = ""

    @property
    def hook_file(self) -> str:
        """Returns the file for the webhook's address, which is a secret; empty if there is no webhook."""
        if not _is_url(self.receiver):
            return ""
        return HOOK_FILE if urlsplit(self.receiver).hostname in _SLACK_HOSTS else WEBHOOK_FILE

    @property
    def slack_channel(self) -> str:
        """Returns the Slack channel's name, with ``#``, or its id; empty if the receiver is none."""
        if self.receiver == _CONSOLE or self.hook_file:
            return ""
        is_whole = self.receiver.startswith("#") or _CHANNEL_ID.fullmatch(self.receiver) is not None
        return self.receiver if is_whole else f"#{self.receiver}"

    @property
    def variables(self) -> tuple[str, ...]:
        """Returns the environment variables that must be set."""
        needed = {
            "ROUTEE_APPLICATION_ID": not self.application_id,
            "ROUTEE_APPLICATION_SECRET": not self.secret,
            "SLACK_BOT_TOKEN": bool(self.slack_channel),
        }
        return tuple(name for name, is_needed in needed.items() if is_needed)

    @property
    def secrets(self) -> dict[str, str]:
        """Returns the contents of secret files, by their names beside the configuration."""
        found = {ID_FILE: self.application_id, SECRET_FILE: self.secret, self.hook_file: self.receiver}
        return {name: text for name, text in found.items() if name and text}

    def text(self) -> str:
        """Returns the text of the configuration."""
        files = self.secrets
        return _TEXT.format(
            application_id=f"application_id_file: {ID_FILE}"
            if ID_FILE in files
            else "application_id: ${ROUTEE_APPLICATION_ID}",
            secret=f"application_secret_file: {SECRET_FILE}"
            if SECRET_FILE in files
            else "application_secret: ${ROUTEE_APPLICATION_SECRET}",
            routee="".join(f"\n    {key}: {json.dumps(self.routee)}" for key in _ADDRESSES if self.routee),
            receiver=self._receiver(),
        )

    def _receiver(self) -> str:
        if self.receiver == _CONSOLE:
            return "console: [{}]"
        if self.hook_file == HOOK_FILE:
            return f"slack: [{{webhook_url_file: {HOOK_FILE}}}]"
        if self.hook_file:
            return f"webhook: [{{url_file: {WEBHOOK_FILE}}}]"
        channel = json.dumps(self.slack_channel, ensure_ascii=False)
        return f'slack: [{{channel: {channel}, token: "${{SLACK_BOT_TOKEN}}"}}]'


def is_receiver(text: str) -> bool:
    """Returns whether ``text`` names one of `RECEIVERS`."""
    return _is_url(text) or _CHANNEL.fullmatch(text) is not None


def is_routee(text: str) -> bool:
    """Returns whether ``text`` can be the address of a Routee: over HTTPS, or over HTTP on this machine, because it gets the account's secret."""
    return _is_url(text) and "@" not in urlsplit(text).netloc and (text.startswith("https://") or is_local(text))


def is_local(url: str) -> bool:
    """Returns whether the address is of this machine itself."""
    return is_loopback(urlsplit(url).hostname or "")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not re.search(r"\s", text)
        )
    except ValueError:  # an invalid port
        return False
