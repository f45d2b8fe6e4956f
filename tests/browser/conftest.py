"""The local Routee, the daemon and the browser as fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_stage import CHROMIUM, RATE, Daemon, LocalRoutee, browsing
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture
def routee() -> Iterator[LocalRoutee]:
    found = LocalRoutee()
    yield found
    found.close()


@pytest.fixture
def daemon(tmp_path: Path, routee: LocalRoutee) -> Iterator[Daemon]:
    found = Daemon(tmp_path, routee, [RATE], route={"receiver": "ops", "group_wait": "0s"})
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("LEFT OUT: this test needs a browser: apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, daemon: Daemon) -> Iterator[Page]:
    """Closed before the daemon is, which would otherwise be an error on its console."""
    with browsing(browser) as found:
        yield found
