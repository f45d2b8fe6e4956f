"""Renders a notification as text: with a named style for each piece for terminals, and without styles as the fallback everywhere."""

import re
from typing import Final, Literal

from monitor.model.format import datetime, duration, number, sparkline
from monitor.model.notification import AlertView, Notification, Sample
from monitor.notify.render.alert_sentence import aftermath, cause, statement
from monitor.notify.render.notification_text import (
    advice,
    badge,
    change,
    held_back,
    incident,
    marks,
    shown_views,
    storm,
    tone_of,
)
from monitor.notify.render.sanitize import Tone, clean, tone
from monitor.runtime.clock import Instant, to_datetime
from monitor.runtime.dataclass import dataclass

Style = Literal["plain", "strong", "faint", "toned", "badge"]
_LABEL_WIDTH: Final = 6
_MOST_DETAILED: Final = 3
_MOST_LISTED: Final = 20
_VALUE: Final = re.compile(r"(?:Only |Now )?\d[\d,.]*(?:%|[a-z]+\d*[a-z]*)?")


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line: pieces of text with their styles, after a bar in the colour of ``tone``; ``indent`` applies to wrapped rows."""

    tone: Tone
    pieces: tuple[tuple[str, Style], ...]
    indent: int = 0

    def __str__(self) -> str:
        return "▌ " + "".join(text.strip() if style == "badge" else text for text, style in self.pieces)


def plain_text(notification: Notification, problem: str = "") -> str:
    """Returns the notification without any template. ``problem`` is the error of a template that this replaces."""
    lines = [str(line) for line in layout(notification)]
    return "\n".join([*lines, f"▌ {clean(problem, 500)}"] if problem else lines)


def layout(notification: Notification) -> list[TextLine]:
    """Returns the lines of a notification: a head, then each alert, the first few in detail. A report is shown as it is."""
    if notification.digest is not None:
        return [TextLine("info", ((line, "plain"),)) for line in notification.digest.text.splitlines()]
    views = shown_views(notification)
    lines = [_head(notification, views)]
    if notification.tally and notification.status == "firing":
        lines.append(TextLine(tone_of(notification), ((storm(notification), "strong"),)))
    if said := incident(notification):
        lines.append(TextLine(tone_of(notification), ((said, "strong"),)))
    mixed = any(_is_over(view) for view in views) and not all(_is_over(view) for view in views)
    for index, view in enumerate(views[:_MOST_LISTED]):
        named = _names(view, mixed=mixed) if len(views) > 1 else []
        lines += _alert(view, notification.created_at, named, detailed=index < _MOST_DETAILED)
    others = max(len(views) - _MOST_LISTED, 0) + notification.truncated
    if others:
        lines.append(TextLine(tone_of(notification), ((f"+{number(others)} more", "faint"),)))
    return lines


def _head(notification: Notification, views: list[AlertView]) -> TextLine:
    alike = len({view.name for view in views}) == 1
    name = clean(views[0].name) if alike or (views and notification.incident) else f"{len(views)} alerts"
    pieces: list[tuple[str, Style]] = [(f" {badge(notification)} ", "badge"), (f" {name}", "strong")]
    what = change(notification)
    pieces += [(f"  {what}", "plain")] if what else []
    pieces.append((f"  {datetime(notification.created_at, '%H:%M:%S UTC')} → {clean(notification.receiver)}", "faint"))
    return TextLine(tone_of(notification), tuple(pieces))


def _is_over(view: AlertView) -> bool:
    return view.status == "resolved" and not view.is_report


def _names(view: AlertView, *, mixed: bool) -> list[tuple[str, Style]]:
    """Returns an alert's name, and that it is over where others beside it fire."""
    name: list[tuple[str, Style]] = [(f"{clean(view.name)}  ", "strong")]
    return [*name, ("resolved: ", "toned")] if mixed and _is_over(view) else name


def _alert(view: AlertView, now: Instant, name: list[tuple[str, Style]], *, detailed: bool) -> list[TextLine]:
    colour = tone(view.severity, view.status)
    said = _over(view) if _is_over(view) else statement(view)
    lines = [TextLine(colour, (*name, *_stressed(said)))]
    lines += [TextLine(colour, ((mark, "strong"),)) for mark in marks(view)]
    lines += [TextLine(colour, ((text, "plain"),)) for note in advice(view) for text in note.splitlines() if text]
    lines.append(_timeline(view, colour, now))
    return lines + (_reasons(view, colour) if detailed and view.status == "firing" else [])


def _over(view: AlertView) -> str:
    said = aftermath(view)
    return f"Now {said}" if said[:1].isdigit() else said[:1].upper() + said[1:]


def _stressed(said: str) -> list[tuple[str, Style]]:
    number_first, rest = lead(said)
    return [(number_first, "toned"), (rest, "plain")] if number_first else [(rest, "plain")]


def lead(said: str) -> tuple[str, str]:
    """Splits a statement into the number that it begins with, and the rest."""
    found = _VALUE.match(said)
    end = found.end() if found else 0
    return said[:end], said[end:]


def _timeline(view: AlertView, colour: Tone, now: Instant) -> TextLine:
    bars = sparkline(view.history)
    times = f"since {shown_time(view.since, now)}, {duration(view.duration)}"
    if view.is_report:
        times = f"reported at {shown_time(view.starts_at, now)}"
    elif view.ends_at is not None:
        times = f"{shown_time(view.since, now)} to {shown_time(view.ends_at, now)}, {duration(view.duration)}"
    return TextLine(colour, ((f"{bars}   " if bars else "", "toned"), (times, "faint")))


def shown_time(at: Instant, now: Instant) -> str:
    """Returns a time, without the date if it is today."""
    same_day = to_datetime(at).date() == to_datetime(now).date()
    return datetime(at, "%H:%M:%S UTC" if same_day else "%Y-%m-%d %H:%M:%S UTC")


def _reasons(view: AlertView, colour: Tone) -> list[TextLine]:
    rows = [("why", " · ".join(cause(found) for found in view.breakdown[:5]))]
    rows += [("e.g." if index == 0 else "", example(sample)) for index, sample in enumerate(view.samples[:2])]
    rows += [("more", held_back(view))] if view.more else []
    rows += [("open", f"{clean(link.title)}  {clean(link.url, 500)}") for link in view.links[:3]]
    return [_row(colour, label, text) for label, text in rows if text]


def _row(colour: Tone, label: str, text: str) -> TextLine:
    return TextLine(colour, ((label.ljust(_LABEL_WIDTH), "faint"), (text, "plain")), _LABEL_WIDTH)


def example(sample: Sample) -> str:
    """Returns one message as a line: its id, masked recipient and status."""
    outcome = [sample.status, sample.detailed_status, sample.operator]
    words = [clean(word, 40) for word in dict.fromkeys(outcome) if word not in ("", "unknown")]
    return f"{clean(sample.message_id, 40)}  {clean(sample.to, 30)}  {', '.join(words)}"
