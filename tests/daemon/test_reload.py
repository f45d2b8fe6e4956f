"""What a reload may change, what it says that it changed, and when it is asked for."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from monitor.config.monitor import load_config
from monitor.config.watched_files import files_of, stamp
from monitor.daemon.config_diff import changes, check_is_possible
from monitor.daemon.file_reader import FileReader, FilesUnread
from monitor.daemon.reload import Reloads
from monitor.runtime.errors import InputError
from tests.fakes.written import CONFIG, settings

T = TypeVar("T")
RULES = "rules:\n  - {name: First, kind: count, window: 5m, above: 5}\n"


def test_what_changed_is_named_without_values() -> None:
    after = (
        CONFIG.replace("every: 30s", "every: 10s")
        .replace("application_secret: secret", "application_secret: another")
        .replace("receivers:\n", "receivers:\n  - {name: new, console: [{}]}\n")
        .replace("repeat_interval: 4h", "repeat_interval: 5h")
    )
    found = changes(settings(RULES), settings(RULES.replace("First", "Other"), after))
    assert [str(change) for change in found] == [
        "account main changed",
        "search all changed",
        "rule First removed",
        "rule Other added",
        "receiver new added",
        "route changed",
    ]


def test_a_search_that_stays_is_not_named_when_one_account_of_two_goes() -> None:
    first = "accounts:\n  - {name: main, application_id: a, application_secret: b}\n"
    rest = "receivers: [{name: ops, console: [{}]}]\nstore: sqlite:monitor.db\n"
    two = first + "  - {name: otp, application_id: c, application_secret: d}\n" + rest
    found = [str(change) for change in changes(settings(RULES, two), settings(RULES, first + rest))]
    assert found == ["account otp removed", "search all of otp removed"]


def test_a_rule_that_only_moved_in_its_file_has_not_changed() -> None:
    assert changes(settings(RULES), settings("# a comment\n" + RULES, "# another\n" + CONFIG)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("web: off", "web: off\nstore: sqlite:other.db", "a change of the store needs a restart"),
        ("web: off", "web: {listen: '127.0.0.1:9465'}", "web.listen: a change of the listener needs a restart; now it is off"),
    ],
)  # fmt: skip
def test_what_only_a_restart_can_bring_about_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    before = settings(RULES).config
    with pytest.raises(InputError, match=said) as caught:
        check_is_possible(before, settings(RULES, CONFIG.replace(old, new)).config)
    assert caught.value.exit_code == 78


def test_every_file_that_is_read_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    for name in ("rules.yaml", "body.j2", "secret", "credentials/hook"):
        (tmp_path / name).write_text(RULES if name == "rules.yaml" else "https://example.org/x")
    path = tmp_path / "monitor.yaml"
    path.write_text(
        CONFIG.replace("application_secret: secret", "application_secret_file: secret").replace(
            "console: [{}]", "webhook: [{url_file: hook}]"
        )
        + "templates: ['*.j2']\n"
    )
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    files = files_of(path, load_config(path, environ), environ)
    assert {str(file.relative_to(tmp_path)) for file in files} == {
        "monitor.yaml",
        "rules.yaml",
        "body.j2",
        "secret",
        "credentials/hook",
    }
    before = stamp(files)
    assert stamp(files) == before
    for file in files:
        os.utime(file, ns=(1, 1))
        assert stamp(files) != before
        before = stamp(files)
    files[1].unlink()
    assert stamp(files) != before


async def test_what_is_asked_for_several_times_is_done_once_also_where_nobody_listened_yet() -> None:
    reloads = Reloads(Path("monitor.yaml"), {})
    reloads.request()
    reloads.request()
    await reloads.wait()
    with trio.move_on_after(0.01) as waiting:
        await reloads.wait()
    assert waiting.cancelled_caught


class Hanging(FileReader):
    """Files on a mount that does not answer before ``answers``. They are read without a thread, which the clock would not wait for."""

    answers = 0.0

    async def run(self, call: Callable[[], T]) -> T:
        if trio.current_time() < self.answers:
            raise FilesUnread("rules.yaml could not be read within 10 s")
        await trio.lowlevel.checkpoint()
        return call()


async def test_a_change_that_could_not_be_read_is_read_once_the_files_answer(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path, files = tmp_path / "monitor.yaml", Hanging()
    path.write_text(CONFIG + "reload: {watch: true}\n")
    (tmp_path / "rules.yaml").write_text(RULES)
    reloads = Reloads(path, {}, _files=files, _watched=Hanging())
    config = load_config(path, {})
    read = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloads.watch, lambda: config)

        async def reload() -> None:
            while True:
                await reloads.wait()
                with suppress(FilesUnread):
                    read.append(await reloads.read())

        nursery.start_soon(reload)
        await trio.sleep(5)
        files.answers = trio.current_time() + 200
        (tmp_path / "rules.yaml").write_text(RULES.replace("First", "Second"))
        await trio.sleep(190)
        assert read == []
        await trio.sleep(100)
        assert [[rule.name for rule in one.settings.rules] for one in read] == [["Second"]]
        nursery.cancel_scope.cancel()
