"""A service manager hands secrets to the daemon alone; who needs none of them can read the configuration all the same."""

from pathlib import Path

import pytest
from test_credentials import CONFIG, values

from monitor.config.monitor import Config, load_config
from monitor.config.monitor.channels.webhook import Webhook
from monitor.config.yaml import host_only
from monitor.daemon.hidden_secrets import hide_secrets
from monitor.daemon.validate import load
from monitor.runtime.errors import InputError, SecretUnreadable

WHOLE = CONFIG.replace("CALLBACK", "callback_secret_file: account-callback_secret") + "rules: [rules.yaml]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration with all secrets there are, none of which can be found, and a listener for other machines."""
    (tmp_path / "rules.yaml").write_text("rules: []")
    (tmp_path / "monitor.yaml").write_text(
        WHOLE.replace("web: {", 'web: {listen: "0.0.0.0:9465", protect_reads: true, ')
    )
    return tmp_path / "monitor.yaml"


def test_secrets_that_cannot_be_read_are_problems_of_who_uses_them_only(path: Path) -> None:
    config = load_config(path, {}, late_secrets=True)
    hide_secrets(config)
    assert isinstance(config, Config)
    (webhook,) = (entry for _, entry in config.receivers[0].channels if isinstance(entry, Webhook))
    assert host_only(webhook.url) == "an address that is not known here"
    with pytest.raises(
        SecretUnreadable, match=r"store_password_file: the file config-store_password cannot be read: No such file"
    ):
        _ = config.store_location
    with pytest.raises(SecretUnreadable, match="fields_file: the file webhook-fields cannot be read"):
        list(webhook.fields or ())
    with pytest.raises(SecretUnreadable):
        list(values(config))


def test_templates_are_checked_without_the_secrets_too(path: Path) -> None:
    loaded = load(path, {}, late_secrets=True)
    assert len(loaded.settings.config.receivers) == 2


def test_the_daemon_needs_all_of_them_and_says_where_they_may_be(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_config(path, {})
    problems = [str(one) for one in caught.value.problems]
    assert len(problems) == WHOLE.count("_file: "), "and nothing that only follows"
    assert all("CREDENTIALS_DIRECTORY=FOLDER" in one and "LoadCredential" in one for one in problems)
    with pytest.raises(InputError) as inside:
        load_config(path, {"CREDENTIALS_DIRECTORY": "/nowhere"})
    assert "LoadCredential" not in str(inside.value)
