"""What of a configuration nothing may show."""

import pytest

from monitor.daemon.hidden_secrets import hide_secrets
from monitor.runtime import log
from tests.fakes.written import CONFIG, settings


@pytest.mark.parametrize(
    ("application_id", "shown"),
    [("harbour", "the harbour, with ***"), ("5f9138288b71de3617a87cd3", "the ***, with ***")],
)
def test_secrets_are_hidden_in_any_case_and_ids_where_they_are_no_words(application_id: str, shown: str) -> None:
    account = f"application_id: {application_id}, application_secret: qu1et"
    hide_secrets(settings(config=CONFIG.replace("application_id: id, application_secret: secret", account)).config)
    assert log.mask(f"the {application_id}, with qu1et") == shown
