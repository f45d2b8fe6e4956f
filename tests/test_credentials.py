"""Every secret can be a file that systemd hands over: `LoadCredential=NAME:…` in the unit, `KEY_file: NAME` in monitor.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitor.config import load_config
from monitor.written import Written

CONFIG = """
accounts:
  - name: main
    application_id_file: account-application_id
    application_secret_file: account-application_secret
    CALLBACK
receivers:
  - name: one
    slack: [{channel: "#ops", token_file: slack-token}]
    webhook: [{url_file: webhook-url, secret_file: webhook-secret}]
    alertmanager:
      - {url: "http://127.0.0.1:9093", bearer_token_file: alertmanager-bearer_token}
  - name: two
    slack: [{webhook_url_file: slack-webhook_url}]
    alertmanager: [{url: "http://127.0.0.1:9093", username: me, password_file: alertmanager-password}]
route: {receiver: one}
web: {token_file: web-token}
"""


def models(of: type[Written] = Written) -> Iterator[type[Written]]:
    for model in of.__subclasses__():
        if model.__module__.startswith("monitor.config"):
            yield model
        yield from models(model)


def secrets() -> set[str]:
    """Every secret that can be written, as model-key."""
    return {f"{model.__name__.lower()}-{key}" for model in models() for key in getattr(model, "secrets", ())}


def values(config: Any) -> Iterator[str]:
    for model in (*config.accounts, *(entry for one in config.receivers for _, entry in one.channels), config.web):
        for key in model.secrets:
            value = getattr(model, key)
            if value is not None:
                yield value.get_secret_value()


def test_every_secret_is_found_by_name_where_systemd_puts_it(tmp_path: Path) -> None:
    credentials, folder = tmp_path / "credentials", tmp_path / "etc"
    credentials.mkdir()
    folder.mkdir()
    callback = "callback_secret_file: account-callback_secret" if "account-callback_secret" in secrets() else ""
    text = CONFIG.replace("CALLBACK", callback)
    for name in secrets():
        assert f"_file: {name}" in text, f"{name} is not in this test's configuration"
        (credentials / name).write_text(f"https://example.org/secret-of-{name}\n")
    (folder / "monitor.yaml").write_text(text)
    config = load_config(folder / "monitor.yaml", {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert set(values(config)) == {f"https://example.org/secret-of-{name}" for name in secrets()}
