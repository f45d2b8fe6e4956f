"""Renders a report as one HTML file without anything from outside: light and dark, for every width, for screen readers."""

from collections.abc import Iterator, Sequence
from typing import Final

from monitor.alerts.report.model import DeliveryReport
from monitor.model.format import datetime, number
from monitor.notify.render.escape import html_text as escaped
from monitor.notify.render.report.charts import charts
from monitor.notify.render.report.words import ReportFigure, ReportTable, figures, quiet_rules, tables, title
from monitor.notify.render.sanitize import clean

_MOST_NEVER: Final = 200
_MOST_OPEN: Final = 15
_TEXTS: Final = {"INCIDENT", "BEGAN"}
"""The columns that hold text, besides the first one."""

_STYLE: Final = """
:root{color-scheme:light dark;--paper:#f5f4f0;--card:#fffefc;--ink:#1c2326;--soft:#566066;--line:#dedbd3;--bad:#ad1230;--tint:#fcf1d8;--value:#0b5f78}
@media (prefers-color-scheme:dark){:root{--paper:#0f1417;--card:#171e22;--ink:#e9ecec;--soft:#a5b0b6;--line:#2a3439;--bad:#ff949b;--tint:#2e240f;
--value:#82cbe0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:anywhere;
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:64rem;margin:0 auto;padding:clamp(1.25rem,3vw,2.5rem) clamp(1rem,3vw,2rem) 3rem}
h1{margin:0;font-size:clamp(1.35rem,1.1rem + 1.2vw,1.9rem);line-height:1.25;letter-spacing:-.012em}
h2{margin:2.5rem 0 .8rem;font-size:1.15rem}
a{color:var(--value)}
:focus-visible{outline:.19rem solid var(--value);outline-offset:.15rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,13rem),1fr));gap:1rem;margin:1.5rem 0;padding:0;list-style:none}
.figures li{padding:1rem 1.2rem;border:1px solid var(--line);border-radius:.6rem;background:var(--card)}
.figures b{display:block;font-size:1.7rem;line-height:1.2;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.figures span{display:block;color:var(--soft);font-size:.9rem}
.notes{margin:1rem 0;padding:.7rem 1rem .7rem 2.2rem;border-radius:.4rem;background:var(--tint)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.6rem;background:var(--card)}
table{width:100%;border-collapse:collapse}
th,td{padding:.45rem .9rem;border-top:1px solid var(--line);text-align:left;vertical-align:top}
thead th{border-top:0;color:var(--soft);font-size:.85rem;font-weight:600;white-space:nowrap}
tbody th{font-weight:600;min-width:9rem}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.more,footer{color:var(--soft);font-size:.9rem}
.error{color:var(--bad)}
.chart{display:block;width:100%;height:auto;padding:.5rem}
.narrow{display:none}
details{margin-top:.6rem}summary{min-height:1.5rem;padding:.35rem 0;color:var(--value);cursor:pointer}
.chart path{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.chart text{fill:var(--ink)}.chart .label{fill:var(--soft)}
.chart .grid{stroke:var(--line);stroke-width:1}.chart .axis{stroke:var(--soft);stroke-width:1}
.chart .value{stroke:var(--value)}.chart .second{stroke:var(--bad)}.chart circle.value{fill:var(--value)}.chart circle.second{fill:var(--bad)}
@media (max-width:40rem){.wide{display:none}.narrow{display:block}
table,tbody{display:block}thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tbody tr{display:grid;grid-template-columns:repeat(3,1fr);gap:.2rem .9rem;padding:.6rem .9rem;border-top:1px solid var(--line)}
tbody tr:first-child{border-top:0}tbody th{grid-column:1/-1}tbody th,tbody td,tbody .n{padding:0;border:0;text-align:left;white-space:normal}
td::before{content:attr(data-head);display:block;color:var(--soft);font-size:.8rem}}
.chart rect{stroke:none}.chart rect.critical{fill:var(--bad);fill-opacity:.16}.chart circle{stroke:none}
"""


def page(report: DeliveryReport, link: str = "") -> str:
    """Returns the file. ``link`` is the address of the status page, if there is one."""
    name = escaped(title(report))
    body = "".join(_body(report, link))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )


def _body(report: DeliveryReport, link: str) -> Iterator[str]:
    yield f"<h1>{escaped(title(report))}</h1>\n"
    yield f'<ul class="figures">{"".join(map(_figure, figures(report)))}</ul>\n'
    if report.notes:
        yield f'<ul class="notes">{"".join(f"<li>{escaped(clean(note, 400))}</li>" for note in report.notes)}</ul>\n'
    for heading, drawing in charts(report):
        yield f"<section><h2>{escaped(heading)}</h2>{_scrolling(escaped(heading), drawing)}</section>\n"
    for table in tables(report):
        yield f"<section><h2>{escaped(table.title)}</h2>{_table(table)}"
        if table.note:
            yield f'<p class="more">{escaped(table.note)}</p>'
        if table.key == "receivers":
            yield from _errors(report)
        yield "</section>\n"
    for heading, _, names in quiet_rules(report, _MOST_NEVER):
        yield f"<section><h2>{escaped(heading)}</h2><p>{escaped(names)}</p></section>\n"
    seen = f' <a href="{escaped(link)}">How it is now</a>.' if link else ""
    yield f"<footer><p>Made by routee-monitor at {datetime(report.made_at, '%Y-%m-%d %H:%M UTC')}.{seen}</p></footer>"


def _figure(one: ReportFigure) -> str:
    note = f"<span>{escaped(one.note)}</span>" if one.note else ""
    return f"<li><b>{escaped(one.value)}</b>{escaped(one.name)}{note}</li>"


def _table(table: ReportTable) -> str:
    """Returns the table; what is beyond its first rows is folded."""
    first, rest = table.rows[:_MOST_OPEN], table.rows[_MOST_OPEN:]
    more = f'<p class="more">and {number(table.more)} more</p>' if table.more else ""
    if not rest:
        return _rows(table, first, escaped(table.title)) + more
    folded = _rows(table, rest, escaped(f"{table.title}, the others"))
    return (
        f"{_rows(table, first, escaped(table.title))}"
        f"<details><summary>{number(len(rest))} more</summary>{folded}{more}</details>"
    )


def _rows(table: ReportTable, shown: Sequence[tuple[str, ...]], label: str) -> str:
    numeric = [column > 0 and head not in _TEXTS for column, head in enumerate(table.heads)]
    heads = "".join(
        f'<th scope="col"{_class(is_number)}>{escaped(head.capitalize())}</th>'
        for head, is_number in zip(table.heads, numeric, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{escaped(row[0])}</th>'
        + "".join(
            f'<td{_class(is_number)} data-head="{escaped(head.capitalize())}">{escaped(cell)}</td>'
            for head, cell, is_number in zip(table.heads[1:], row[1:], numeric[1:], strict=True)
        )
        + "</tr>"
        for row in shown
    )
    return _scrolling(
        label, f'<table aria-label="{label}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )


def _scrolling(label: str, content: str) -> str:
    return f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{content}</div>'


def _class(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _errors(report: DeliveryReport) -> Iterator[str]:
    for one in report.failing_receivers:
        if one.error:
            said = f"{clean(one.receiver, 40)} {one.channel}: {clean(one.error, 300)}"
            yield f'<p class="error">{escaped(said)}</p>'
