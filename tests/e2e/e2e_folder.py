"""What a person would write: a folder with a configuration and its rules, and messages as Routee would show them."""

import json
from pathlib import Path
from typing import Any

from monitor.runtime.clock import Instant, iso
from monitor.simulation.sandbox import DEFAULT_CREDENTIALS

Written = dict[str, Any]


def account(url: str, name: str = "main") -> Written:
    """An account of a sandbox at ``url``, which may be asked as fast as anyone likes."""
    application_id, secret = DEFAULT_CREDENTIALS
    return {
        "name": name,
        "application_id": application_id,
        "application_secret": secret,
        "api_url": url,
        "auth_url": url,
        "requests_per_second": 1000,
    }


def write(folder: Path, rules: list[Written], **config: Any) -> Path:
    """Write ``monitor.yaml`` and ``rules.yaml`` (as JSON, which is YAML); gives the former's path."""
    whole = {"rules": ["rules.yaml"], "store": "sqlite:monitor.db", "web": {"listen": "127.0.0.1:0"}} | config
    (folder / "rules.yaml").write_text(json.dumps({"rules": rules}))
    path = folder / "monitor.yaml"
    path.write_text(json.dumps(whole))
    return path


def hook(url: str, **entry: Any) -> list[Written]:
    """Receivers: one, with a webhook."""
    return [{"name": "ops", "webhook": [{"url": url} | entry]}]


def message(name: str, status: str, date: Instant, **fields: Any) -> Written:
    """One message of one part, as a search shows it."""
    usual = {"smsId": f"sms-{name}", "messageId": f"message-{name}", "to": "+306912345678", "from": "Shop"}
    usual |= {"operator": "Cosmote", "country": "GR", "direction": "Outbound", "parts": 1, "part": 1}
    return usual | fields | {"status": {"status": status, "date": iso(date)}}
