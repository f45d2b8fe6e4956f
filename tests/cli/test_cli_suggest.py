"""`backtest --suggest`: what is proposed, as text, JSON and drawings; and its patch, which keeps what it promises."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_folder import Folder
from terminal import on_terminal, piped

from tests.fakes.stored_week import CONFIG, stored, week

FIRST = """\
# Made by hand; every comment stays.
rules:
  - name: Failures   # by operator
    kind: rate
    by: [operator]
    window: 30m
    above: 2%        # chosen on a whim
    min_messages: 10
    for: 20m
  - {name: Escalating, kind: rate, window: 1h, levels: [{above: "1%", severity: info}, {above: '3%', severity: critical}], min_messages: 10}
  - {name: Many, kind: count, window: 1h, above: 100000}
  - name: Cheap
    kind: cost
    window: 1h
    above: ${MOST_SPENT}
"""
SECOND = (
    "rules:\r\n"
    "  - {name: Slow, kind: latency, window: 1h, percentile: 90, above: 20s, min_messages: 10} # é\r\n"
    "  - {name: New, kind: new_value, field: country, window: 1h}\r\n"
    "  - {name: Low, kind: balance, below: 50}\r\n"
    "  - {name: Promise, kind: slo, objective: 98%}\r\n"
    "  - {name: Rare, kind: rate, window: 5m, above: 5%, min_messages: 100000}\r\n"
    "  - name: Sold\r\n"
    "    kind: count\r\n"
    "    window: 1h\r\n"
    "    above: 10"
)
ENV = {"MOST_SPENT": "1"}
WORDS = ("backtest", "--suggest", "--every", "30m")


@pytest.fixture(scope="module")
def weekly(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Four days of traffic, and rules of which some alert far too often. For reading only."""
    folder = Folder(tmp_path_factory.mktemp("weekly"))
    account = week(4, rate=6)
    stored(account.evaluator.window, account.now, folder.path / "monitor.db")
    folder.config.write_text(CONFIG)
    (folder.path / "rules").mkdir()
    (folder.path / "rules" / "first.yaml").write_text(FIRST)
    (folder.path / "rules" / "second.yaml").write_bytes(SECOND.encode())
    return folder


@pytest.fixture
def copied(weekly: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The same, to be changed; it is the present folder."""
    shutil.copytree(weekly.path, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("MOST_SPENT", "1")
    return Folder(tmp_path / "copy")


def suggested(folder: Folder, *words: str) -> dict[str, Any]:
    outcome = folder.invoke(*WORDS, *words, "--json")
    assert outcome.exit_code == 0, outcome.output
    return {one["rule"]: one for one in json.loads(outcome.stdout)["suggestions"]}


@pytest.fixture(scope="module")
def promised(weekly: Folder, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], bytes]:
    """What is proposed for all rules, and the patch."""
    folder = Folder(tmp_path_factory.mktemp("promised") / "copy")
    shutil.copytree(weekly.path, folder.path)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder.path)
        patched.setenv("MOST_SPENT", ENV["MOST_SPENT"])
        return suggested(folder, "--patch", "tuned.patch"), (folder.path / "tuned.patch").read_bytes()


@pytest.mark.parametrize("tool", [("patch", "-p1", "-i"), ("git", "apply")])
def test_the_patch_changes_only_numbers(
    copied: Folder, promised: tuple[dict[str, Any], bytes], tool: tuple[str, ...]
) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"there is no {tool[0]} here")
    before = {file.name: file.read_bytes() for file in (copied.path / "rules").iterdir()}
    _apply(promised[1], copied, *tool)
    _only_numbers_changed(before, copied)


def _apply(patch: bytes, folder: Folder, *tool: str) -> None:
    (folder.path / "tuned.patch").write_bytes(patch)
    subprocess.run([*tool, "tuned.patch"], cwd=folder.path, check=True, stdout=subprocess.DEVNULL)


def test_the_patched_rules_are_good_and_alert_as_promised(
    copied: Folder, promised: tuple[dict[str, Any], bytes]
) -> None:
    found, patch = promised
    _apply(patch, copied, "git", "apply")
    assert copied.invoke("check").exit_code == 0
    judged = json.loads(copied.invoke("backtest", "--every", "30m", "--json").stdout)
    totals = {rule["rule"]: rule["total"] for rule in judged["rules"]}
    changed = {name for name, one in found.items() if one["proposed"] and name != "Cheap"}
    assert changed >= {"Failures", "Escalating", "Many", "Slow", "Sold"}
    for name in changed:
        assert totals[name] == found[name]["proposed"]["alerts"] <= 0.6, name
    for name in totals.keys() - changed:
        assert totals[name] == found[name]["now"]["alerts"], name


def _only_numbers_changed(before: dict[str, bytes], folder: Folder) -> None:
    for name, old in before.items():
        new = (folder.path / "rules" / name).read_bytes()
        lines = list(zip(old.split(b"\n"), new.split(b"\n"), strict=True))
        assert sum(a != b for a, b in lines) == {"first.yaml": 3, "second.yaml": 2}[name]
        for a, b in lines:
            assert a.partition(b"#")[2] == b.partition(b"#")[2]
            assert a.endswith(b"\r") == b.endswith(b"\r")
    after = (folder.path / "rules" / "first.yaml").read_text()
    assert "{MOST_SPENT}" in after
    assert '{above: "' in after, "quotes stay"
    assert "{above: '" in after


def test_what_comes_from_a_variable_is_named_and_not_patched(copied: Folder) -> None:
    outcome = copied.invoke(*WORDS, "--rule", "Cheap", "--patch", "-")
    assert outcome.exit_code == 0
    assert outcome.stdout == ""
    assert "first.yaml:15: Cheap.above comes from a variable: set it to " in outcome.stderr
    assert "the patch is empty: no file changes" in outcome.stderr


def test_standard_output_gets_the_patch_alone(copied: Folder) -> None:
    outcome = copied.invoke(*WORDS, "--rule", "Slow", "--patch", "-")
    assert outcome.stdout.startswith("--- a/rules/second.yaml\n+++ b/rules/second.yaml\n@@ -1,5 +1,5 @@\n rules:")
    assert outcome.stdout.count("\n+") == 2
    assert "proposed  above" in outcome.stderr


def test_from_another_folder_the_patch_says_where_to_apply_it(
    weekly: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOST_SPENT", "1")
    outcome = weekly.invoke(*WORDS, "--rule", "Slow", "--patch", "tuned.patch")
    assert outcome.stderr.splitlines()[-1] == f"apply it in {weekly.path / 'rules'} with: patch -p1 < tuned.patch"
    assert (tmp_path / "tuned.patch").read_text().startswith("--- a/second.yaml\n")


def test_json_says_what_is_kept_and_why_nothing_is_proposed(copied: Folder) -> None:
    found = suggested(copied, "--alerts-a-week", "2")
    why = {name: one["why"] for name, one in found.items() if one["proposed"] is None}
    assert why["New"] == "it has no threshold: a value is new or it is not"
    assert why["Promise"] == "it has no threshold: the objective is what you promise"
    assert why["Low"] == "not judged, because past balances are not known"
    assert why["Rare"] == "not enough data: there were values for 0s"
    failures = found["Failures"]
    assert failures["now"]["alerts"] > 20
    assert failures["now"]["thresholds"] == ["2%"]
    assert len(failures["kept"]) + len(failures["lost"]) == failures["now"]["alerts"]
    assert any(one["looks_real"] for one in failures["kept"])
    (change,) = failures["changes"]
    assert change["line"] == 7
    assert change["from"] == "2%"
    assert not change["variable"]


@pytest.mark.parametrize("piping", [False, True])
def test_for_people_each_proposal_has_a_picture(weekly: Folder, piping: bool) -> None:
    words = [*WORDS, "--config", "monitor.yaml", "--rule", "Failures", "--rule", "Rare"]
    shown = piped(words, weekly.path, env=ENV) if piping else on_terminal(words, weekly.path, 80, env=ENV)
    assert shown.code == 0, shown.text
    if not piping:
        assert shown.widest <= 80
    assert not shown.strays
    lines = shown.text.splitlines()
    at = lines.index("Failures")
    assert lines[at + 1].startswith("  now       above 2%")
    assert lines[at + 2].startswith("  proposed  above ")
    assert lines[at + 3].startswith("  keeps ")
    loses = next(line for line in lines if line.startswith("  to keep more of them: --alerts-a-week "))
    assert loses.split()[-4:-2] == ["--alerts-a-week", "6"], "three in these four days look real"
    days = [line for line in lines[at:] if line.startswith("  Tue 10 Nov  ")]
    assert set("·▄█") <= set(days[0])
    assert "Rare: no suggestion: not enough data: there were values for 0s" in lines


def test_who_does_as_advised_is_not_advised_so_again(weekly: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOST_SPENT", ENV["MOST_SPENT"])
    outcome = weekly.invoke(*WORDS, "--alerts-a-week", "6", "--rule", "Failures")
    assert "1 of 3 that look real" in outcome.stdout
    assert "to keep more of them" not in outcome.stdout


def test_a_proposal_that_loses_all_that_looks_real_says_so(weekly: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOST_SPENT", ENV["MOST_SPENT"])
    outcome = weekly.invoke(*WORDS, "--alerts-a-week", "0.1", "--rule", "Failures")
    assert outcome.exit_code == 0, outcome.output
    assert "  Careful: it loses every alert that looks real\n" in outcome.stdout


def test_a_rule_that_is_switched_off_is_judged_with_its_proposal(copied: Folder) -> None:
    file = copied.path / "rules" / "second.yaml"
    file.write_bytes(SECOND.encode().replace(b"{name: Slow,", b"{name: Slow, enabled: false,"))
    (copied.path / "rules" / "first.yaml").write_text("rules: []\n")  # for fewer rules to judge
    assert "Slow" not in suggested(copied)
    found = suggested(copied, "--rule", "Slow", "--alerts-a-week", "2")["Slow"]
    assert found["proposed"]["alerts"] == len(found["kept"]) == 1


def test_charts_have_both_thresholds(copied: Folder) -> None:
    assert copied.invoke(*WORDS, "--rule", "Slow", "--html", "week.html", "--svg", "week.svg").exit_code == 0
    drawn = (copied.path / "week.svg").read_text()
    assert drawn.count(' dashed"') == 2
    assert "with above=" in drawn
    assert "with above=" in (copied.path / "week.html").read_text()


def test_a_short_history_suggests_nothing(copied: Folder) -> None:
    found = suggested(copied, "--since", "2d")
    assert found["Slow"]["why"] == "the history is too short: 2d, at least 3d are needed"
    assert all(one["proposed"] is None for one in found.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backtest", "--patch", "a"), "--alerts-a-week and --patch work only with --suggest"),
        (("backtest", "--alerts-a-week", "2"), "--alerts-a-week and --patch work only with --suggest"),
        (
            ("backtest", "--suggest", "--set", "Slow.above=30s"),
            "--suggest looks for thresholds itself: leave out --set",
        ),
        (
            ("backtest", "--suggest", "--json", "--patch", "-"),
            "--json and --patch - cannot both write to standard output",
        ),
        (("backtest", "--suggest", "--alerts-a-week", "nan"), "--alerts-a-week is a number like 1 or 0.5"),
        (("backtest", "--suggest", "--alerts-a-week", "-1"), "-1.0 is not in the range x>=0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(copied: Folder, words: tuple[str, ...], said: str) -> None:
    outcome = copied.invoke(*words)
    assert outcome.exit_code == 2
    assert said in outcome.stderr


def test_a_file_that_changed_meanwhile_is_not_patched(copied: Folder) -> None:
    from monitor.config.rules import load_rules
    from monitor.runtime.errors import MonitorError
    from monitor.simulation.suggest.patch import Edit, patch

    file = copied.path / "rules" / "first.yaml"
    rule = load_rules([file], os.environ)[0]
    file.write_text(FIRST.replace("kind: rate", "kind:   rate\n    description: new", 1))
    with pytest.raises(MonitorError, match="has changed since its rules were read: try again"):
        patch([Edit(rule, ("above",), "3%")], copied.path)
