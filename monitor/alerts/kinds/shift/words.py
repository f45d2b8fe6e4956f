"""What is said of a group."""

from zoneinfo import ZoneInfo

from monitor.config.rules.shift import Shift
from monitor.model import phrases
from monitor.model.format import duration, number, percent
from monitor.model.notification import AlertView
from monitor.model.plurals import plural
from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration, Instant, format_duration, to_datetime
from monitor.runtime.printable import clean

ROSE = " rose from "


def subject(rule: Shift, slow_after: float = 0.0) -> str:
    """What is counted: ``failures``, ``messages slower than 42s``."""
    if rule.event == "slow":
        return f"messages slower than {duration(slow_after)}"
    return "failures" if "match" not in rule.model_fields_set else f"messages that match ({clean(str(rule.match), 80)})"


def risen(what: str, usual: float, now: float, changed_at: Instant, as_of: Instant, zone: str) -> str:
    """``failures rose from 3.1% to 14.9% at 10:42``."""
    return f"{what}{ROSE}{percent(usual)} to {percent(now)} at {_clock(changed_at, as_of, zone)}"


def counted(matching: float, messages: float, rule: Shift) -> str:
    """``(212 of 1,421 messages since; by chance once in 30d)``."""
    since = f"{number(round(matching))} of {plural(round(messages), 'message')} since"
    return f"({since}; by chance once in {format_duration(rule.false_alarm_every)})"


def as_usual(rule: Shift, usual: float, now: float, certainty: float) -> str:
    """``3.2% against 3.1% usual; evidence for a change: 12% of what raises an alarm``."""
    part = percent(min(max(certainty, 0.0), 0.99), 0)
    return f"{percent(now)} against {percent(usual)} usual; evidence for a change: {part} of what raises an alarm"


def learning(known: Duration, rule: Shift) -> str:
    """``not enough data: learning, 31 h of 72 h``."""
    if rule.learn > 2 * HOUR:
        return f"not enough data: learning, {known // HOUR} h of {-(-rule.learn // HOUR)} h"
    return f"not enough data: learning, {format_duration(known // MINUTE * MINUTE)} of {format_duration(rule.learn)}"


def replaying(known: Duration, whole: Duration) -> str:
    """What is said while the past is worked through."""
    return f"not enough data: working through the history, {known // HOUR} h of {whole // HOUR} h"


def statement(view: AlertView) -> str:
    """The alert as a sentence, with what the group is put in: ``Failures to Cosmote (GR) rose from 3.1% to 14.9% at 10:42 (…)``."""
    what, rose, rest = clean(view.why, 300).partition(ROSE)
    if rose:
        return f"{what[:1].upper()}{what[1:]}{phrases.place(view)}{rose}{rest}"
    return f"{percent(view.value)} of {phrases.messages(view.messages)}{phrases.place(view)} {phrases.outcome(view) or 'failed'}"


def _clock(at: Instant, as_of: Instant, zone: str) -> str:
    there = to_datetime(at).astimezone(ZoneInfo(zone))
    return f"{there:%H:%M}" if as_of - at < DAY else f"{there:%Y-%m-%d %H:%M}"
