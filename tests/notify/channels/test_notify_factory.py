"""Each entry of a receiver, as the configuration holds it, makes its notifier; none shows its secrets."""

import io

import pytest
from pydantic import SecretStr

from monitor.config.monitor import Apprise, Slack, Webhook
from monitor.notify.channels import ChannelContext, make_notifier
from monitor.notify.channels.protocol import slowest
from monitor.notify.channels.slack.bot import SlackNotifier
from monitor.notify.channels.slack.incoming_webhook import SlackHookNotifier
from monitor.notify.channels.webhook.notifier import WebhookNotifier
from monitor.notify.render import TemplateProblem, Templates
from monitor.runtime.clock import MINUTE, SystemClock

AROUND = ChannelContext(SystemClock(), Templates({"body.json.j2": "{}"}), io.StringIO())


def test_slack_by_token_or_by_hook() -> None:
    bot = Slack.model_construct(channel="#ops", token=SecretStr("xoxb-secret"), webhook_url=None)
    hook = Slack.model_construct(
        webhook_url=SecretStr("https://hooks.slack.com/services/secret"), template="{{ sentence }}"
    )
    made = [make_notifier("slack", entry, AROUND) for entry in (bot, hook)]
    assert [type(each) for each in made] == [SlackNotifier, SlackHookNotifier]
    assert "secret" not in repr(made)


def test_a_template_that_cannot_be_compiled_is_a_problem() -> None:
    entry = Slack.model_construct(channel="#ops", token=SecretStr("xoxb-secret"), template="{{ valeu }}")
    with pytest.raises(TemplateProblem, match="did you mean 'value'"):
        make_notifier("slack", entry, AROUND)


def test_a_send_may_last_as_long_as_the_configuration_says() -> None:
    address = SecretStr("https://example.org/secret")
    entries = {
        "webhook": Webhook.model_construct(url=address, timeout=5 * MINUTE),
        "apprise": Apprise.model_construct(url=SecretStr("json://example.org"), timeout=5 * MINUTE),
        "slack": Slack.model_construct(channel="#ops", token=SecretStr("xoxb-secret"), timeout=5 * MINUTE),
    }
    made = [make_notifier(kind, entry, AROUND) for kind, entry in entries.items()]
    made.append(make_notifier("slack", Slack.model_construct(webhook_url=address, timeout=5 * MINUTE), AROUND))
    assert [slowest(one) for one in made] == [300.0] * 4


def test_webhook() -> None:
    entry = Webhook.model_construct(
        url=SecretStr("https://example.org/secret"), secret=SecretStr("s"), template="body.json.j2"
    )
    made = make_notifier("webhook", entry, AROUND)
    assert isinstance(made, WebhookNotifier)
    assert repr(made) == "WebhookNotifier(https://example.org)"
