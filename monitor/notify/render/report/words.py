"""What a report says in words, whatever shows it: its title, its main figures, and each table's columns and cells."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from monitor.alerts.report.model import (
    BlindRule,
    CampaignLine,
    Compared,
    Counts,
    DeliveryReport,
    IncidentLine,
    ReceiverLine,
    RuleLine,
    TrafficLine,
)
from monitor.model.format import NOTHING, duration, number, percent
from monitor.model.message import UNKNOWN
from monitor.model.plurals import money, plural
from monitor.notify.render.sanitize import clean
from monitor.runtime.clock import Instant, to_datetime
from monitor.runtime.dataclass import dataclass

_LONGEST: Final = 80
"""The most characters of a name that comes from messages."""
OF_FINAL: Final = "Delivered: the share of the messages with a final status. Messages: all, also those without one."
"""What the columns of tables count; said once, below the first one that has them."""


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """A main figure: its value, what it is, and what else there is to say of it."""

    value: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table: its title, the heads of its columns, and its rows; the first one is text. ``more`` says how many rows were left out, and
    ``note`` what has to be known of the columns.
    """

    key: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0
    note: str = ""


def local(at: Instant, zone: str, form: str = "%m-%d %H:%M") -> str:
    """Returns an instant in the report's time zone."""
    return to_datetime(at).astimezone(ZoneInfo(zone)).strftime(form)


def title(report: DeliveryReport) -> str:
    """Returns ``SMS delivery, 2026-11-09 08:00 to 2026-11-16 08:00 (Europe/Athens)``."""
    start, end = (local(at, report.time_zone, "%Y-%m-%d %H:%M") for at in (report.since, report.until))
    return f"SMS delivery, {start} to {end} ({report.time_zone})"


def summary(report: DeliveryReport) -> str:
    """Returns one sentence: ``95.4% of 178,603 messages delivered (0.3 points less than before), 3,702 lost in 2 incidents``."""
    now = report.total.now
    if not now.final:
        return "no message got a final status"
    said = f"{percent(now.share)} of {plural(now.final, 'message')} delivered"
    if report.total.change is not None:
        said += f" ({_points(report.total.change)})"
    if report.incidents:
        said += f", {_lost(report)}"
    return said


def _points(change: float) -> str:
    size = f"{abs(change) * 100:.1f}"
    if size == "0.0":
        return "as before"
    return f"{size} points {'more' if change > 0 else 'less'} than before"


def _lost(report: DeliveryReport) -> str:
    count = plural(len(report.incidents) + report.more.get("incidents", 0), "incident")
    return count if report.lost is None else f"{number(report.lost)} lost in {count}"


def figures(report: DeliveryReport) -> list[ReportFigure]:
    """Returns the main figures, the most important one first."""
    now, before = report.total.now, report.total.before
    found = [
        ReportFigure(
            percent(now.share),
            "delivered",
            f"{number(now.delivered)} of {number(now.final)} with a final status"
            + ("" if report.total.change is None else f", {_points(report.total.change)}"),
        ),
        ReportFigure(number(now.failed), "failed", "" if before is None else f"{number(before.failed)} before"),
        ReportFigure(
            _named(now.cost, report),
            "spent",
            NOTHING if now.cost_per_delivered is None else f"{_price(now)} a delivered message" + _price_before(before),
        ),
    ]
    if report.incidents:
        spent = report.spent_on_lost
        note = "" if spent is None else f"{_named(spent, report)} spent on them"
        value = NOTHING if report.lost is None else number(report.lost)
        count = plural(len(report.incidents) + report.more.get("incidents", 0), "incident")
        found.append(ReportFigure(value, f"lost in {count}", note))
    else:
        found.append(ReportFigure("0", "incidents"))
    if report.failing_receivers:
        dead = sum(one.dead for one in report.failing_receivers)
        what = "notification given up" if dead == 1 else "notifications given up"
        found.append(ReportFigure(number(dead), what, _channels(report.failing_receivers)))
    return found


def _named(amount: float, report: DeliveryReport) -> str:
    """Returns ``103.50 EUR``, or ``103.50`` if the currency is not known."""
    return f"{money(amount)} {clean(report.currency, 10)}".rstrip()


def _price(counts: Counts) -> str:
    return NOTHING if counts.cost_per_delivered is None else f"{counts.cost_per_delivered:.4f}"


def _price_before(before: Counts | None) -> str:
    return "" if before is None or before.cost_per_delivered is None else f" ({_price(before)} before)"


def _channels(lines: Sequence[ReceiverLine]) -> str:
    return ", ".join(f"{clean(one.receiver, 40)} {one.channel}" for one in lines[:3])


def tables(report: DeliveryReport) -> list[ReportTable]:
    """Returns all tables that have rows."""
    several = len(report.accounts) > 1
    traffic = ("MESSAGES", "DELIVERED", "CHANGE", "FAILED", "COST")
    found = [
        _table(report, "accounts", "Accounts", ("ACCOUNT", *traffic), report.accounts if several else (), _account),
        _table(
            report,
            "incidents",
            "Incidents",
            ("INCIDENT", "BEGAN", "LASTED", "LOST", "SPENT"),
            report.incidents,
            lambda one: _incident(one, report),
        ),
        _table(report, "countries", "Countries", ("COUNTRY", *traffic), report.countries, _traffic(several=several)),
        _table(report, "operators", "Operators", ("OPERATOR", *traffic), report.operators, _traffic(several=several)),
        _table(
            report,
            "campaigns",
            "Campaigns",
            ("CAMPAIGN", "BEGAN", "MESSAGES", "DELIVERED", "WAITING", "COST"),
            report.campaigns,
            lambda one: _campaign(one, report),
        ),
        _table(report, "rules", "Noisiest rules", ("RULE", "ALERTS", "FIRING", "ACKNOWLEDGED"), report.rules, _rule),
        _table(
            report, "receivers", "Receivers", ("CHANNEL", "SENT", "GIVEN UP", "WAITING"), report.receivers, _receiver
        ),
    ]
    shown = [table for table in found if table.rows]
    first = next((place for place, table in enumerate(shown) if "DELIVERED" in table.heads), None)
    if first is not None:
        shown[first] = replace(shown[first], note=OF_FINAL)
    return shown


def _table(
    report: DeliveryReport,
    key: str,
    name: str,
    heads: tuple[str, ...],
    lines: Sequence[Any],
    row: Callable[[Any], tuple[str, ...]],
) -> ReportTable:
    return ReportTable(key, name, heads, tuple(row(line) for line in lines), report.more.get(key, 0))


def _counted(counts: Compared) -> tuple[str, ...]:
    now, change = counts.now, counts.change
    return (
        number(now.messages),
        percent(now.share, 1),
        NOTHING if change is None else f"{change * 100:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0"),
        number(now.failed),
        money(now.cost),
    )


def _account(line: Any) -> tuple[str, ...]:
    return clean(line.name, _LONGEST), *_counted(line.counts)


def _traffic(*, several: bool) -> Callable[[TrafficLine], tuple[str, ...]]:
    def row(line: TrafficLine) -> tuple[str, ...]:
        country = "(not given)" if line.country == UNKNOWN else line.country
        name = f"{line.operator}, {country}" if line.operator else country
        return clean(f"{name} ({line.account})" if several else name, _LONGEST), *_counted(line.counts)

    return row


def _incident(one: IncidentLine, report: DeliveryReport) -> tuple[str, ...]:
    loss, title = one.loss, clean(one.title, 2 * _LONGEST)
    return (
        f"{title} ({clean(one.account, _LONGEST)})" if len(report.accounts) > 1 and one.account else title,
        local(one.began, report.time_zone),
        duration((one.ended or report.until) - one.began) + ("" if one.ended is not None else "+"),
        NOTHING if loss is None or loss.lost is None else number(loss.lost),
        NOTHING if loss is None or loss.spent is None else money(loss.spent),
    )


def _campaign(one: CampaignLine, report: DeliveryReport) -> tuple[str, ...]:
    name = clean(one.name or one.tracking_id, _LONGEST)
    return (
        f"{name} ({clean(one.account, _LONGEST)})" if len(report.accounts) > 1 else name,
        local(one.began, report.time_zone),
        number(one.messages),
        percent(one.share, 1),
        number(one.waiting),
        money(one.cost),
    )


def _rule(one: RuleLine) -> tuple[str, ...]:
    return one.rule, number(one.alerts), duration(one.firing), number(one.acknowledged)


def _receiver(one: ReceiverLine) -> tuple[str, ...]:
    name = f"{clean(one.receiver, 40)} {one.channel}"
    return name, number(one.sent), number(one.dead), number(one.waiting)


def quiet_rules(report: DeliveryReport, most: int) -> Iterator[tuple[str, int, str]]:
    """Yields the lists of rules that did not fire, if there are any: a title, how many there are, and the names of at most ``most``."""
    blind = [f"{one.rule} ({duration(one.blind)})" for one in report.blind]
    for heading, count, names in (
        ("Rules that never fired", len(report.never), ", ".join(report.never[:most])),
        ("Rules that did not fire, evaluated for a part of the time", len(report.younger), _younger(report, most)),
        (
            "Rules that did not fire, but could not be evaluated for some of the time",
            len(blind),
            ", ".join(blind[:most]),
        ),
    ):
        if count:
            yield heading, count, names + (f" and {number(count - most)} more" if count > most else "")


def _younger(report: DeliveryReport, most: int) -> str:
    """Returns ``since 11-29 08:12: Failures, Delays (not for 5m); since 11-29 09:30: Silence``."""

    def when(one: BlindRule) -> str:
        return local(one.since or report.since, report.time_zone)

    ordered = sorted(report.younger, key=lambda one: one.since or 0)[:most]
    together = groupby(ordered, key=when)
    return "; ".join(f"since {since}: {', '.join(map(_less, some))}" for since, some in together)


def _less(one: BlindRule) -> str:
    return f"{one.rule} (not for {duration(one.blind)})" if one.blind else one.rule
