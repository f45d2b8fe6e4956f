"""Measures the pages with 1,000 and with 10,000 groups: their bytes, how long the daemon takes for them, and when a browser first paints them.

The groups are operators of one rule, pushed by callbacks; one in twenty fails, so that its alert fires. The sizes count the page and all that
it loads; gzip is what a proxy in front would make of it. First paint is Chromium's first contentful paint, with an empty cache.
"""

import gzip
import http.client
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.daemon.daemon_process import SECRET, Daemon, configure, daemon
from benchmarks.figure import Figure, median_of
from benchmarks.routee_process import routee_with
from monitor.runtime.clock import SystemClock, iso

GROUPS, QUICK_GROUPS = (1_000, 10_000), (1_000,)
MESSAGES_A_GROUP = 5
FAILING_EACH = 20
"""One group of so many fails."""
ROUNDS = 5
PATIENCE = 60.0
RULE = {"name": "Failing", "kind": "rate", "by": ["operator"], "window": "1h", "above": "20%", "min_messages": 5}
PAGES = ("/", "/rules", "/rules/Failing", "/campaigns", "/searches", "/receivers", "/silences", "/notifications")
FILE = "/page.css"
PAINTED = ("/", "/rules/Failing")
_LOADED = re.compile(rb'(?:src|href)="(/page\.\w+)"')


def run(quick: bool) -> list[Figure]:
    """Returns the figures for each number of groups."""
    figures: list[Figure] = []
    with _browser() as browser:
        for groups in QUICK_GROUPS if quick else GROUPS:
            with tempfile.TemporaryDirectory() as name, routee_with(1) as url:
                folder = Path(name)
                (folder / "rules.yaml").write_text(json.dumps({"rules": [RULE]}))
                with daemon(configure(folder, url, rules=["rules.yaml"])) as running:
                    _push(running, groups)
                    figures += _measure(running, groups, browser)
    return figures


def _measure(running: Daemon, groups: int, browser: Browser | None) -> list[Figure]:
    figures = [
        median_of(
            "the daemon's answer with a file that is ready, which a page cannot undercut", _times(running, FILE), "ms"
        )
    ]
    for path in (*PAGES, _first_alert(running)):
        shown = "an alert" if path.startswith("/alerts/") else path
        of = f"{shown} with {groups:,} groups"
        whole, packed = _bytes(running, path)
        figures.append(Figure(f"{of}: the page and all that it loads", whole / 1e3, "KB", at_most=100))
        figures.append(Figure(f"{of}: the same, gzip", packed / 1e3, "KB"))
        figures.append(median_of(f"{of}: the daemon's answer", _times(running, path), "ms"))
        if browser is not None and path in PAINTED:
            figures.append(median_of(f"{of}: first paint", _first_paint(running, path, browser), "ms", at_most=1_000))
    return figures


def _bytes(running: Daemon, path: str) -> tuple[int, int]:
    """Returns the size of a page with its files, as it is and as gzip makes it."""
    pieces = [running.get(path)[1]]
    pieces += [running.get(name.decode())[1] for name in dict.fromkeys(_LOADED.findall(pieces[0]))]
    return sum(map(len, pieces)), sum(len(gzip.compress(one)) for one in pieces)


def _times(running: Daemon, path: str) -> list[float]:
    """Returns the milliseconds of several requests."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        status, _ = running.get(path)
        times.append(1e3 * (time.perf_counter() - began))
        assert status == 200, (path, status)
    return times


def _first_paint(running: Daemon, path: str, browser: Browser) -> list[float]:
    """Returns milliseconds from the navigation to the first contentful paint, several times, each in a browser without a past."""
    times = []
    for _ in range(ROUNDS):
        context = browser.new_context()
        page = context.new_page()
        page.goto(running.url + path)
        times.append(float(page.evaluate(_FIRST_PAINT)))
        context.close()
    return times


_FIRST_PAINT = """() => new Promise(resolve => new PerformanceObserver(list => {
    const found = list.getEntriesByName("first-contentful-paint");
    if (found.length) resolve(found[0].startTime);
}).observe({type: "paint", buffered: true}))"""


@contextmanager
def _browser() -> Iterator[Browser | None]:
    """Yields Debian's Chromium; None if it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        yield None
        return
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


def _push(running: Daemon, groups: int) -> None:
    """Pushes all messages, and waits until the rules have been evaluated on them."""
    for first in range(0, groups, 200):
        records = [_record(group, one) for group in range(first, first + 200) for one in range(MESSAGES_A_GROUP)]
        connection = http.client.HTTPConnection(*running.address, timeout=PATIENCE)
        connection.request("POST", f"/callbacks/routee/main?secret={SECRET}", json.dumps(records))
        assert connection.getresponse().status == 200
        connection.close()
    began = time.perf_counter()
    while _firing(running) < groups // FAILING_EACH:
        assert time.perf_counter() - began < PATIENCE, f"only {_firing(running)} alerts fire"
        time.sleep(0.2)


def _record(group: int, one: int) -> dict[str, object]:
    status = "Failed" if group % FAILING_EACH == 0 else "Delivered"
    date = iso(SystemClock().now())
    return {
        "messageId": f"{group * MESSAGES_A_GROUP + one:08x}-0000-4000-8000-000000000000",
        "operator": f"Operator {group:05}",
        "country": "GR",
        "direction": "Outbound",
        "status": {"name": status, "updatedDate": date},
    }


def _firing(running: Daemon) -> int:
    _, body = running.get("/api/v1/alerts?state=firing&limit=1")
    return int(json.loads(body)["total"])


def _first_alert(running: Daemon) -> str:
    _, body = running.get("/api/v1/alerts?state=firing&limit=1")
    return f"/alerts/{json.loads(body)['items'][0]['fingerprint']}"
