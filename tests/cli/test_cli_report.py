"""`report`: of a stored week of the local Routee's traffic, as text, HTML and JSON."""

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from cli_folder import Folder

from monitor.model.alert import Transition, TransitionSubject, fingerprint
from monitor.runtime.clock import DAY, HOUR, MINUTE
from monitor.runtime.terminal_width import cells
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from tests.fakes.stored_week import CONFIG, START, stored, week

RULES = """\
rules:
  - {name: Operators, kind: rate, by: [operator, country], window: 30m, above: 20%, min_messages: 10}
  - {name: Quiet, kind: count, window: 1h, above: 1000000}
  - {name: Later, kind: count, window: 1h, above: 1000000}
  - {name: Late, kind: count, window: 1h, above: 1000000}
  - {name: Last, kind: count, window: 1h, above: 1000000}
"""
SPAN = ("--since", "2026-11-10T00:00Z", "--until", "2026-11-11T00:00Z")
HOSTILE = "<script>alert(1)</script>\x1b[31m & \u202eco"


def episode(operator: str, at: int, until: int) -> list[Transition]:
    group = (("operator", operator), ("country", "GR"))
    about, mark = TransitionSubject("main", group, 1), fingerprint("main", "Operators", group)
    moves = (("pending", at), ("fired", at + MINUTE), ("resolved", until))
    return [Transition(mark, "Operators", START + when, what, None, 0.5, about) for what, when in moves]  # type: ignore[arg-type]  # the words are literals


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Two and a half days of traffic, with the outage of an operator on the second day. For reading only."""
    folder = Folder(tmp_path_factory.mktemp("reported"))
    account = week(2.5, rate=10)
    begun = DAY + 10 * HOUR + 5 * MINUTE
    moves = episode("Cosmote", begun, begun + HOUR) + episode(HOSTILE, begun + 2 * HOUR, begun + 3 * HOUR)
    stored(account.evaluator.window, account.now, folder.path / "monitor.db", moves)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        young = {name: START + DAY + hours * HOUR for name, hours in (("Later", 9), ("Late", 9), ("Last", 11))}
        first = {"Operators": START, "Quiet": START, **young}
        store.commit(Commit(first_evaluations={("main", rule): at for rule, at in first.items()}))
    folder.config.write_text(CONFIG)
    (folder.path / "rules").mkdir()
    (folder.path / "rules" / "rules.yaml").write_text(RULES)
    return folder


def test_text_fits_a_terminal_and_says_what_matters_first(reported: Folder) -> None:
    done = reported.invoke("report", *SPAN)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "SMS delivery, 2026-11-10 00:00 to 2026-11-11 00:00 (UTC)"
    assert max(map(cells, lines)) <= 80
    assert re.fullmatch(r"  \d+(\.\d)?% delivered +[\d,]+ of [\d,]+ with a final status, .*", lines[2])
    heads = [line.split()[0] for line in lines if re.match(r"[A-Z]{4,} ", line)]
    assert heads == ["INCIDENT", "COUNTRY", "OPERATOR", "CAMPAIGN", "RULE", "RULES", "RULES"]
    said = "Delivered: the share of the messages with a final status. Messages: all, also those without one."
    assert " ".join(done.output.split()).count(said) == 1, "once, below the first table that has these columns"
    assert done.output.index("\nDelivered: ") < done.output.index("\nOPERATOR")
    assert re.search(r"Operators Cosmote, GR +11-10 10:06 +59m +\d+ +\d+\.\d\d", done.output)
    assert lines[-5:] == [
        "RULES THAT NEVER FIRED (1)",
        "Quiet",
        "",
        "RULES THAT DID NOT FIRE, EVALUATED FOR A PART OF THE TIME (3)",
        "since 11-10 09:00: Later, Late; since 11-10 11:00: Last",
    ]
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output


def test_json_is_what_the_document_describes(reported: Folder) -> None:
    found = json.loads(reported.invoke("report", *SPAN, "--json").output)
    assert found == json.loads(reported.invoke("report", *SPAN, "--format", "json").output) | {
        "made_at": found["made_at"]
    }
    page = (Path(__file__).parents[2] / "docs" / "report.md").read_text()
    described = set(re.findall(r'[`"](\w+)[`"]', page.partition("## As JSON")[2]))
    assert found.keys() <= described
    assert found["total"].keys() <= described
    for name in ("accounts", "countries", "operators", "campaigns", "incidents", "rules"):
        assert found[name][0].keys() <= described, name
    assert found["incidents"][0]["loss"].keys() <= described
    assert found["incidents"][0]["title"] == "Operators Cosmote, GR"
    assert found["lost"] == sum(one["loss"]["lost"] or 0 for one in found["incidents"])
    assert found["total"]["before"]["final"] > 1000
    assert found["never_fired"] == ["Quiet"]
    assert found["younger"][0] == {"rule": "Later", "since": "2026-11-10T09:00:00Z", "blind_seconds": 0}
    assert [one["rule"] for one in found["younger"]] == ["Later", "Late", "Last"]


def test_html_is_one_file_that_needs_nothing_and_shows_data_as_text(reported: Folder, tmp_path: Path) -> None:
    file = tmp_path / "week.html"
    done = reported.invoke("report", *SPAN, "--format", "html", "--output", str(file))
    assert done.exit_code == 0, done.output
    page = file.read_text()
    assert page.startswith("<!doctype html>")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("Delivered: the share of the messages with a final status.") == 1
    for width in ("wide", "narrow"):  # one of them is shown
        assert page.count(f'<div class="{width}"><svg class="chart" role="img"') == 2
    assert page.count("<title>") == page.count("</title>") >= 3
    assert len(page) < 100_000


def test_of_a_span_that_is_not_wholly_known_it_says_so(reported: Folder) -> None:
    output = reported.invoke("report", "--since", "2026-11-01T00:00Z", "--until", "2026-11-11T00:00Z").output
    assert "! Of account main messages are known from 2026-11-09 00:00 UTC on only." in output
    stale = " ".join(reported.invoke("report", "--since", "2026-11-10T00:00Z").output.split())
    assert "Account main was last polled completely at 2026-11-11 12:00 UTC" in stale


def test_given_up_notifications_are_named_with_their_reason(reported: Folder, tmp_path: Path) -> None:
    from monitor.notify.render.context import sample_notification, sample_view
    from monitor.store.protocol import Pending

    folder = Folder(Path(shutil.copytree(reported.path, tmp_path / "copy")))
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        view = sample_view("Operators", "rate", as_of=START + DAY + HOUR)
        store.commit(Commit(outbox=[Pending("slack/0", sample_notification([view]))]))
        [row] = store.heads("ops", "slack/0", 1)
        store.rejected(row.id, "channel_not_found", START + DAY + HOUR)
    output = folder.invoke("report", *SPAN).output
    assert "1 notification given up" in output
    assert "ops slack/0: channel_not_found" in output


def test_wrong_uses_are_errors(reported: Folder, tmp_path: Path) -> None:
    wrong = reported.invoke("report", "--since", "2026-11-11T00:00Z", "--until", "2026-11-10T00:00Z")
    assert (wrong.exit_code, "is not before --until" in wrong.output) == (2, True)
    assert reported.invoke("report", "--output", str(tmp_path / "no" / "file")).exit_code == 1
    empty = Folder(tmp_path)
    empty.config.write_text(CONFIG.replace("rules: [rules]\n", ""))
    assert empty.invoke("report").exit_code == 69
