"""`backtest`: from the store and from Routee, with variants, as text, JSON and drawings."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_folder import Folder

WORDS = ("backtest", "--since", "14m", "--every", "30s")


@pytest.mark.parametrize("source", [(), ("--from-api",)])
def test_store_and_routee_tell_the_same_past(polled: Folder, source: tuple[str, ...]) -> None:
    outcome = polled.invoke(*WORDS, *source, "--json")
    assert outcome.exit_code == 0
    found = json.loads(outcome.stdout)
    assert found["since"] < found["until"]
    rules = {rule["rule"]: rule for rule in found["rules"]}
    assert list(rules) == ["OperatorFailureRate", "ManyMessages"], "the one that is switched off is left out"
    (alert,) = rules["OperatorFailureRate"]["alerts"]
    assert alert["labels"] == {"operator": "Cosmote", "country": "GR"}
    assert (alert["severity"], alert["resolved_at"]) == ("critical", None)
    assert found["since"] < alert["pending_at"] == alert["firing_at"] < found["until"]
    assert 0.2 < alert["peak"] <= 0.4
    assert rules["ManyMessages"]["alerts"] == [], "it is over 100 not long enough"


def test_a_variant_stands_beside_the_present_rule(polled: Folder) -> None:
    outcome = polled.invoke(*WORDS, "--rule", "OperatorFailureRate", "--set", "OperatorFailureRate.above=60%", "--json")
    present, variant = json.loads(outcome.stdout)["rules"]
    assert (present["rule"], present["variant"], present["total"]) == ("OperatorFailureRate", None, 1)
    assert (variant["rule"], variant["variant"], variant["total"]) == ("OperatorFailureRate", "above=60%", 0)


def test_a_rule_that_is_switched_off_can_be_tried_by_name(polled: Folder) -> None:
    (rule,) = json.loads(polled.invoke(*WORDS, "--rule", "SwitchedOff", "--json").stdout)["rules"]
    assert rule["total"] == 1


def test_a_rule_that_is_switched_off_can_be_tried_with_a_change(polled: Folder) -> None:
    change = ("--set", "SwitchedOff.above=2")
    present, variant = json.loads(polled.invoke(*WORDS, *change, "--rule", "SwitchedOff", "--json").stdout)["rules"]
    assert (present["total"], variant["total"]) == (1, 1)


def test_for_people_it_is_a_timeline(polled: Folder) -> None:
    outcome = polled.invoke(*WORDS)
    lines = outcome.stdout.splitlines()
    assert lines[0].startswith("162 reports, 14m, evaluated every 30s") or lines[0].startswith("163 reports")
    assert any(line.startswith("OperatorFailureRate (above 20%): 1 alert") for line in lines)
    assert any(line.startswith("  Cosmote, GR ") and "█" in line for line in lines)
    assert any(line.startswith("ManyMessages (above 100): no alerts") for line in lines)


def test_charts_are_written(polled: Folder, tmp_path: Path) -> None:
    html, svg = tmp_path / "try.html", tmp_path / "try.svg"
    assert polled.invoke(*WORDS, "--html", str(html), "--svg", str(svg)).exit_code == 0
    assert ElementTree.fromstring(svg.read_text()).tag.endswith("svg")
    assert "<h1>Backtest " in html.read_text()


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_worked_out(polled: Folder, tmp_path: Path) -> None:
    nowhere = polled.invoke(*WORDS, "--svg", str(tmp_path / "no" / "try.svg"))
    assert (nowhere.exit_code, nowhere.stdout) == (1, "")
    assert nowhere.stderr == f"{tmp_path / 'no' / 'try.svg'} cannot be written: there is no folder {tmp_path / 'no'}\n"


def test_a_step_that_is_longer_than_a_rules_for_is_warned_of(polled: Folder) -> None:
    polled_every = polled.invoke("backtest", "--since", "14m", "--every", "2h")
    assert "Alerts can be missed, because `for` is shorter than 2h: ManyMessages." in polled_every.stderr
    assert "Alerts can be missed" not in polled.invoke(*WORDS).stderr


def test_of_many_rules_whose_alerts_can_be_missed_a_few_are_named(polled: Folder, tmp_path: Path) -> None:
    folder = Folder(shutil.copytree(polled.path, tmp_path / "own"))
    rules = [f"  - {{name: R{number}, kind: count, window: 1h, above: 100, for: 1h}}\n" for number in range(5)]
    folder.rules.write_text("rules:\n" + "".join(rules))
    polled_every = folder.invoke("backtest", "--since", "14m", "--every", "2h")
    assert (
        "Alerts can be missed, because `for` is shorter than 2h: R0, R1, R2 and 2 other rules." in polled_every.stderr
    )


def test_what_reaches_back_further_than_what_is_known_begins_there(polled: Folder) -> None:
    outcome = polled.invoke("backtest", "--since", "7d", "--json")
    assert outcome.exit_code == 0
    assert "messages are known from 2" in outcome.stderr
    assert "evaluated every" not in outcome.stderr


def test_that_routee_gives_back_a_week_is_said_once(polled: Folder) -> None:
    outcome = polled.invoke("backtest", "--from-api", "--since", "9d", "--json")
    assert outcome.exit_code == 0
    (line,) = [line for line in outcome.stderr.splitlines() if "begins" in line]
    assert line.startswith("Routee gives back 7 days at most: the backtest begins at 2")


def test_without_a_terminal_there_is_no_bar(polled: Folder) -> None:
    assert polled.invoke(*WORDS, "--from-api").stderr == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--rule", "OperatrFailureRate"), 1, "did you mean 'OperatorFailureRate'?"),
        (("--set", "OperatorFailureRate.above=15"), 65, "a share is written in percent: 15%, not 15"),
        (("--set", "ManyMessages.search=outbond"), 65, "no search is named 'outbond'; did you mean 'outbound'?"),
        (("--since", "yesterday"), 2, "neither a span like 7d nor a time"),
        (("--since", "1h", "--until", "2001-01-01T00:00:00Z"), 69, "there is nothing to judge before"),
        (("--since", "2031-01-01T00:00:00Z"), 2, "is not before --until"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    polled: Folder, words: tuple[str, ...], code: int, said: str
) -> None:
    outcome = polled.invoke("backtest", *words)
    assert outcome.exit_code == code
    assert said in outcome.stderr


def test_without_a_store_or_without_routee_there_is_nothing_to_judge(folder: Folder) -> None:
    outcome = folder.invoke("backtest")
    assert (outcome.exit_code, outcome.stdout) == (69, "")
    folder.ask_nobody()
    outcome = folder.invoke("backtest", "--from-api", "--since", "10m")
    assert outcome.exit_code == 69
    assert len(outcome.stderr.splitlines()) == 1
