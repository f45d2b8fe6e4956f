"""What a notification looks like in Slack: Block Kit, every piece of data escaped, everything within Slack's limits.

The preview is one sentence. Under it each alert has a bar in its colour: fields, why, a sparkline, examples, buttons.
"""

import json
import re
from typing import Any, Final

from monitor.clock import SECOND, Instant
from monitor.notification import AlertView, Notification
from monitor.render.escape import slack as escaped
from monitor.render.filters import amount, datetime, duration, number, sparkline
from monitor.render.sentence import aftermath, cause, sentence, statement
from monitor.render.story import change, counted, held_back, measured, notes, storm, title, told
from monitor.render.text import example, lead
from monitor.render.words import Tone, clean, clip, tone

SECTION: Final = 3000
FIELD: Final = 2000
BUTTON: Final = 75
URL: Final = 3000
FIELDS: Final = 10
WHOLE: Final = 12_000
"""Characters of the whole message as JSON; Slack refuses somewhat over 13,000."""

COLOURS: Final[dict[Tone, str]] = {
    "critical": "#e01e5a",
    "warning": "#ecb22e",
    "info": "#36c5f0",
    "resolved": "#2eb67d",
}

_MOST_SHOWN: Final = 10
_CUT_ENTITY: Final = re.compile(r"&[a-z]{0,3}$")

Block = dict[str, Any]


def message(notification: Notification, text: str | None = None, problem: str = "") -> Block:
    """The message of a notification: ``text``, ``blocks`` and ``attachments``.

    ``text`` is a rendered template, escaped already, in place of the sentence; ``problem`` names the error of one that failed.
    """
    views = told(notification)
    most = min(len(views), _MOST_SHOWN)
    for shown, detailed in [(most, 3), (most, 1), *((shown, 0) for shown in range(most, 1, -1))]:
        made = _message(notification, views, shown, detailed, text, problem)
        if len(json.dumps(made, ensure_ascii=False)) <= WHOLE:
            return made
    return _message(notification, views, min(most, 1), 0, text, problem)


def _message(
    notification: Notification, views: list[AlertView], shown: int, detailed: int, text: str | None, problem: str
) -> Block:
    head = [section(text if text is not None else _headline(notification, views))]
    if problem:
        head.append(context(f":warning: {fit(escaped(clean(problem, 500)), 1000)}"))
    stormy = bool(notification.tally) and notification.status == "firing"
    attachments = [
        _attachment(view, index, index < detailed, worst_too=stormy) for index, view in enumerate(views[:shown])
    ]
    others = len(views) - shown + notification.truncated
    if others:
        attachments.append(_coloured("info", [context(f"+{number(others)} more")], f"+{number(others)} more"))
    preview = text if text is not None else escaped(title(notification))
    return {"text": fit(preview, SECTION), "blocks": head, "attachments": attachments}


def _headline(notification: Notification, views: list[AlertView]) -> str:
    """The sentence with its name and its number in bold, and what has changed since the first time."""
    if not views:
        return fit(escaped(title(notification)), SECTION)
    what = change(notification) if notification.status == "firing" else ""
    if notification.tally and notification.status == "firing":
        line = f"*{escaped(storm(notification))}*"
        return fit(f"{line}\n_{escaped(what)}_" if what else line, SECTION)
    prefix = "*Test*  " if notification.reason == "test" else ""
    others = title(notification).removeprefix(sentence(views[0]))
    line = prefix + _sentence(views[0]) + escaped(others)
    return fit(f"{line}\n_{escaped(what)}_" if what else line, SECTION)


def _sentence(view: AlertView) -> str:
    name = f"*{escaped(clean(view.name))}*"
    if view.status == "resolved":
        return f"{name} resolved after *{duration(view.duration)}*: {escaped(aftermath(view))}"
    first, rest = lead(statement(view))
    return f"{name}: *{escaped(first)}*{escaped(rest)}" if first else f"{name}: {escaped(rest)}"


def _attachment(view: AlertView, index: int, detailed: bool, *, worst_too: bool) -> Block:
    """The worst alert's sentence stands above already, unless that tells of a storm; each further one begins with its own."""
    blocks = [section(_sentence(view))] if index or worst_too else []
    if detailed:
        blocks += [*_notes(view), *_facts(view), *_reasons(view)]
    return _coloured(tone(view.severity, view.status), blocks or _facts(view), sentence(view))


def _coloured(colour: Tone, blocks: list[Block], fallback: str) -> Block:
    return {"color": COLOURS[colour], "fallback": fit(escaped(fallback), 500), "blocks": blocks}


def _notes(view: AlertView) -> list[Block]:
    said = "\n".join(escaped(text) for text in notes(view, 600))
    return [section(said)] if said else []


def _facts(view: AlertView) -> list[Block]:
    rows = [("Value", escaped(measured(view)))]
    rows += [("Messages", escaped(counted(view)))] if view.messages else []
    if view.status == "resolved":
        rows += [("Lasted", duration(view.duration)), ("At worst", escaped(amount(view.peak, view.unit)))]
        rows += [("From", date(view.starts_at)), ("To", date(view.ends_at or view.as_of))]
    else:
        rows += [("Since", f"{date(view.starts_at)} ({duration(view.duration)})")]
        rows += [("Severity", escaped(clean(view.severity, 60) or "–"))]
    fields = [_mrkdwn(fit(f"*{name}*\n{text}", FIELD)) for name, text in rows[:FIELDS]]
    return [{"type": "section", "fields": fields}]


def _reasons(view: AlertView) -> list[Block]:
    lines = []
    if view.breakdown and view.status == "firing":
        lines.append("*Why*  " + escaped(" · ".join(cause(found) for found in view.breakdown[:5])))
    bars = sparkline(view.history)
    if bars:
        lines.append(f"`{bars}`  {escaped(_span(view))}")
    blocks = [section("\n".join(lines))] if lines else []
    small = [escaped(line) for line in _examples(view)]
    return blocks + ([context("\n".join(small))] if small else []) + _buttons(view)


def _span(view: AlertView) -> str:
    """What the sparkline goes from and to."""
    known = [value for value in view.history if value is not None]
    return f"{amount(known[0], view.unit)} → {amount(known[-1], view.unit)}" if known else ""


def _examples(view: AlertView) -> list[str]:
    if view.status == "resolved":
        return []
    lines = [f"e.g. {example(sample)}" for sample in view.samples[:3]]
    return [*lines, *([held_back(view)] if view.more else [])]


def _buttons(view: AlertView) -> list[Block]:
    links = [(link.title, link.url) for link in view.links]
    runbook = view.annotations.get("runbook_url", "")
    links += [("Runbook", runbook)] if runbook not in ("", *(url for _, url in links)) else []
    buttons = [_button(clean(name, BUTTON) or "Open", url) for name, url in links[:5] if _openable(url)]
    return [{"type": "actions", "elements": buttons}] if buttons else []


def _openable(url: str) -> bool:
    """Slack refuses the whole message for one URL that it cannot read."""
    return url.startswith(("http://", "https://")) and len(url) <= URL and url.isprintable() and " " not in url


def _button(name: str, url: str) -> Block:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": clip(escaped(name), BUTTON), "emoji": False},
        "url": url,
    }


def reply(notification: Notification) -> Block:
    """What has changed, as a line for the thread."""
    views = _changed(notification)
    lines = [_sentence(view) for view in views[:_MOST_SHOWN]]
    others = len(views) - len(lines) + notification.truncated
    if len(views) == 1 and notification.status == "resolved":
        return {"text": fit(lines[0], SECTION)}
    what = {"first": "firing", "test": "test", "all resolved": "resolved"}.get(
        notification.reason, change(notification)
    )
    listed = [f"• {line}" for line in lines] if len(lines) > 1 else lines
    more = [f"+{number(others)} more"] if others else []
    return {"text": fit("\n".join([f"*{escaped(what[:1].upper() + what[1:])}*", *listed, *more]), SECTION)}


def _changed(notification: Notification) -> list[AlertView]:
    """The alerts that the change is about, as far as the notification tells."""
    views = told(notification)
    match notification.reason:
        case "escalated":
            found = [view for view in views if view.was_severity]
        case "some resolved" | "all resolved":
            found = [view for view in views if view.status == "resolved"]
        case _:
            found = [view for view in views if view.status == "firing"]
    return found or views


def date(at: Instant) -> str:
    """A time in the reader's own time zone, ``Today 17:02``; the fallback is UTC."""
    return f"<!date^{at // SECOND}^{{date_short_pretty}} {{time}}|{datetime(at, '%Y-%m-%d %H:%M UTC')}>"


def section(text: str) -> Block:
    """A paragraph; ``text`` is Slack's markup, with its data escaped."""
    return {"type": "section", "text": _mrkdwn(fit(text, SECTION))}


def context(text: str) -> Block:
    """A paragraph in small grey letters."""
    return {"type": "context", "elements": [_mrkdwn(fit(text, FIELD))]}


def _mrkdwn(text: str) -> Block:
    # verbatim: Slack does not go looking for links, channels and names in it.
    return {"type": "mrkdwn", "text": text or "–", "verbatim": True}


def fit(text: str, longest: int) -> str:
    """Escaped text cut to ``longest``, never in the middle of an ``&amp;``."""
    if len(text) <= longest:
        return text
    return _CUT_ENTITY.sub("", text[: longest - 1]).rstrip() + "…"
