"""A Slack entry's own template for the sentence, and what stands in where it fails."""

from monitor.model.notification import Notification
from monitor.notify.channels.slack.block_kit import SECTION
from monitor.notify.render.context import notification_context
from monitor.notify.render.templates import Template, TemplateProblem


def headline(template: Template | None, notification: Notification) -> tuple[str | None, str]:
    """The template's text (None: the built-in sentence) and, where it failed, the error to show."""
    if template is None:
        return None, ""
    try:
        return template.render(notification_context(notification), SECTION).strip() or None, ""
    except TemplateProblem as problem:
        return None, f"The template of this message failed: {problem}"
