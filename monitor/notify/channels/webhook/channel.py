"""The webhook channel: makes a notifier from a receiver's entry."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from monitor.config.monitor import Webhook
from monitor.model.notification import Notification
from monitor.notify.channels.channel import HIDDEN, Channel, ChannelContext, Preview, secret_text, secret_texts
from monitor.notify.channels.origin import origin
from monitor.notify.channels.webhook.problems import problems
from monitor.runtime.clock import SECOND

if TYPE_CHECKING:
    from monitor.notify.channels.webhook.notifier import WebhookNotifier


def _make(
    entry: Webhook, channel_context: ChannelContext, fields: Mapping[str, str] | None = None
) -> "WebhookNotifier":
    """Returns the notifier of an entry; ``fields`` replace those of the entry."""
    from monitor.notify.channels.webhook.notifier import WebhookNotifier

    return WebhookNotifier(
        entry.url.get_secret_value(),
        clock=channel_context.clock,
        templates=channel_context.templates,
        template=entry.template,
        content_type=entry.content_type,
        secret=secret_text(entry.secret),
        timeout=entry.timeout / SECOND,
        max_alerts=entry.max_alerts,
        at_once=entry.at_once,
        url_resolved=secret_text(entry.resolve_url) or None,
        headers=secret_texts(entry.headers),
        fields=secret_texts(entry.fields) if fields is None else fields,
    )


def _preview(entry: Webhook, notification: Notification, channel_context: ChannelContext) -> Preview:
    """Returns the request with placeholders for secrets and for the signature, which depends on the time of sending."""
    fields = dict.fromkeys(entry.fields or (), HIDDEN)
    made = _make(entry, channel_context, fields).request(notification)
    headers = {name: HIDDEN if name in (entry.headers or {}) else value for name, value in made.headers.items()}
    if entry.secret is not None:
        headers |= {"webhook-timestamp": "(when it is sent)", "webhook-signature": f"v1,{HIDDEN}"}
    data = _data(made.body)
    text = data if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False)
    return Preview(text, data, f"{origin(made.url)}/…", headers)


def _data(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


WEBHOOK: Final = Channel(Webhook, _make, _preview, problems)
