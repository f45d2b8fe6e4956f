"""The report as a file in a browser: nothing is cut off or has to be scrolled sideways, whatever the screen."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser

from monitor.cli import cli
from tests.fakes.log_as_it_was import log_as_it_was
from tests.fakes.stored_week import CONFIG, stored, week

BEYOND = """() => [document.documentElement, ...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => one.getAttribute('aria-label') ?? 'the page')"""
SMALL = """() => [...document.querySelectorAll('svg.chart text')].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && box.height < 9;
}).map((one) => one.textContent)"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    account = week(2, rate=10)
    stored(account.evaluator.window, account.now, folder / "monitor.db")
    (folder / "monitor.yaml").write_text(CONFIG)
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.yaml").write_text("rules: [{name: Many, kind: count, window: 1h, above: 1000000}]")
    file = folder / "report.html"
    words = ("--since", "2026-11-10T00:00Z", "--until", "2026-11-11T00:00Z", "--format", "html", "--output", str(file))
    with log_as_it_was():
        done = CliRunner().invoke(cli, ["report", *words, "--config", str(folder / "monitor.yaml")])
    assert done.exit_code == 0, done.output
    return file


@pytest.mark.parametrize("width", [320, 360, 640, 1280])
def test_nothing_of_the_report_is_cut_off_and_each_chart_is_shown_once(
    browser: Browser, report: Path, width: int
) -> None:
    with closing(browser.new_page(viewport={"width": width, "height": 800})) as page:
        page.goto(report.as_uri())
        assert page.evaluate(BEYOND) == []
        assert page.evaluate(SMALL) == []
        assert page.locator("svg.chart").locator("visible=true").count() == 2
        assert page.locator("tbody td").first.inner_text()
