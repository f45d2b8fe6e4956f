"""Lays out the morning report for Slack: the main figures, the most important lines, and a link. All data is escaped."""

from typing import Final

from monitor.model.notification import Digest
from monitor.notify.channels.slack.elements import SECTION, Block, context, fields, fit, section
from monitor.notify.render.escape import slack as escaped

_LINE: Final = 300
_MOST_NOTES: Final = 5


def digest_message(digest: Digest) -> Block:
    """Returns the message: ``text`` for previews, and ``blocks``."""
    blocks = [section(f"*{escaped(digest.title)}*\n{escaped(digest.summary)}")]
    blocks += [fields([_figure(figure) for figure in digest.figures])] if digest.figures else []
    for name, lines in digest.lists:
        blocks.append(section("\n".join([f"*{escaped(name)}*", *(f"• {fit(escaped(line), _LINE)}" for line in lines)])))
    if digest.notes:
        blocks.append(
            context("\n".join(f":warning: {fit(escaped(note), _LINE)}" for note in digest.notes[:_MOST_NOTES]))
        )
    if digest.link:
        button = {"type": "button", "text": {"type": "plain_text", "text": "How it is now"}, "url": digest.link}
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": fit(escaped(f"{digest.title}: {digest.summary}"), SECTION), "blocks": blocks, "attachments": []}


def _figure(figure: str) -> str:
    value, _, rest = figure.partition(" ")
    name, _, note = rest.partition(": ")
    return f"*{escaped(value)}* {escaped(name)}" + (f"\n{escaped(note)}" if note else "")
