"""`rules review`: each rule by what the store says it did, and by its past judged again."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cli_folder import Folder, poll_once
from terminal import on_terminal, piped

from monitor.cli.alert_history import MOST_READ
from monitor.model.alert import Transition, TransitionSubject, fingerprint
from monitor.model.routee_query import LOOK_BACK
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE, iso, parse_iso
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite
from tests.fakes.stored_week import CONFIG, START, stored, week

RULES = """\
rules:
  - {name: Operators, kind: rate, by: [operator], window: 30m, above: 2%, min_messages: 10}
  - {name: Typo, kind: rate, where: {operator: Cosmot}, window: 30m, above: 20%}
  - {name: Fine, kind: rate, window: 1h, above: 25%, min_messages: 20}
  - {name: Ignored, kind: count, by: [country], window: 1h, above: 1000000}
  - {name: Low, kind: balance, below: 50}
  - {name: Off, kind: count, window: 1h, above: 1, enabled: false}
"""
WORDS = ("rules", "review", "--since", "2026-11-09T00:00Z", "--every", "20m")


def episode(rule: str, number: int, at: int, *acts: str) -> list[Transition]:
    """An alert that fired ``at`` so many hours after the start, for half an hour."""
    begun, group = START + at * HOUR, (("country", f"C{number}"),)
    mark = fingerprint("main", rule, group)

    def moved(what: str, after: int) -> Transition:
        about = TransitionSubject("main", group, 1, by="Ann" if what == "acknowledged" else "")
        return Transition(mark, rule, begun + after, what, None, 0.5, about)  # type: ignore[arg-type]  # the words are literals

    middle = [moved(act, 10 * MINUTE) for act in acts]
    return [moved("fired", 0), *middle, moved("resolved", 30 * MINUTE)]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Three and a half days of traffic, and what became of the alerts meanwhile. For reading only."""
    folder = Folder(tmp_path_factory.mktemp("reviewed"))
    account = week(3.5, rate=5)
    moves = [move for number in range(4) for move in episode("Ignored", number, 10 + number)]
    moves += episode("Fine", 9, 34, "acknowledged") + episode("Fine", 8, 60)
    stored(account.evaluator.window, account.now, folder.path / "monitor.db", moves)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        span = START + 60 * HOUR, START + 61 * HOUR
        store.commit(Commit(silences=[Silence("s", (Matcher("country", "=", "C8"),), *span, "Bob", "known", span[0])]))
    folder.config.write_text(CONFIG)
    (folder.path / "rules").mkdir()
    (folder.path / "rules" / "rules.yaml").write_text(RULES)
    return folder


def test_each_rule_is_told_by_what_it_did(reviewed: Folder) -> None:
    outcome = reviewed.invoke("rules", *WORDS[1:], "--json")
    assert outcome.exit_code == 0, outcome.output
    rules = {one["rule"]: one for one in json.loads(outcome.stdout)["rules"]}
    assert [(name, one["verdict"]) for name, one in rules.items()] == [
        ("Operators", "noisy"),
        ("Typo", "never could fire"),
        ("Ignored", "never acknowledged"),
        ("Low", "not judged"),
        ("Fine", "good"),
    ]
    fine, operators = rules["Fine"], rules["Operators"]
    raised = fine["raised"]
    assert (raised["alerts"], raised["acknowledged"], raised["silenced"], raised["ignored"]) == (2, 1, 1, 0)
    assert (raised["median_seconds"], raised["firing_seconds"]) == (1800, 3600)
    assert fine["judged"]["alerts"] == 1
    assert fine["nearest"]["reached"] > 0.25
    assert rules["Ignored"]["raised"]["ignored"] == 4
    assert operators["judged"]["a_week"] > 7
    assert operators["judged"]["alerts"] > operators["raised"]["alerts"] == 0
    assert {"operator": "Cosmote"} not in operators["too_small"]
    assert rules["Low"]["judged"] is None
    assert rules["Ignored"]["overlaps"][0] == {"rule": "Operators", "together": 4, "alerts": 4}


@pytest.mark.parametrize("piping", [False, True])
def test_for_people_the_worst_comes_first(reviewed: Folder, piping: bool) -> None:
    words = [*WORDS, "--config", "monitor.yaml"]
    shown = piped(words, reviewed.path) if piping else on_terminal(words, reviewed.path, 80)
    assert shown.code == 0, shown.text
    if not piping:
        assert shown.widest <= 80
    assert not shown.strays
    heads = [line for line in shown.text.splitlines() if line and not line.startswith(" ")]
    assert heads[-6:] == [
        "Operators (above 2%): noisy",
        "Typo (above 20%): never could fire",
        "Ignored (above 1,000,000): never acknowledged",
        "Low (below 50): not evaluated",
        "Fine (above 25%): good",
        "Off is switched off.",
    ]
    assert "alerts: 2 alerts in " in shown.text
    assert "; 1 acknowledged, 1 silenced, 0 ignored" in " ".join(shown.text.split())


def test_a_span_leaves_out_what_was_before_it(reviewed: Folder) -> None:
    late = ("--since", "2026-11-11T06:00Z", "--every", "1h")
    rules = {
        one["rule"]: one for one in json.loads(reviewed.invoke("rules", "review", *late, "--json").stdout)["rules"]
    }
    assert rules["Ignored"]["raised"]["alerts"] == 0
    assert rules["Fine"]["raised"]["alerts"] == 1


def test_rates_are_of_the_time_that_was_read(reviewed: Folder, tmp_path: Path) -> None:
    shutil.copytree(reviewed.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    moves = [move for number in range(MOST_READ // 2) for move in episode("Ignored", number, 70)]
    moves[0] = msgspec.structs.replace(moves[0], at=START + 69 * HOUR)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        store.commit(Commit(transitions=moves))
    words = ("--since", "2026-11-09T00:00Z", "--every", "6h", "--json")
    outcome = folder.invoke("rules", "review", *words)
    raised = {one["rule"]: one["raised"] for one in json.loads(outcome.stdout)["rules"]}
    assert raised["Ignored"]["since"] == iso(START + 69 * HOUR)
    assert raised["Fine"]["alerts"] == 0


def test_one_rule_can_be_reviewed_alone(reviewed: Folder) -> None:
    outcome = reviewed.invoke(*WORDS, "--rule", "Fine", "--rule", "Off")
    assert outcome.exit_code == 0, outcome.output
    heads = [line for line in outcome.stdout.splitlines() if line and not line.startswith(" ")]
    assert sorted(head.split()[0] for head in heads) == ["Fine", "Off"]
    assert "switched off" not in outcome.stdout
    missing = reviewed.invoke(*WORDS, "--rule", "Fin")
    assert missing.exit_code == 1
    assert "there is no rule 'Fin'; did you mean 'Fine'?" in missing.stderr


def test_of_the_time_before_the_daemon_first_started_no_alerts_are_told(folder: Folder) -> None:
    poll_once(folder)
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        (cursor,) = store.load().cursors
        first = cursor.as_of - 12 * MINUTE
        read = msgspec.structs.replace(cursor, covered_since=first - LOOK_BACK)
        store.commit(Commit(cursors=[read]))
    folder.rules.write_text("rules: [{name: Calm, kind: count, window: 1h, above: 100000}]\n")
    (rule,) = json.loads(folder.invoke("rules", "review", "--json").stdout)["rules"]
    assert rule["raised"]["alerts"] == 0
    assert 0 <= parse_iso(rule["raised"]["since"]) - first < MINUTE, "it read a week of messages when it started"


def test_without_rules_or_polls_there_is_nothing_to_review(reviewed: Folder, tmp_path: Path) -> None:
    shutil.copytree(reviewed.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    (folder.path / "rules" / "rules.yaml").write_text("rules: []\n")
    nothing = folder.invoke(*WORDS)
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "there are no rules to review" in nothing.stderr
    (folder.path / "rules" / "rules.yaml").write_text(RULES)
    for file in folder.path.glob("monitor.db*"):
        file.unlink()
    assert folder.invoke(*WORDS).exit_code == 69
