"""`init`: a first configuration, from options or from three questions on a terminal."""

import os
import pty
import re
import select
import stat
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio
from cli_folder import PROGRAM
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.config.monitor import Slack, Webhook
from monitor.config.starter import rules
from monitor.daemon.validate import load
from monitor.runtime.clock import MINUTE
from monitor.simulation.sandbox import run_sandbox

SET = {
    "ROUTEE_APPLICATION_ID": "id-from-a-variable",
    "ROUTEE_APPLICATION_SECRET": "from-a-variable",
    "SLACK_BOT_TOKEN": "xoxb-1",
}


NO_PROXY = {"NO_PROXY": "*"}


def init(folder: Path, *arguments: str, **more: str) -> Result:
    return CliRunner().invoke(cli, ["init", "--config", str(folder / "monitor.yaml"), *arguments], **more)


def checked(folder: Path, environ: dict[str, str]) -> Result:
    return CliRunner().invoke(cli, ["check", "--config", str(folder / "monitor.yaml")], env=environ)


def private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_written_passes_check_once_the_variables_are_set(tmp_path: Path) -> None:
    outcome = init(tmp_path, "--application-id", "5e8f: #", "--tell", "sms-night")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert "  export ROUTEE_APPLICATION_SECRET=… SLACK_BOT_TOKEN=…\n" in outcome.stdout
    assert f"  routee-monitor check --online --config {tmp_path / 'monitor.yaml'}\n" in outcome.stdout
    assert checked(tmp_path, SET).exit_code == 0
    loaded = load(tmp_path / "monitor.yaml", SET)
    [account], [receiver] = loaded.settings.config.accounts, loaded.settings.config.receivers
    assert [one.get_secret_value() for one in (account.application_id, account.application_secret)] == [
        "5e8f: #",
        "from-a-variable",
    ]
    [(_, slack)] = receiver.of(Slack)
    assert slack.channel == "#sms-night"
    assert checked(tmp_path, dict.fromkeys(SET)).exit_code == 78


def test_everything_can_come_from_variables(tmp_path: Path) -> None:
    outcome = init(tmp_path, "--application-id", "", "--tell", "#ops")
    assert "  export ROUTEE_APPLICATION_ID=… ROUTEE_APPLICATION_SECRET=… SLACK_BOT_TOKEN=…\n" in outcome.stdout
    assert not (tmp_path / "secrets").exists()
    assert checked(tmp_path, SET).exit_code == 0


def test_the_starter_rules_and_their_tests_are_copied_and_hold(tmp_path: Path) -> None:
    assert init(tmp_path, "--application-id", "a", "--tell", "console").exit_code == 0
    copied = {path.relative_to(tmp_path / "rules"): path.read_bytes() for path in (tmp_path / "rules").rglob("*.yaml")}
    assert copied == {path.relative_to(rules()): path.read_bytes() for path in rules().rglob("*.yaml")} != {}
    assert CliRunner().invoke(cli, ["test", str(tmp_path / "rules" / "tests" / "spend.yaml")]).exit_code == 0


def test_secrets_go_into_files_that_nobody_else_can_read(tmp_path: Path) -> None:
    hook = "https://hooks.slack.com/services/T0/B0/xyz-secret"
    (tmp_path / "hook").write_text(hook + "\n")
    arguments = ("--application-id", "a", "--application-secret-from", "-", "--tell", f"@{tmp_path / 'hook'}")
    outcome = init(tmp_path, *arguments, input="s3cret-of-routee\n")
    assert outcome.exit_code == 0, outcome.stderr
    assert "export" not in outcome.stdout
    written = (tmp_path / "monitor.yaml").read_text() + outcome.stdout
    assert "s3cret" not in written
    assert "xyz-secret" not in written
    secrets = sorted((tmp_path / "secrets").iterdir())
    assert [path.name for path in secrets] == ["routee_application_id", "routee_secret", "slack_hook"]
    assert all(map(private, secrets))
    [account], [receiver] = (loaded := load(tmp_path / "monitor.yaml", {}).settings.config).accounts, loaded.receivers
    assert account.application_secret.get_secret_value() == "s3cret-of-routee"
    [(_, slack)] = receiver.of(Slack)
    assert slack.webhook_url.get_secret_value() == hook


@pytest.mark.parametrize(
    ("told", "kind", "file"),
    [
        ("https://hooks.slack.com/services/T0/B0/xyz", Slack, "slack_hook"),
        ("https://example.org/hook?key=xyz", Webhook, "webhook_url"),
        ("http://127.0.0.1:8080/hook", Webhook, "webhook_url"),
        ("https://hooks.slack.com.example.org/x", Webhook, "webhook_url"),
    ],
)
def test_a_url_is_slacks_or_another_webhooks(tmp_path: Path, told: str, kind: type[Slack | Webhook], file: str) -> None:
    outcome = init(tmp_path, "--application-id", "a", "--tell", told)
    assert outcome.exit_code == 0, outcome.stderr
    assert "SLACK_BOT_TOKEN" not in outcome.stdout
    assert (tmp_path / "secrets" / file).read_text() == told + "\n"
    assert told not in (tmp_path / "monitor.yaml").read_text() + outcome.stdout
    assert checked(tmp_path, SET).exit_code == 0
    [receiver] = load(tmp_path / "monitor.yaml", SET).settings.config.receivers
    [(_, channel)] = receiver.of(kind)
    assert (channel.webhook_url if isinstance(channel, Slack) else channel.url).get_secret_value() == told


@pytest.mark.parametrize(
    "told",
    [
        "htps://hooks.slack.com/x-secret",
        "hooks.slack.com/x-secret",
        "https://",
        "https://a b",
        "http://h:x/",
        "@",
        "#",
        "#a b",
        "me@example.org",
    ],
)
def test_what_is_no_receiver_is_refused(tmp_path: Path, told: str) -> None:
    outcome = init(tmp_path, "--application-id", "a", "--tell", told)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "--tell" in outcome.stderr
    assert "x-secret" not in outcome.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_that_is_there_is_overwritten_unasked(tmp_path: Path) -> None:
    assert init(tmp_path, "--application-id", "a", "--tell", "console").exit_code == 0
    assert init(tmp_path, "--application-id", "a", "--tell", "console").exit_code == 0, "it says the same"
    rule = tmp_path / "rules" / "spend.yaml"
    rule.write_text("rules: []\n")
    refused = init(tmp_path, "--application-id", "b", "--tell", "console")
    assert refused.exit_code == 1
    id_file = tmp_path / "secrets" / "routee_application_id"
    assert f"nothing is written: {rule}, {id_file} would be overwritten" in refused.stderr
    assert (id_file.read_text(), rule.read_text()) == ("a\n", "rules: []\n")
    assert init(tmp_path, "--application-id", "b", "--tell", "console", "--force").exit_code == 0
    assert id_file.read_text() == "b\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--application-id and --tell missing; without a terminal nothing is asked"),
        (("--application-id", "a"), "--tell missing"),
        (("--application-id", "a", "--tell", "console", "--application-secret-from", "-"), "the file is empty"),
    ],
)
def test_without_a_terminal_nothing_is_asked(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    outcome = init(tmp_path, *arguments)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert says in outcome.stderr
    assert not list(tmp_path.iterdir())


def on_a_terminal(folder: Path, answers: list[bytes], *options: str) -> tuple[int, bytes]:
    """The exit code, and what the terminal shows. ``answers`` are typed one a prompt; those that were not asked for are left."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "init", *options], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as asking:  # fmt: skip
        os.close(theirs)
        seen, answered = b"", 0
        while asking.poll() is None or select.select([ours], [], [], 0)[0]:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                seen += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if answers and seen.endswith(b": ") and len(re.findall(rb"\d\. ", seen)) > answered:
                answered += 1
                os.write(ours, answers.pop(0))
    os.close(ours)
    return asking.returncode, seen


def test_on_a_terminal_it_asks_three_questions(tmp_path: Path) -> None:
    answers = [b"my-application\n", b"s3cret-typed\n", b"\n"]
    code, seen = on_a_terminal(tmp_path, answers)
    assert (code, answers) == (0, []), seen
    assert b"s3cret" not in seen
    asked = [line for line in seen.decode().splitlines() if re.match(r"\d\. ", line)]
    assert len(asked) == 3
    assert max(len(line.rpartition(": ")[0]) for line in asked) <= 60, "with room for an answer"
    assert (tmp_path / "secrets" / "routee_secret").read_text() == "s3cret-typed\n"
    config = load(tmp_path / "monitor.yaml", SET).settings.config
    [(_, slack)] = config.receivers[0].of(Slack)
    assert (config.accounts[0].application_id.get_secret_value(), slack.channel) == (
        "my-application",
        "#sms-ops",
    )
    assert b"routee-monitor run" in seen


@pytest.mark.parametrize(
    ("options", "questions", "variables"),
    [
        (("--routee", "http://127.0.0.1:9480"), ["1. Notify"], None),
        (("--application-id", "a"), ["1. Its secret", "2. Notify"], "variable ROUTEE_APPLICATION_SECRET instead"),
        (
            ("--tell", "console"),
            ["1. Id of", "2. Its secret"],
            "variables ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET",
        ),
    ],
)
def test_the_questions_that_are_asked_are_numbered_from_1(
    tmp_path: Path, options: tuple[str, ...], questions: list[str], variables: str | None
) -> None:
    code, seen = on_a_terminal(tmp_path, [b"\n"] * len(questions), *options)
    assert code == 0, seen
    shown = seen.decode()
    asked = [line for line in shown.splitlines() if re.match(r"\d\. ", line)]
    assert [line[: len(question)] for line, question in zip(asked, questions, strict=True)] == questions
    if variables is None:
        assert "Leave " not in shown
    else:
        assert variables in " ".join(shown.split())


@pytest.mark.parametrize(
    ("told", "channel"),
    [("foo", "#foo"), ("#sms-ops", "#sms-ops"), ("C0123456789", "C0123456789"), ("console", ""), ("http://h/x", "")],
)
def test_the_slack_channel_that_a_word_means_is_said(tmp_path: Path, told: str, channel: str) -> None:
    outcome = init(tmp_path, "--application-id", "a", "--tell", told)
    assert outcome.exit_code == 0
    said = re.findall(r"Notifications go to the Slack channel (\S+)\.\n", outcome.stdout)
    assert said == ([channel] if channel else [])


def test_without_a_configuration_init_is_named(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(cli, ["check", "--config", str(tmp_path / "none.yaml")])
    assert outcome.exit_code == 78
    assert "write one with `routee-monitor init`" in " ".join(outcome.stderr.split())


@pytest.mark.parametrize(
    ("told", "host"),
    [
        ("http://hooks.slack.com/services/T0/B0/x-secret", "hooks.slack.com"),
        ("http://10.0.0.1:8080/x-secret", "10.0.0.1"),
        ("http://127.0.0.1:8080/hook", ""),
        ("https://example.org/hook", ""),
    ],
)
def test_an_address_that_is_reached_in_clear_text_is_named(tmp_path: Path, told: str, host: str) -> None:
    outcome = init(tmp_path, "--application-id", "a", "--tell", told)
    said = f"the address of the webhook begins with http://: it is a secret, and goes unencrypted to {host}; write https://"
    assert (said in " ".join(outcome.stderr.split())) == bool(host)
    assert ("unencrypted" in outcome.stderr) == bool(host)
    assert "x-secret" not in outcome.stderr


def test_on_a_terminal_it_asks_again_for_what_is_no_receiver(tmp_path: Path) -> None:
    answers = [b"a\n", b"b\n", b"htps://example.org/hook\n", b"https://example.org/hook\n"]
    code, seen = on_a_terminal(tmp_path, answers)
    assert (code, answers) == (0, []), seen
    assert b"this is none of these: a Slack channel (#sms-ops)" in b" ".join(seen.split())
    refusal = seen[seen.index(b"Error: ") : seen.rindex(b"3. Notify")].decode().splitlines()
    assert max(map(len, refusal)) <= 80, "wrapped at words"
    [(_, hook)] = load(tmp_path / "monitor.yaml", SET).settings.config.receivers[0].of(Webhook)
    assert hook.url.get_secret_value() == "https://example.org/hook"


def test_on_a_terminal_files_that_are_there_are_named_before_the_questions(tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text("accounts: []\n")
    code, seen = on_a_terminal(tmp_path, answers := [b"unasked\n"])
    assert (code, len(answers)) == (1, 1), seen
    assert b"monitor.yaml would be overwritten" in b" ".join(seen.split())
    assert b"1. " not in seen
    assert (tmp_path / "monitor.yaml").read_text() == "accounts: []\n"


async def test_with_a_local_routee_what_is_written_works_without_tls_and_without_credentials(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        url, _ = await nursery.start(partial(run_sandbox, listen="127.0.0.1:0", rate=60.0, history=MINUTE))
        outcome = init(tmp_path, "--routee", url, "--tell", "console")
        assert (outcome.exit_code, outcome.stderr) == (0, "")
        assert f"  routee-monitor sandbox --listen {url.removeprefix('http://')}\n" in outcome.stdout
        assert "export" not in outcome.stdout
        online = ["check", "--online", "--config", str(tmp_path / "monitor.yaml")]
        tried = await trio.to_thread.run_sync(lambda: CliRunner().invoke(cli, online, env=NO_PROXY))
        nursery.cancel_scope.cancel()
    assert tried.exit_code == 0, tried.output


def test_the_own_credentials_of_another_local_routee_are_kept(tmp_path: Path) -> None:
    (tmp_path / "typed").write_text("own-secret")
    secret = ("--application-secret-from", str(tmp_path / "typed"))
    assert (
        init(tmp_path, "--routee", "http://[::1]:9/", "--application-id", "own", *secret, "--tell", "a").exit_code == 0
    )
    [account] = load(tmp_path / "monitor.yaml", SET).settings.config.accounts
    kept = [account.application_id.get_secret_value(), account.application_secret.get_secret_value(), account.api_url]
    assert kept == ["own", "own-secret", "http://[::1]:9"]


@pytest.mark.parametrize("url", ["http://127.0.0.1", "http://127.0.0.1:", "http://127.0.0.1:/"])
def test_a_local_routee_without_a_port_is_at_that_of_http(tmp_path: Path, url: str) -> None:
    outcome = init(tmp_path, "--routee", url, "--tell", "console")
    assert "  routee-monitor sandbox --listen 127.0.0.1:80\n" in outcome.stdout, outcome.output


@pytest.mark.parametrize(
    "url",
    ["http://routee.example.org", "ftp://127.0.0.1", "127.0.0.1:9480", "http://a:b@127.0.0.1", "http://127.0.0.1:x"],
)
def test_a_routee_elsewhere_gets_no_secret_without_tls(tmp_path: Path, url: str) -> None:
    outcome = init(tmp_path, "--routee", url, "--application-id", "a", "--tell", "console")
    assert (outcome.exit_code, "https://, or with http:// on this machine" in outcome.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_comments_of_the_written_files_fit_a_narrow_window(tmp_path: Path) -> None:
    assert init(tmp_path, "--application-id", "a", "--tell", "console").exit_code == 0
    written = [line for file in tmp_path.rglob("*.yaml") for line in file.read_text().splitlines()]
    comments = [line for line in written if re.search(r"(^|\s)# ", line)]
    assert len(comments) > 100
    assert [line for line in comments if len(line) >= 100] == []
