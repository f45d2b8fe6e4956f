"""Draws slack-alert.svg from the golden Slack messages, so that the picture in the README shows what is really sent.

python docs/images/draw.py
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "tests" / "testdata" / "golden" / "slack.json"
PICTURE = HERE / "slack-alert.svg"

WIDTH, LEFT, LINE = 980, 76, 23
SANS = "-apple-system, 'Segoe UI', Lato, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
MONO = "Menlo, Consolas, 'DejaVu Sans Mono', monospace"
INK, FAINT, LINK, EDGE = "#1d1c1d", "#616061", "#1264a3", "#dddddd"
BARS = "▁▂▃▄▅▆▇█"
MARKUP = re.compile(r"\*(?P<bold>[^*\n]+)\*|_(?P<italic>[^_\n]+)_|`(?P<code>[^`]+)`|<!date\^(?P<date>\d+)\^[^>]*>")


class Sheet:
    """What has been drawn so far, and how far down."""

    def __init__(self) -> None:
        self.y = 0.0
        self.drawn: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, fill: str, **more: object) -> None:
        extra = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
        self.drawn.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"{extra}/>')

    def text(self, x: float, y: float, inner: str, size: float = 15, fill: str = INK, **more: object) -> None:
        extra = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
        self.drawn.append(f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}"{extra}>{inner}</text>')

    def lines(self, x: float, text: str, size: float = 15, fill: str = INK, step: float = LINE) -> None:
        """Slack's markup, a line at a time; a sparkline at the beginning of one is drawn as bars."""
        for line in text.split("\n"):
            self.y += step
            shift = 0.0
            if line.startswith("`"):
                code, _, line = line[1:].partition("`")
                shift = self.sparkline(x, code)
            self.text(x + shift, self.y, "".join(marked(line.strip())), size, fill)

    def sparkline(self, x: float, bars: str) -> float:
        width = len(bars) * 8 + 8
        self.y += 6
        self.rect(x, self.y - 18, width, 25, "#f8f8f8", rx=3, stroke=EDGE)
        for index, bar in enumerate(bars):
            height = 3 + BARS.find(bar) * 2.4
            fill = "#e01e5a" if bar in BARS[2:] else "#9aa0a6"
            self.rect(x + 5 + index * 8, self.y + 4 - height, 6, height, fill)
        return width + 12


def marked(text: str) -> Iterator[str]:
    """The text with its bold, italic and dates, as SVG."""
    end = 0
    for found in MARKUP.finditer(text):
        yield escape(unescape(text[end : found.start()]))
        yield _styled(found)
        end = found.end()
    yield escape(unescape(text[end:]))


def _styled(found: re.Match[str]) -> str:
    if found["date"]:
        return f"Today {datetime.fromtimestamp(int(found['date']), UTC):%H:%M}"
    style = 'font-weight="700"' if found["bold"] else 'font-style="italic"'
    return f"<tspan {style}>{escape(unescape(found['bold'] or found['italic'] or found['code']))}</tspan>"


def head(sheet: Sheet, at: str) -> None:
    """Who writes, and when."""
    top = sheet.y + 20
    sheet.rect(24, top, 38, 38, "#1f2a44", rx=8)
    for index, height in enumerate((6, 5, 8, 14, 21)):
        sheet.rect(31 + index * 5, top + 30 - height, 4, height, "#e01e5a" if index > 2 else "#ffffff")
    name = '<tspan font-weight="900">routee-monitor</tspan>'
    sheet.text(LEFT, top + 12, name)
    sheet.rect(LEFT + 132, top - 1, 32, 16, "#e8e8e8", rx=2)
    sheet.text(LEFT + 148, top + 11, "APP", 10, FAINT, text_anchor="middle", font_weight=700)
    sheet.text(LEFT + 172, top + 12, at, 12, FAINT)
    sheet.y = top + 14


def message(sheet: Sheet, made: dict[str, Any], at: str) -> None:
    """One message: its sentence, then each attachment behind its bar."""
    head(sheet, at)
    for block in made["blocks"]:
        sheet.lines(LEFT, block["text"]["text"])
    for attachment in made["attachments"]:
        sheet.y += 12
        top = sheet.y
        for block in attachment["blocks"]:
            BLOCKS[block["type"]](sheet, block)
        sheet.rect(LEFT, top, 4, sheet.y - top + 8, attachment["color"], rx=2)
        sheet.y += 8


def section(sheet: Sheet, block: dict[str, Any]) -> None:
    """Text, or fields in two columns."""
    if "text" in block:
        sheet.lines(LEFT + 18, block["text"]["text"])
        sheet.y += 6
    fields = block.get("fields", [])
    for first in range(0, len(fields), 2):
        top = sheet.y
        for column, field in enumerate(fields[first : first + 2]):
            sheet.y = top
            sheet.lines(LEFT + 18 + column * 360, field["text"])
        sheet.y += 6


def context(sheet: Sheet, block: dict[str, Any]) -> None:
    """Small and grey."""
    for element in block["elements"]:
        sheet.lines(LEFT + 18, element["text"], 12, FAINT, 19)
    sheet.y += 6


def actions(sheet: Sheet, block: dict[str, Any]) -> None:
    """Buttons."""
    x = LEFT + 18.0
    for button in block["elements"]:
        name = button["text"]["text"]
        width = len(name) * 7.6 + 28
        sheet.rect(x, sheet.y + 8, width, 30, "#ffffff", rx=5, stroke="#bbbbbb")
        sheet.text(x + width / 2, sheet.y + 28, escape(name), 13, INK, text_anchor="middle", font_weight=700)
        x += width + 8
    sheet.y += 42


BLOCKS = {"section": section, "context": context, "actions": actions}


def thread(sheet: Sheet, last: str) -> None:
    """The line under a message that leads to its thread, and its one line."""
    sheet.y += 26
    replies = f'<tspan fill="{LINK}" font-weight="700">1 reply</tspan>'
    sheet.text(LEFT, sheet.y, f'{replies}<tspan dx="8" fill="{FAINT}">Today at 17:37</tspan>', 13)
    sheet.rect(LEFT, sheet.y + 10, 2, 26, EDGE)
    sheet.lines(LEFT + 14, last, 13, FAINT, 27)
    sheet.y += 4


def rule(sheet: Sheet, words: str) -> None:
    """A line across with words on it."""
    sheet.y += 34
    sheet.rect(24, sheet.y, WIDTH - 48, 1, EDGE)
    width = len(words) * 6.6 + 28
    sheet.rect((WIDTH - width) / 2, sheet.y - 13, width, 26, "#ffffff", rx=13, stroke=EDGE)
    sheet.text(WIDTH / 2, sheet.y + 4, words, 12, INK, text_anchor="middle", font_weight=700)
    sheet.y += 8


def draw(golden: dict[str, Any]) -> str:
    """The picture: the message when the alert fires, and the same message after it is over."""
    sheet = Sheet()
    message(sheet, golden["first"]["message"], "17:07")
    rule(sheet, "half an hour later, the same message")
    message(sheet, golden["resolved"]["message"], "17:07 (edited)")
    thread(sheet, golden["resolved"]["reply"]["text"])
    height = sheet.y + 24
    frame = (
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:g}" rx="10" fill="#ffffff" stroke="{EDGE}"/>'
    )
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" font-family="{SANS}">'
    named = "<title>The alert in Slack, when it fires and when it is over</title>"
    return "\n".join([opening, named, frame, *sheet.drawn, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(json.loads(GOLDEN.read_text(encoding="utf-8"))), encoding="utf-8")
