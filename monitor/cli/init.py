"""``routee-monitor init``: writes a first configuration."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO
from urllib.parse import urlsplit

import click

from monitor.cli.options import CONFIG_PATHS, level_option
from monitor.cli.output import say
from monitor.runtime.errors import MonitorError

if TYPE_CHECKING:
    from monitor.config.starter import StarterAnswers

_PRIVATE: Final = 0o600


@click.command(short_help="Write a first configuration.")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    default=CONFIG_PATHS[0],
    help="Where to write the configuration; default: monitor.yaml here. The rules go into rules/ beside it.",
)
@level_option
@click.option(
    "--application-id",
    metavar="ID",
    help="The id of your Routee application; empty (''): it comes from the variable ROUTEE_APPLICATION_ID.",
)
@click.option(
    "--application-secret-from",
    type=click.File(),
    metavar="FILE",
    help="A file (- for standard input) that holds its secret; default: the variable ROUTEE_APPLICATION_SECRET, when the daemon starts.",
)
@click.option(
    "--tell",
    metavar="WHOM",
    help="A Slack channel (#sms-ops), the URL of a webhook, Slack's or another's, or a file that holds it (@FILE), or console.",
)
@click.option(
    "--routee",
    metavar="URL",
    default="",
    help="Another Routee than the real one, such as `routee-monitor sandbox`: http://127.0.0.1:9480. One on this machine needs no TLS, "
    "and has the sandbox's id and secret unless you give others.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def init(
    config: Path,
    application_id: str | None,
    application_secret_from: "TextIO | None",
    tell: str | None,
    routee: str,
    force: bool,
) -> None:
    """Write a first monitor.yaml and a copy of the starter rules, and say what to type next.

    On a terminal it asks for what the options do not give: at most three questions. Elsewhere it asks nothing, and needs
    --application-id and --tell. hooks.slack.com is Slack's; any other URL gets Alertmanager's payload by POST.
    Secrets go into files that only you can read, or stay in variables of the environment.

    \b
    Exit codes: 0 written; 1 a file is there already, or cannot be written;
    2 an option is missing, or cannot be used.
    """
    from monitor.config import starter

    routee = routee.strip().rstrip("/")
    if routee and not starter.is_routee(routee):
        raise click.BadParameter(
            "should be an address that begins with https://, or with http:// on this machine, such as http://127.0.0.1:9480",
            param_hint="--routee",
        )
    secret = "" if application_secret_from is None else application_secret_from.read().strip()
    if application_secret_from is not None and not secret:
        raise click.BadParameter("the file is empty", param_hint="--application-secret-from")
    if routee and starter.is_local(routee):
        from monitor.simulation.sandbox import DEFAULT_CREDENTIALS

        application_id, secret = application_id or DEFAULT_CREDENTIALS[0], secret or DEFAULT_CREDENTIALS[1]
    folder, rules = config.parent, starter.rules()
    copies = {
        folder / "rules" / one.relative_to(rules): one.read_text("utf-8") for one in sorted(rules.rglob("*.yaml"))
    }
    asks = sys.stdin.isatty() and (application_id is None or not secret or tell is None)
    if asks and not force:
        _refuse({config: None, **copies})  # refuses before asking, so that no answers are lost
    answers = replace(_asked(application_id, secret, tell), routee=routee)
    texts = {config: answers.text(), **copies}
    secrets = {folder / name: text + "\n" for name, text in answers.secrets.items()}
    if not force:
        _refuse({**texts, **secrets})
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        for path, text in secrets.items():
            _write_private(path, text)
    except OSError as error:
        raise MonitorError(f"{error.filename} cannot be written: {error.strerror}") from error
    _tell_next(config, answers, len(texts) - 1, list(secrets))


def _asked(application_id: str | None, secret: str, tell: str | None) -> "StarterAnswers":
    """Returns the answers from the options, and from the person at the terminal. Raises click.UsageError without a terminal."""
    from monitor.config.starter import StarterAnswers

    if not sys.stdin.isatty():
        wanted = {"--application-id": application_id, "--tell": tell}
        missing = [option for option, value in wanted.items() if value is None]
        if missing:
            raise click.UsageError(f"{' and '.join(missing)} missing; without a terminal nothing is asked")
        return StarterAnswers((application_id or "").strip(), secret, _whom(tell or ""))
    number = count(1)
    if application_id is None or not secret:
        _say_what_may_be_empty(id_is_asked=application_id is None, secret_is_asked=not secret)
    if application_id is None:
        application_id = click.prompt(f"{next(number)}. Id of your Routee application", default="", show_default=False)
    if not secret:
        where = f"{next(number)}. Its secret (not shown)"
        secret = click.prompt(where, default="", hide_input=True, show_default=False).strip()
    if tell is None:
        where = f"{next(number)}. Notify: Slack channel, webhook URL or console"
        return StarterAnswers(
            application_id.strip(), secret, click.prompt(where, default="#sms-ops", value_proc=_typed)
        )
    return StarterAnswers(application_id.strip(), secret, _whom(tell))


def _say_what_may_be_empty(*, id_is_asked: bool, secret_is_asked: bool) -> None:
    if id_is_asked and secret_is_asked:
        say("Leave 1 and 2 empty to use the variables ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET instead.")
    else:
        say(f"Leave 1 empty to use the variable ROUTEE_APPLICATION_{'ID' if id_is_asked else 'SECRET'} instead.")


def _whom(tell: str) -> str:
    """Returns the receiver in ``tell``, or in the file that ``@FILE`` names, because a webhook's URL is a secret.

    Raises click.BadParameter, after which a prompt asks again. The message does not show the text, which may be a mistyped URL.
    """
    from monitor.config.starter import RECEIVERS, is_receiver

    tell = tell.strip()
    if not tell:
        raise click.BadParameter("it names nobody", param_hint="--tell")
    if tell.startswith("@"):
        tell = _read(Path(tell[1:]))
    if not is_receiver(tell):
        raise click.BadParameter(f"this is none of these: {RECEIVERS}", param_hint="--tell")
    return tell


def _typed(tell: str) -> str:
    """Returns what `_whom` does; its refusal is wrapped at words, because click prints it behind ``Error: `` as it is."""
    from monitor.cli.output import width_of_output
    from monitor.runtime.terminal_width import wrapped

    try:
        return _whom(tell)
    except click.BadParameter as error:
        head = "Error: "
        rows = wrapped(head + error.message, width_of_output(), cut=False)
        raise click.BadParameter("\n".join(rows).removeprefix(head)) from error


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", error)
        raise click.BadParameter(f"{path} cannot be read: {why}", param_hint="--tell") from error


def _refuse(texts: Mapping[Path, str | None]) -> None:
    """Raises MonitorError if a file exists with other content; None stands for content that is not known yet."""
    there = [path for path, text in texts.items() if path.exists() and not _says(path, text)]
    if there:
        from monitor.model.plurals import first_of

        names = first_of(list(map(str, there)), 5)
        raise MonitorError(
            f"nothing is written: {names} would be overwritten. Add --force if you want that, or name another --config FILE"
        )


def _says(path: Path, text: str | None) -> bool:
    try:
        return path.read_text("utf-8") == text
    except (OSError, ValueError):
        return False


def _write_private(path: Path, text: str) -> None:
    """Writes a file that nobody else can ever read."""
    import os

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE), "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(text)


def _tell_next(config: Path, answers: "StarterAnswers", rules: int, secrets: list[Path]) -> None:
    from monitor.config.starter import is_local
    from monitor.config.yaml import clear_host

    say(f"Written: {config}; {rules} files of rules and their tests in {config.parent / 'rules'}")
    for path in secrets:
        say(f"Written: {path} (a secret: only you can read it)")
    if answers.hook_file and (host := clear_host(answers.receiver)):
        why = "it is a secret, and goes unencrypted to"
        say(f"warning: the address of the webhook begins with http://: {why} {host}; write https://", err=True)
    if answers.slack_channel:
        say(f"Notifications go to the Slack channel {answers.slack_channel}.")
    first = ""
    if answers.routee and is_local(answers.routee):
        where = urlsplit(answers.routee)
        listen = where.netloc if where.port else f"{where.netloc.rstrip(':')}:80"
        first = f"  routee-monitor sandbox --listen {listen}"
    named = "" if config == CONFIG_PATHS[0] else f" --config {config}"
    say("")
    if first:
        say("In another terminal, unless it runs already:")
        say("")
        say(first)
        say("")
    say("Next, type:")
    say("")
    if answers.variables:
        say(f"  export {' '.join(f'{name}=…' for name in answers.variables)}")
    say(f"  routee-monitor check --online{named}")
    say(f"  routee-monitor send-test ops{named}")
    say(f"  routee-monitor run{named}")
