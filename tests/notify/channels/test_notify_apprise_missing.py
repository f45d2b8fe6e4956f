"""An Apprise receiver where Apprise is not installed: an error at its place that says how to get it, and no alert that vanishes."""

import sys
from pathlib import Path

import pytest

from monitor.daemon.validate import load
from monitor.notify.channels.apprise.notifier import AppriseNotifier
from monitor.notify.channels.protocol import Rejected
from monitor.runtime.errors import InputError
from monitor.runtime.installation import how_to_add
from tests.fakes.alerts import notification_of

HOW = f"needs Apprise, which is not installed: {how_to_add('apprise')}"


@pytest.fixture(autouse=True)
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)


def test_the_configuration_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text(
        "accounts: [{name: main, application_id: a-test-id, application_secret: a-test-secret}]\n"
        'receivers: [{name: ops, apprise: [{url: "ntfy://topic"}]}]\n'
    )
    with pytest.raises(InputError) as caught:
        load(tmp_path / "monitor.yaml", {})
    assert str(caught.value) == f"{tmp_path}/monitor.yaml:2:41: receivers[0].apprise[0].url: {HOW}"


async def test_a_notification_becomes_a_dead_letter_with_the_same_words() -> None:
    assert await AppriseNotifier("ntfy://topic").send(notification_of(), None) == Rejected(f"ntfy:// {HOW}")
    assert await AppriseNotifier("ntfy://topic").check() == f"ntfy:// {HOW}"
