"""Every secret can be a file that systemd hands over: `LoadCredential=NAME:…` in the unit, `KEY_file: NAME` in monitor.yaml."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.config.monitor import load_config
from monitor.config.yaml import YamlModel

CONFIG = """
accounts:
  - name: main
    application_id_file: account-application_id
    application_secret_file: account-application_secret
    CALLBACK
receivers:
  - name: one
    slack: [{channel: "#ops", token_file: slack-token, app_token_file: slack-app_token}]
    webhook:
      - url_file: webhook-url
        url_resolved_file: webhook-url_resolved
        secret_file: webhook-secret
        headers_file: webhook-headers
        fields_file: webhook-fields
        template: pagerduty
    apprise: [{url_file: apprise-url}]
    alertmanager:
      - {url: "http://127.0.0.1:9093", bearer_token_file: alertmanager-bearer_token}
  - name: two
    slack: [{webhook_url_file: slack-webhook_url}]
    alertmanager: [{url: "http://127.0.0.1:9093", username: me, password_file: alertmanager-password}]
route: {receiver: one}
web: {token_file: web-token}
store: postgresql://monitor@127.0.0.1/sms
store_password_file: config-store_password
"""


FORMS = {"webhook-headers": "Authorization: {}", "webhook-fields": "routing_key: {}"}
"""What a file holds where that is more than the secret."""


def secret(name: str) -> str:
    """What stands in that file: it could be an address, and an app-level token too."""
    return f"xapp-{name}" if name == "slack-app_token" else f"https://example.org/secret-of-{name}"


BEFORE = {"webhook-headers": "Authorization: ", "webhook-fields": "key: "}
"""What stands before the secret in a file that holds names and values."""


def secret_of(name: str) -> str:
    scheme = {"slack-app_token": "xapp-", "apprise-url": "json://"}.get(name, "https://")
    return f"{scheme}example.org/secret-of-{name}"


def models(of: type[YamlModel] = YamlModel) -> Iterator[type[YamlModel]]:
    for model in of.__subclasses__():
        if model.__module__.startswith("monitor.config.monitor"):
            yield model
        yield from models(model)


def secrets() -> set[str]:
    """Every secret that can be written, as model-key."""
    return {f"{model.__name__.lower()}-{key}" for model in models() for key in getattr(model, "secrets", ())}


def values(config: Any) -> Iterator[str]:
    for model in (
        *config.accounts,
        *(entry for one in config.receivers for _, entry in one.channels),
        config.web,
        config,
    ):
        for key in model.secrets:
            value = getattr(model, key)
            if isinstance(value, Mapping):
                yield from (one.get_secret_value() for one in value.values())
            elif value is not None:
                yield value.get_secret_value()


def test_every_secret_is_found_by_name_where_systemd_puts_it(tmp_path: Path) -> None:
    credentials, folder = tmp_path / "credentials", tmp_path / "etc"
    credentials.mkdir()
    folder.mkdir()
    callback = "callback_secret_file: account-callback_secret" if "account-callback_secret" in secrets() else ""
    text = CONFIG.replace("CALLBACK", callback)
    for name in secrets():
        assert f"_file: {name}" in text, f"{name} is not in this test's configuration"
        (credentials / name).write_text(FORMS.get(name, "{}").format(secret(name)) + "\n")
    (folder / "monitor.yaml").write_text(text)
    config = load_config(folder / "monitor.yaml", {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert set(values(config)) == {secret(name) for name in secrets()}
