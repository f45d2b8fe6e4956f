"""`campaign`: one campaign against the rules that watch campaigns."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from cli_folder import CREDENTIALS, Folder, folder_at
from terminal import on_terminal

from monitor.runtime.clock import MINUTE, SECOND, SystemClock
from monitor.simulation.sandbox import Sandbox, serve
from tests.fakes.routee import sms

WATCH = """\
rules:
  - {name: Watch, kind: campaign, failure_above: 20%, stalled_for: 30m, short_below: 95%, ended: report}
  - {name: Rate, kind: rate, by: [campaignTrackingId], window: 1h, above: 15%}
  - {name: Other, kind: rate, window: 1h, above: 15%}
"""


def _filled() -> Sandbox:
    sandbox = Sandbox(SystemClock(), credentials=CREDENTIALS)
    now = sandbox.now()
    for number in range(100):
        status, detail = ("Undelivered", "Unknown Number") if number % 4 == 0 else ("Delivered", "Delivered")
        named = {"campaignTrackingId": "sale-1", "campaignName": "Sale", "price": 0.05}
        sandbox.put(sms(status, now - 5 * MINUTE + number * SECOND, detail, **named))
    sandbox.put_campaign("sale-1", {"state": "Running", "smsAnalysis": {"numberOfRecipients": 400}})
    sandbox.put_campaign("odd-1", {"state": "Running", "smsAnalysis": {"numberOfRecipients": "1_000"}})
    for price in (0.05, 0.06, None):
        sandbox.put(sms("Delivered", now - MINUTE, "Delivered", campaignTrackingId="late-1", price=price))
    for reason in (f"Reason {number} Of Many" for number in range(8)):
        sandbox.put(sms("Failed", now - MINUTE, reason, campaignTrackingId="mixed-1"))
    sandbox.put_campaign("empty-1", {"state": "Scheduled", "campaignName": "Soon"})
    return sandbox


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    started, urls = threading.Event(), []
    stops: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            urls.append(await nursery.start(serve, _filled()))
            stops.append((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            started.set()

    thread = threading.Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    assert started.wait(20)
    yield urls[0]
    token, scope = stops[0]
    token.run_sync_soon(scope.cancel)
    thread.join(20)


@pytest.fixture
def sale(tmp_path: Path, url: str) -> Folder:
    folder = folder_at(tmp_path, url)
    folder.rules.write_text(WATCH)
    return folder


def test_a_number_that_cannot_be_read_is_shown(sale: Folder) -> None:
    shown = json.loads(sale.invoke("campaign", "odd-1", "--json").stdout)
    assert (shown["recipients"], shown["unreadable"]) == (None, {"numberOfRecipients": '"1_000"'})
    assert 'Unreadable numberOfRecipients "1_000": counts as missing' in sale.invoke("campaign", "odd-1").stdout


def test_prices_that_come_later_make_the_cost_a_least_one(sale: Folder) -> None:
    shown = json.loads(sale.invoke("campaign", "late-1", "--json").stdout)
    assert (shown["messages"], shown["cost"], shown["unpriced"]) == (3, 0.11, 1)
    assert (
        "3 recipients, at least 0.11 EUR spent, 1 message without a price yet\n"
        in sale.invoke("campaign", "late-1").stdout
    )
    assert ", 5.00 EUR spent\n" in sale.invoke("campaign", "sale-1").stdout


def test_long_rows_are_indented_so_that_no_rest_reads_as_a_row_of_its_own(sale: Folder) -> None:
    shown = on_terminal(["campaign", "mixed-1", "--config", str(sale.config)], sale.path, 60)
    assert shown.code == 0, shown.text
    rows = [row.rstrip() for row in shown.text.split("of account main")[1].splitlines() if row.strip()]
    heads = {
        row.split()[0]
        for row in rows[: rows.index(next(row for row in rows if row.startswith("RULE")))]
        if row[0] != " "
    }
    assert heads == {"State", "Messages", "Delivered", "Statuses", "Reasons", "Reports", "Failures"}
    assert sum(row.startswith(" " * 11) for row in rows) >= 3


def test_it_shows_numbers_and_what_the_rules_find(sale: Folder) -> None:
    shown = json.loads(sale.invoke("campaign", "sale-1", "--json").stdout)
    assert (shown["name"], shown["state"], shown["recipients"], shown["messages"]) == ("Sale", "Running", 400, 100)
    assert (shown["delivered"], shown["failed"], shown["cost"]) == (0.75, 0.25, 5.0)
    assert shown["statuses"] == {"Delivered": 75, "Undelivered": 25}
    assert shown["reasons"] == {"Unknown Number": 25}
    assert len(shown["timeline"]) == 24
    assert sum(span["messages"] for span in shown["timeline"]) == 100
    found = {(one["rule"], one["labels"].get("problem")): one for one in shown["rules"]}
    assert set(found) == {("Watch", "failing"), ("Watch", "stalled"), ("Watch", "short"), ("Rate", None)}
    assert found["Watch", "failing"]["state"] == "breached"
    assert found["Watch", "failing"]["why"] == "fails: 25 of 100 messages failed (25%), limit 20%"
    assert found["Rate", None]["value"] == 0.25


def test_for_people_it_is_a_page(sale: Folder) -> None:
    lines = sale.invoke("campaign", "sale-1").stdout.splitlines()
    assert lines[0] == "Sale (sale-1) of account main"
    assert lines[2] == "Messages   100 for 400 recipients, 5.00 EUR spent"
    assert lines[3] == "Delivered  75% of all messages, failed 25%"
    assert any(line.startswith("Reports    ") and "█" in line for line in lines)


def test_a_campaign_without_messages_and_one_that_nobody_knows(sale: Folder) -> None:
    outcome = sale.invoke("campaign", "empty-1")
    assert (outcome.exit_code, outcome.stdout.splitlines()[0]) == (0, "Soon (empty-1) of account main")
    outcome = sale.invoke("campaign", "nobody")
    assert (outcome.exit_code, outcome.stderr) == (1, "no campaign 'nobody' is known to main\n")
    outcome = sale.invoke("campaign", "sale-1", "--account", "mian")
    assert (outcome.exit_code, outcome.stderr) == (1, "there is no account 'mian'; did you mean 'main'?\n")
