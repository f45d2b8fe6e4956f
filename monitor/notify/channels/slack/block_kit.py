"""Lays out a notification for Slack with Block Kit: all data is escaped, and everything stays within Slack's limits.

The preview begins with severity and state, followed by one sentence. Each alert has a bar in its colour. A single alert shows what to do, since
when, why, a sparkline, examples and buttons. Several alerts are listed; then comes what explains the worst, and then what to do, once for each
rule.
"""

import json
from typing import TYPE_CHECKING, Final

from monitor.model.format import amount, duration, moments, number, sparkline
from monitor.model.notification import AlertView, Notification
from monitor.notify.channels.slack.buttons import buttons
from monitor.notify.channels.slack.digest_blocks import digest_message
from monitor.notify.channels.slack.elements import SECTION, Block, context, fit, section
from monitor.notify.render.alert_sentence import aftermath, cause, place, sentence, statement
from monitor.notify.render.context import notification_context
from monitor.notify.render.escape import slack as escaped
from monitor.notify.render.escape import slack_prose
from monitor.notify.render.notification_text import (
    advice,
    counted,
    heading,
    held_back,
    marks,
    news,
    others_of,
    place_of,
    push,
    shown_views,
    storm,
    title,
)
from monitor.notify.render.sanitize import Tone, clean, tone
from monitor.notify.render.template_problem import TemplateProblem
from monitor.notify.render.text import example, lead
from monitor.runtime.dataclass import dataclass

if TYPE_CHECKING:
    from monitor.notify.render.compiled_template import Template

WHOLE: Final = 12_000
"""The longest message in characters of JSON; Slack refuses somewhat over 13,000."""

COLOURS: Final[dict[Tone, str]] = {
    "critical": "#e01e5a",
    "warning": "#ecb22e",
    "info": "#36c5f0",
    "resolved": "#2eb67d",
}

_MOST_SHOWN: Final = 10
_MOST_ADVICE: Final = 3
_PLAIN: Final = 500


def message(
    notification: Notification, text: str | None = None, problem: str = "", *, pressable: bool = False
) -> Block:
    """Returns the message of a notification: ``text``, ``blocks`` and ``attachments``.

    ``text`` is a rendered template, already escaped, that replaces the sentence; ``problem`` is the error of a template that failed.
    ``pressable`` says that Slack reports pressed buttons (Socket Mode).
    """
    if notification.digest is not None:
        return digest_message(notification.digest)
    views = shown_views(notification)
    most = min(len(views), _MOST_SHOWN)
    for shown, detailed in [(most, 3), (most, 1), *((shown, 0) for shown in range(most, 1, -1))]:
        made = _message(notification, views, _Layout(shown, detailed, pressable), text, problem)
        if len(json.dumps(made, ensure_ascii=False)) <= WHOLE:
            return made
    return _message(notification, views, _Layout(min(most, 1), 0, pressable), text, problem)


def headline(template: "Template | None", notification: Notification) -> tuple[str | None, str]:
    """Returns the text of an entry's own template (None for the built-in sentence) and, if it failed, the error to show."""
    if template is None:
        return None, ""
    try:
        return template.render(notification_context(notification), SECTION).strip() or None, ""
    except TemplateProblem as problem:
        return None, f"The template of this message failed: {problem}"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many alerts are shown, how many of these in detail, and whether Slack reports pressed buttons."""

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
        _listed(view, position, layout, notification)
        if stormy or len(views) > 1
        else _alone(view, layout, notification)
        for position, view in enumerate(views[: layout.shown])
    ]
    others = len(views) - layout.shown + notification.truncated
    if others:
        attachments.append(_coloured("info", [context(f"+{number(others)} more")], f"+{number(others)} more"))
    if (stormy or len(views) > 1) and layout.detailed:
        attachments += _explained(views[: layout.shown], layout, notification)
    preview = f"{escaped(heading(notification))}: {text}" if text is not None else escaped(push(notification))
    return {"text": fit(preview, SECTION), "blocks": head, "attachments": attachments}


def _headline(notification: Notification, views: list[AlertView]) -> str:
    """Returns the sentence with its name and its number in bold, and what has changed since the first notification."""
    if not views:
        return fit(escaped(title(notification)), SECTION)
    what = news(notification)
    if notification.tally and notification.status == "firing":
        line = f"*{escaped(storm(notification))}*"
        return fit(f"{line}\n_{escaped(what)}_" if what else line, SECTION)
    alone = len(views) == 1 or notification.incident
    said = _sentence(views[0], short=True) if alone else _several(views, notification)
    place = f"{escaped(where)}: " if (where := place_of(notification)) else ""
    lines = [f"*{escaped(heading(notification))}*  {place}{said}", escaped(others_of(notification))]
    return fit("\n".join([*filter(None, lines), *([f"_{escaped(what)}_"] if what else [])]), SECTION)


def _several(views: list[AlertView], notification: Notification) -> str:
    """Returns ``OperatorFailureRate: 9 alerts``, and since when if that is the same for all."""
    names = list(dict.fromkeys(view.name for view in views))
    name = f"*{escaped(clean(names[0]))}*: " if len(names) == 1 else ""
    said = {_times(view) for view in views}
    when = f", {escaped(said.pop())}" if len(said) == 1 else ""
    return f"{name}{number(len(views) + notification.truncated)} alerts{when}"


def _sentence(view: AlertView, *, short: bool = False) -> str:
    """Returns the sentence of an alert; ``short`` leaves out that it is resolved, because the words before it say so."""
    name = f"*{escaped(clean(view.name))}*"
    if view.status == "resolved" and not view.is_report:
        return f"{name} {'' if short else 'resolved '}after *{duration(view.duration)}*: {escaped(aftermath(view))}"
    first, rest = lead(statement(view))
    return f"{name}: *{escaped(first)}*{escaped(rest)}" if first else f"{name}: {escaped(rest)}"


def _alone(view: AlertView, layout: _Layout, notification: Notification) -> Block:
    """Returns the details of the only alert; its sentence is already in the headline."""
    blocks = [*_marks(view), *_advice(advice(view, 600)), *_timeline(view)]
    if layout.detailed:
        blocks += [*_reasons(view), *_actions(view, layout, notification)]
    return _coloured(tone(view.severity, view.status), blocks, sentence(view))


def _listed(view: AlertView, index: int, layout: _Layout, notification: Notification) -> Block:
    """Returns one of several alerts: its sentence and since when. The first is explained below; the others have their first button here."""
    line = section(_sentence(view))
    times = bool(notification.tally) or len({_times(one) for one in shown_views(notification)}) > 1
    found = _buttons(view, layout, notification) if index and layout.detailed else []
    if found:
        line["accessory"] = found[0]
    return _coloured(
        tone(view.severity, view.status), [line, *_marks(view), *_timeline(view, times=times)], sentence(view)
    )


def _explained(views: list[AlertView], layout: _Layout, notification: Notification) -> list[Block]:
    """Returns what explains the worst of several alerts, followed by what to do, once for each rule."""
    worst = views[0]
    reasons = _reasons(worst)
    where = " ".join(escaped(clean(word)) for word in (worst.name, place(worst).strip()) if word)
    first = "The worst: " if not notification.incident else ""
    head = [context(f"*{first}{where}*")] if reasons else []
    rules = {view.rule: view for view in reversed(views)}
    advice_texts = [text for view in reversed(rules.values()) for text in advice(view, 600)]
    blocks = [
        *head,
        *reasons,
        *_advice(list(dict.fromkeys(advice_texts))[:_MOST_ADVICE]),
        *_actions(worst, layout, notification),
    ]
    return [_coloured(tone(worst.severity, worst.status), blocks, sentence(worst))] if blocks else []


def _buttons(view: AlertView, layout: _Layout, notification: Notification) -> list[Block]:
    actionable = notification.reason != "test"
    return buttons(view, notification.external_url, pressable=layout.pressable, actionable=actionable)


def _actions(view: AlertView, layout: _Layout, notification: Notification) -> list[Block]:
    found = _buttons(view, layout, notification)
    return [{"type": "actions", "elements": found}] if found else []


def _coloured(colour: Tone, blocks: list[Block], fallback: str) -> Block:
    return {"color": COLOURS[colour], "fallback": fit(escaped(fallback), 500), "blocks": blocks}


def _marks(view: AlertView) -> list[Block]:
    said = marks(view)
    return [context(f"*{escaped(' · '.join(said))}*")] if said else []


def _advice(texts: list[str]) -> list[Block]:
    said = "\n".join(slack_prose(text) for text in texts)
    return [section(said)] if said else []


def _timeline(view: AlertView, *, times: bool = True) -> list[Block]:
    """Returns what the sentence leaves out: the number of messages, and since when."""
    many = f"{counted(view)} messages" if view.messages and number(view.messages) not in sentence(view) else ""
    said = ", ".join(filter(None, (many, _times(view) if times else "")))
    return [context(escaped(said[:1].upper() + said[1:]))] if said else []


def _times(view: AlertView) -> str:
    if view.is_report:
        return f"reported at {moments(view.starts_at, view.time_zone)}"
    if view.status == "resolved":
        return f"from {moments(view.since, view.time_zone)} to {moments(view.ends_at or view.as_of, view.time_zone)}"
    return f"since {moments(view.since, view.time_zone)}, for {duration(view.duration)}"


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
    """Returns the times at which the sparkline begins and ends."""
    known = [value for value in view.history if value is not None]
    return f"{amount(known[0], view.unit)} → {amount(known[-1], view.unit)}" if known else ""


def _examples(view: AlertView) -> list[str]:
    if view.status == "resolved":
        return []
    lines = [f"e.g. {example(sample)}" for sample in view.samples[:3]]
    return [*lines, *([held_back(view)] if view.more else [])]


def reply(notification: Notification) -> Block:
    """Returns what has changed as a line for the thread, beginning with severity and state."""
    if notification.incident:
        return {"text": fit(_headline(notification, shown_views(notification)).replace("\n", ", "), SECTION)}
    views = _changed(notification)
    lines = [
        _sentence(view, short=len(views) == 1 and notification.status == "resolved") for view in views[:_MOST_SHOWN]
    ]
    others = len(views) - len(lines) + notification.truncated
    what = news(notification)
    head = f"*{escaped(heading(notification))}*" + (f" ({escaped(what)})" if what else "")
    more = [f"+{number(others)} more"] if others else []
    if len(lines) == 1 and not more:
        return {"text": fit(f"{head}  {lines[0]}", SECTION)}
    return {"text": fit("\n".join([head, *(f"• {line}" for line in lines), *more]), SECTION)}


def _changed(notification: Notification) -> list[AlertView]:
    """Returns the alerts that the change is about, if the notification says so."""
    views = shown_views(notification)
    match notification.reason:
        case "escalated":
            found = [view for view in views if view.was_severity]
        case "some resolved" | "all resolved":
            found = [view for view in views if view.status == "resolved"]
        case _:
            found = [view for view in views if view.status == "firing"]
    return found or views


def plainer(made: Block, why: str) -> Block:
    """Returns the same message as plain text, for when Slack refuses the layout with the error code ``why``."""
    kept = {key: value for key, value in made.items() if key not in ("blocks", "attachments")}
    # An edit without blocks would keep the old ones.
    emptied: Block = {"blocks": [], "attachments": []} if "ts" in made else {}
    note = f"_Slack did not take the whole message ({escaped(why)})._"
    return kept | emptied | {"text": f"{fit(str(made['text']), _PLAIN)}\n{note}"}
