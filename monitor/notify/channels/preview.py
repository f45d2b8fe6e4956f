"""What each kind of channel would be told, for people to look at. Nothing is sent, and no secret is shown."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from monitor.model.notification import Notification
from monitor.notify.channels import ChannelContext, opened, template_of, webhook_notifier
from monitor.notify.channels.http import origin
from monitor.notify.render import plain_text

HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class Preview:
    """``text`` is for people, ``data`` is what is sent: JSON where it is that, else text. ``address`` shows no path; ``headers`` no secret."""

    text: str
    data: Any
    address: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def preview(kind: str, entry: Any, notification: Notification, around: ChannelContext) -> Preview:
    """What an entry of a receiver would make of a notification; ``kind`` is the key that it stands under. KeyError for no kind."""
    return _KINDS[kind](entry, notification, around)


def _webhook(entry: Any, notification: Notification, around: ChannelContext) -> Preview:
    """With names in the place of what the configuration keeps secret; the signature needs the moment of sending."""
    fields = dict.fromkeys(opened(entry.fields), HIDDEN)
    made = webhook_notifier(entry, around, fields).request(notification)
    headers = {name: HIDDEN if name in (entry.headers or {}) else value for name, value in made.headers.items()}
    if entry.secret is not None:
        headers |= {"webhook-timestamp": "(when it is sent)", "webhook-signature": f"v1,{HIDDEN}"}
    return Preview(_indented(made.body), _data(made.body), f"{origin(made.url)}/…", headers)


def _indented(body: str) -> str:
    data = _data(body)
    return body if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False)


def _data(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _slack(entry: Any, notification: Notification, around: ChannelContext) -> Preview:
    from monitor.notify.channels.slack.block_kit import message
    from monitor.notify.channels.slack.text import headline

    text, problem = headline(template_of(entry.template, around.templates, "slack"), notification)
    made = message(notification, text, problem)
    lines = [*_texts(made.get("blocks", [])), *_texts(made.get("attachments", []))]
    return Preview("\n".join(lines), made, entry.channel or "")


def _texts(blocks: Any) -> Iterator[str]:
    """Every text of Slack's blocks, in the order in which Slack shows them; a button with its address."""
    if isinstance(blocks, list):
        for block in blocks:
            yield from _texts(block)
    elif isinstance(blocks, dict):
        text = blocks.get("text")
        if isinstance(text, str):
            yield text
        elif blocks.get("type") == "button" and isinstance(text, dict):
            yield f"[{text.get('text', '')}] {blocks.get('url', '')}".rstrip()
        else:
            yield from _texts([blocks[key] for key in ("text", "fields", "elements", "blocks") if key in blocks])


def _alertmanager(entry: Any, notification: Notification, around: ChannelContext) -> Preview:
    from monitor.notify.channels.alertmanager import alerts_of

    made = alerts_of(notification, around.clock.now())
    headers = {} if entry.bearer_token is None and entry.username is None else {"Authorization": HIDDEN}
    return Preview(
        json.dumps(made, indent=2, ensure_ascii=False), made, ", ".join(map(origin, entry.addresses)), headers
    )


def _apprise(entry: Any, notification: Notification, around: ChannelContext) -> Preview:
    from monitor.notify.channels.apprise import content, scheme

    made = content(notification)
    return Preview(f"{made['title']}\n\n{made['body']}", made, scheme(entry.url.get_secret_value()))


def _console(entry: Any, notification: Notification, around: ChannelContext) -> Preview:
    text = plain_text(notification)
    return Preview(text, text)


_KINDS: Final[dict[str, Callable[[Any, Notification, ChannelContext], Preview]]] = {
    "slack": _slack,
    "webhook": _webhook,
    "alertmanager": _alertmanager,
    "apprise": _apprise,
    "console": _console,
}
