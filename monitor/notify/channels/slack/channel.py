"""The Slack channel: makes a notifier from a receiver's entry."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from monitor.config.monitor import Config, Slack
from monitor.model.notification import Notification
from monitor.notify.channels.channel import Channel, ChannelContext, EntryContext, Preview, samples, secret_text
from monitor.notify.channels.protocol import Notifier
from monitor.notify.channels.slack.block_kit import headline, message
from monitor.notify.render import TemplateProblem, Templates, notification_context
from monitor.runtime.clock import SECOND
from monitor.runtime.errors import Problem

if TYPE_CHECKING:
    from monitor.notify.render.compiled_template import Template


def _make(entry: Slack, channel_context: ChannelContext) -> Notifier:
    template = None if entry.template is None else _template(entry.template, channel_context.templates)
    if entry.token is None and entry.webhook_url is not None:
        from monitor.notify.channels.slack.incoming_webhook import SlackHookNotifier

        hook = entry.webhook_url.get_secret_value()
        return SlackHookNotifier(
            hook,
            clock=channel_context.clock,
            template=template,
            timeout=entry.timeout / SECOND,
            paces=channel_context.paces,
        )
    from monitor.notify.channels.slack.bot import SlackNotifier  # imported late: slack-sdk takes time to load

    return SlackNotifier(
        secret_text(entry.token),
        entry.channel or "",
        clock=channel_context.clock,
        api_url=entry.api_url,
        template=template,
        timeout=entry.timeout / SECOND,
        paces=channel_context.paces,
        chart=entry.chart,
        app_token=secret_text(entry.app_token) or None,
        broadcast_resolved=entry.broadcast_resolved,
    )


def _template(source: str, templates: Templates) -> "Template":
    """Returns a template that is written in the entry, or the template file of that name. Raises TemplateProblem."""
    return templates.named(source, "slack") if source in templates.names else templates.compile(source, form="slack")


def _preview(entry: Slack, notification: Notification, channel_context: ChannelContext) -> Preview:
    template = None if entry.template is None else _template(entry.template, channel_context.templates)
    text, problem = headline(template, notification)
    made = message(notification, text, problem)
    lines = [*_texts(made.get("blocks", [])), *_texts(made.get("attachments", []))]
    return Preview("\n".join(lines), made, entry.channel or "")


def _texts(blocks: Any) -> Iterator[str]:
    """Yields every text of Slack's blocks in the order in which Slack shows them; a button with its address."""
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


def _problems(entry: Slack, context: EntryContext) -> Iterator[Problem]:
    """Yields the problems of the sentence's template, which is tried with samples."""
    text, templates = entry.template, context.templates
    if text is None:
        return
    if text.endswith(".j2") and text not in templates.names:
        yield context.no_template(text)
        return
    try:
        template = _template(text, templates)
        for sample in samples():
            template.render(notification_context(sample))
    except TemplateProblem as problem:
        if text in templates.names:
            yield Problem(context.files[text], problem.line, 1, "", problem.message)
        else:
            line = f"line {problem.line}: " if "\n" in text.strip() else ""
            yield context.problem(f"{line}{problem.message}", "template")


SLACK: Final = Channel(Slack, _make, _preview, _problems)


def socket_apps(config: Config) -> list[tuple[str, str]]:
    """Returns the app-level token and API address of each Slack app with Socket Mode, once. Each needs one `socket_mode.listen`."""
    entries = [entry for receiver in config.receivers for _, entry in receiver.of(Slack)]
    apps = [(entry.app_token.get_secret_value(), entry.api_url) for entry in entries if entry.app_token is not None]
    return list(dict.fromkeys(apps))
