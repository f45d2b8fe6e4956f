"""Draws rooms.svg, the picture in docs/architecture.md: the folders of monitor/, and the way of a message and of an alert through them.

python docs/images/draw_rooms.py
"""

from pathlib import Path

PICTURE = Path(__file__).parent / "rooms.svg"

WIDTH, HEIGHT = 1000, 570
SANS = "-apple-system, 'Segoe UI', Lato, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
INK, FAINT, EDGE = "#1d1c1d", "#616061", "#b8bcc4"
PATH, BASE, RIM = "#dceafd", "#eef1f4", "#fdf1dc"

ROOMS = (
    # name, what it does (two lines), x, y, width, fill
    ("cli", "commands for people:", "check, alerts, explain, …", 30, 20, 300, RIM),
    ("simulation", "local Routee, demo,", "backtests, rule tests", 350, 20, 300, RIM),
    ("daemon", "tasks, pipeline,", "reload, listener", 670, 20, 300, RIM),
    ("ingest", "asks Routee,", "reads its answers", 30, 170, 172, PATH),
    ("window", "messages in", "columns", 222, 170, 172, PATH),
    ("alerts", "evaluates rules,", "keeps alerts' states", 414, 170, 172, PATH),
    ("dispatch", "groups, timing,", "notifications", 606, 170, 172, PATH),
    ("notify", "outbox, text,", "Slack, webhook, …", 798, 170, 172, PATH),
    ("store", "SQLite: messages, alerts, groups, outbox, in one transaction a poll", "", 30, 322, 940, BASE),
    ("config", "YAML, monitor.yaml, rules", "", 30, 404, 460, BASE),
    ("routing", "routes, matchers, silences, inhibition", "", 510, 404, 460, BASE),
    ("model", "message, finding, alert, notification", "", 30, 486, 460, BASE),
    ("runtime", "time, errors, tasks, logs, terminal", "", 510, 486, 460, BASE),
)


def room(name: str, first: str, second: str, x: int, y: int, width: int, fill: str) -> str:
    """One folder: its name, and what it does."""
    height = 100 if second else 64
    lines = "".join(
        f'<text x="{x + 14}" y="{y + 50 + 20 * number}" font-size="14" fill="{FAINT}">{line}</text>'
        for number, line in enumerate(filter(None, (first, second)))
    )
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="{EDGE}"/>'
        f'<text x="{x + 14}" y="{y + 28}" font-size="17" font-weight="700" fill="{INK}">{name}/</text>{lines}'
    )


def arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    """From the end of one room to the beginning of the next."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{INK}" stroke-width="2" marker-end="url(#head)"/>'


def picture() -> str:
    """The whole."""
    arrows = [arrow(right - 19, 220, right, 220) for right in (221, 413, 605, 797)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{SANS}" role="img" '
        'aria-label="The folders of monitor/: commands, simulation and daemon use the path from ingest over window, alerts and dispatch to '
        'notify, which stands on store, config, routing, model and runtime">'
        '<defs><marker id="head" markerWidth="6" markerHeight="6" refX="5" refY="3" orient="auto">'
        f'<path d="M0,0 L6,3 L0,6 z" fill="{INK}"/></marker></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
        f'<text x="30" y="154" font-size="14" fill="{FAINT}">the path of a message and of an alert</text>'
        f'<text x="30" y="306" font-size="14" fill="{FAINT}">what they stand on</text>'
        + "".join(room(*one) for one in ROOMS)
        + "".join(arrows)
        + "</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), "utf-8")
