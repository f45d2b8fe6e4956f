"""What a notification looks like in Slack: Block Kit, every piece of data escaped, everything within Slack's limits.

The preview is one sentence. Under it each alert has a bar in its colour: fields, why, a sparkline, examples, buttons.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from monitor.clock import SECOND, Instant
from monitor.notification import AlertView, Notification
from monitor.notify.slack_buttons import buttons
from monitor.render.escape import slack as escaped
from monitor.render.filters import amount, datetime, duration, number, sparkline
from monitor.render.sentence import aftermath, cause, sentence, statement
from monitor.render.story import change, counted, held_back, marks, measured, notes, storm, title, told
from monitor.render.text import example, lead
from monitor.render.words import Tone, clean, tone

SECTION: Final = 3000
FIELD: Final = 2000
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
_PLAIN: Final = 500
_CUT_ENTITY: Final = re.compile(r"&[a-z]{0,3}$")

Block = dict[str, Any]


def message(
    notification: Notification, text: str | None = None, problem: str = "", *, pressable: bool = False
) -> Block:
    """The message of a notification: ``text``, ``blocks`` and ``attachments``.

    ``text`` is a rendered template, escaped already, in place of the sentence; ``problem`` names the error of one that failed.
    ``pressable``: Slack tells us of buttons that are pressed (Socket Mode).
    """
    views = told(notification)
    most = min(len(views), _MOST_SHOWN)
    for shown, detailed in [(most, 3), (most, 1), *((shown, 0) for shown in range(most, 1, -1))]:
        made = _message(notification, views, _Layout(shown, detailed, pressable), text, problem)
        if len(json.dumps(made, ensure_ascii=False)) <= WHOLE:
            return made
    return _message(notification, views, _Layout(min(most, 1), 0, pressable), text, problem)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many alerts are shown, how many of them with all that explains them, and whether their buttons are pressed."""

    shown: int
    detailed: int
    pressable: bool


def _message(
    notification: Notification, views: list[AlertView], layout: _Layout, text: str | None, problem: str
) -> Block:
    head = [section(text if text is not None else _headline(notification, views))]
    if problem:
        head.append(context(f":warning: {fit(escaped(clean(problem, 500)), 1000)}"))
    stormy = bool(notification.tally) and notification.status == "firing"
    attachments = [
        _attachment(
            view, layout, notification.external_url, detailed=index < layout.detailed, headed=index > 0 or stormy
        )
        for index, view in enumerate(views[: layout.shown])
    ]
    others = len(views) - layout.shown + notification.truncated
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


def _attachment(view: AlertView, layout: _Layout, external_url: str, *, detailed: bool, headed: bool) -> Block:
    """``headed``: with its own sentence. The worst alert's stands above already, unless that tells of a storm."""
    own = [section(_sentence(view))] if headed else []
    blocks = [] if own else _facts(view)
    if detailed:
        found = buttons(view, external_url, pressable=layout.pressable)
        blocks = [*_notes(view), *_facts(view), *_reasons(view)]
        blocks += [{"type": "actions", "elements": found}] if found else []
    return _coloured(tone(view.severity, view.status), [*own, *_marks(view), *blocks], sentence(view))


def _coloured(colour: Tone, blocks: list[Block], fallback: str) -> Block:
    return {"color": COLOURS[colour], "fallback": fit(escaped(fallback), 500), "blocks": blocks}


def _marks(view: AlertView) -> list[Block]:
    said = marks(view)
    return [context(f"*{escaped(' · '.join(said))}*")] if said else []


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
    return blocks + ([context("\n".join(small))] if small else [])


def _span(view: AlertView) -> str:
    """What the sparkline goes from and to."""
    known = [value for value in view.history if value is not None]
    return f"{amount(known[0], view.unit)} → {amount(known[-1], view.unit)}" if known else ""


def _examples(view: AlertView) -> list[str]:
    if view.status == "resolved":
        return []
    lines = [f"e.g. {example(sample)}" for sample in view.samples[:3]]
    return [*lines, *([held_back(view)] if view.more else [])]


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


def plainer(made: Block, why: str) -> Block:
    """The same message as nothing but its text, for where Slack refuses the layout with the word ``why``."""
    kept = {key: value for key, value in made.items() if key not in ("blocks", "attachments")}
    # An edit that says nothing of blocks would leave the old ones standing.
    emptied: Block = {"blocks": [], "attachments": []} if "ts" in made else {}
    note = f"_Slack did not take the whole message ({escaped(why)})._"
    return kept | emptied | {"text": f"{fit(str(made['text']), _PLAIN)}\n{note}"}
