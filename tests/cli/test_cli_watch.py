"""`explain --watch`: anew after each poll, and not more often; `explain` with the recent course of each group."""

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cli_folder import Folder
from terminal import on_terminal, piped

from monitor.cli.watch import each_poll
from monitor.daemon.validate import load
from monitor.model.alert import LevelClock
from monitor.runtime.clock import MINUTE, SECOND, iso
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Commit
from monitor.store.sqlite import open_sqlite


def test_it_is_shown_anew_after_each_poll_and_only_then(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder, pauses = Folder(tmp_path / "copy"), []

    def pause() -> None:
        pauses.append(1)
        if len(pauses) % 2 == 0:
            with closing(open_sqlite(folder.path / "monitor.db")) as store:
                (cursor,) = store.load().cursors
                store.commit(Commit(cursors=[msgspec.structs.replace(cursor, as_of=cursor.as_of + 30 * SECOND)]))

    looks = each_poll(load(folder.config, {}).settings.config, lambda _, kept: kept.cursors[0].as_of, pause)
    first, second, third = (next(looks) for _ in range(3))
    assert (second - first, third - second, len(pauses)) == (30 * SECOND, 30 * SECOND, 4)


def test_without_a_store_there_is_nothing_to_watch(folder: Folder) -> None:
    with pytest.raises(StoreError):
        next(each_poll(load(folder.config, {}).settings.config, lambda store, kept: 1, lambda: None))


def test_the_course_of_each_group_is_told(polled: Folder) -> None:
    groups = json.loads(polled.invoke("explain", "OperatorFailureRate", "--json").stdout)["groups"]
    history = groups[0]["history"]
    assert [one["value"] for one in history][-1] == groups[0]["value"]
    assert history[-1]["messages"] == 100
    assert [one["as_of"] for one in history] == sorted({one["as_of"] for one in history})
    lines = polled.invoke("explain", "OperatorFailureRate").stdout.splitlines()
    assert "TREND" in lines[1]
    assert "█" in lines[2]


def test_an_alert_that_fires_on_says_until_when(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    folder.replace(folder.rules, "above: 20%", "above: 60%\n    keep_firing_for: 15m")
    with closing(open_sqlite(folder.path / "monitor.db")) as store:
        [alert] = [one for one in store.load().alerts if one.state == "firing"]
        over = msgspec.structs.replace(alert, held=(LevelClock(None, alert.as_of, True),))
        store.commit(Commit(alerts=[over]))
    until = iso(alert.as_of + 15 * MINUTE)
    [group] = [
        one
        for one in json.loads(folder.invoke("explain", "OperatorFailureRate", "--json").stdout)["groups"]
        if one["state"] == "firing"
    ]
    assert group["fires_on_until"] == until
    assert f"keeps firing until {until[:19]}" in folder.invoke("explain", "OperatorFailureRate").stdout
    assert "(keep_firing_for 15m)" in group["why"]


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_many_groups_fit_a_terminal_of_24_lines_and_the_worst_stay(
    polled: Folder, tmp_path: Path, columns: int
) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    folder.rules.write_text(
        "rules:\n  - {name: EachRecipient, kind: rate, by: [to], window: 10m, above: 20%, for: 1h,\n"
        f"     description: {'a long description of what this rule is about ' * 5}}}\n"
    )
    shown = on_terminal(["explain", "EachRecipient", "--watch"], folder.path, columns, 24, until="less urgent")
    screen = shown.text.split("EachRecipient", 1)[1].rstrip().splitlines()
    assert len(screen) < 24, "the rest of the last line is the cursor's"
    assert shown.widest <= columns
    assert "100% (1 of 1 message) is above 20%" in " ".join(shown.text.split()), "those over the threshold come first"
    assert "is below" not in shown.text
    left = re.search(r"(\d+) more of 161, less urgent", shown.text)
    assert left is not None
    assert int(left[1]) > 130


def test_explain_shows_what_fits_a_terminal_and_every_group_when_asked_or_piped(polled: Folder, tmp_path: Path) -> None:
    shutil.copytree(polled.path, tmp_path / "copy")
    folder = Folder(tmp_path / "copy")
    folder.rules.write_text(
        "rules:\n  - {name: EachRecipient, kind: rate, by: [to], window: 10m, above: 20%, for: 1h}\n"
    )
    words = ["explain", "EachRecipient"]
    short = on_terminal(words, folder.path, 80, 24).text
    assert len(short.rstrip().splitlines()) < 24
    assert "more of 161" in short
    for every in (on_terminal([*words, "--all"], folder.path, 80, 24), piped(words, folder.path)):
        assert every.text.count("to=") >= 161
        assert "less urgent" not in every.text
