"""``routee-monitor store``: copies a store into another one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import ConfigMissing, config_option, json_option, level_option
from monitor.cli.output import say
from monitor.cli.progress import progress
from monitor.cli.table import print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.store.open import StoreLocation

MOST_NAMED = 20
"""The most notifications that are named which cannot be read."""


@click.group(short_help="Copy the store into another one.")
@config_option
@click.pass_context
def store(ctx: click.Context, config: Path | None) -> None:
    """Copy the store into another one, of the same kind or of the other.

    \b
    Exit codes: 0 done; 1 something was left out; 2 wrong usage; 69 a store is
    not available, not empty, or a daemon works on it; 78 bad configuration.
    """
    ctx.obj = config


@store.command(short_help="Copy a store into an empty one, and compare them.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@config_option
@json_option
@level_option
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file with the password of the PostgreSQL database, if only one of the two is one.",
)
@click.pass_obj
def copy(
    above: Path | None, source: str, target: str, config: Path | None, as_json: bool, password_file: Path | None
) -> None:
    """Copy the store FROM into the empty or missing store TO, and compare them row by row before the copy is committed.

    Both are written as in the configuration: `sqlite:///absolute/path`, `sqlite:NAME` or `postgresql://user@host/database`. No daemon
    may work on either of them.

    The password of PostgreSQL is that of the configuration, if the address is that of its store; otherwise it is in FILE, or where the
    driver looks for it (PGPASSFILE, ~/.pgpass, PGPASSWORD). Between two PostgreSQL databases use PGPASSFILE: FILE would go to both servers.

    \b
    Exit codes: 0 copied and compared; 1 likewise, without the notifications
    that cannot be read; 2 wrong usage; 69 there is no FROM, TO is not empty, a
    daemon works on one of them, or one cannot be read or written; 78 bad
    configuration.
    """
    from monitor.model.plurals import plural
    from monitor.store.copying import copy_between

    places = [_location(source, "FROM"), _location(target, "TO")]
    if password_file is not None and not any(isinstance(place, Path) for place in places):
        raise click.BadParameter(
            "one password is not given to two servers: put both into a file as libpq reads it (PGPASSFILE, or ~/.pgpass; "
            "a line is host:port:database:user:password), and leave this option out",
            param_hint="--password-file",
        )
    kept, empty = (_with_password(place, config or above, password_file) for place in places)
    with progress("copying and comparing") as report, _told_of_the_option([kept, empty]):
        made = copy_between(kept, empty, report)
    if as_json:
        left_out = [{"id": number, "why": why} for number, why in made.left_out.items()]
        print_json({"from": str(kept), "to": str(empty), "rows": made.total, "tables": made.rows, "left_out": left_out})
    else:
        alerts, messages = plural(made.rows["alert"], "alert"), plural(made.rows["parcel"], "notification")
        say(f"{empty}: {made.total:,} rows copied and compared, among them {alerts} and {messages}")
    _say_left_out(made.left_out)


def _say_left_out(left_out: "Mapping[int, str]") -> None:
    """Says which notifications were left out, if any, and exits with 1 then."""
    from monitor.model.plurals import plural

    if not left_out:
        return
    for number, why in list(left_out.items())[:MOST_NAMED]:
        say(f"notification {number} cannot be read, and was left out: {why}", err=True)
    more = len(left_out) - MOST_NAMED
    rest = f", {more:,} of which {'is' if more == 1 else 'are'} not named (--json names all)" if more > 0 else ""
    say(f"{plural(len(left_out), 'notification')} left out{rest}; all else was copied", err=True)
    raise click.exceptions.Exit(1)


def _location(text: str, name: str) -> "StoreLocation":
    """Raises click.BadParameter."""
    from monitor.config.monitor.store_location import parse_store

    try:
        location = parse_store(text, Path.cwd())
    except ValueError as error:
        raise click.BadParameter(str(error).replace("this file", "this folder"), param_hint=name) from None
    if not isinstance(location, Path) and location.password:
        raise click.BadParameter(
            "every user of this machine can read a password in the command line: write it into a file, and name that with --password-file",
            param_hint=name,
        )
    return location


def _with_password(location: "StoreLocation", config: Path | None, password_file: Path | None) -> "StoreLocation":
    """Adds the password of a database where one is given. Raises InputError, and ConfigMissing if ``config`` is not there."""
    from monitor.cli.load import read_config
    from monitor.runtime import log as logs

    if isinstance(location, Path):
        return location
    if password_file is not None:
        password = _password_in(password_file)
        logs.hide(password)
        return location.with_password(password)
    try:
        configured = read_config(config).store_location
    except ConfigMissing:
        if config is not None:
            raise
        return location
    if isinstance(configured, Path) or configured.with_password("") != location:
        return location
    return configured


@contextmanager
def _told_of_the_option(places: "Sequence[StoreLocation]") -> Iterator[None]:
    """Adds to a server's request for a password how one is given here."""
    from monitor.runtime.errors import StoreError

    try:
        yield
    except StoreError as error:
        if "no password supplied" not in str(error):
            raise
        both = not any(isinstance(place, Path) for place in places)
        how = (
            "put the passwords into a file that PGPASSFILE names"
            if both
            else "name a file with it with --password-file"
        )
        raise StoreError(f"{error}; it asks for a password: {how}") from None


def _password_in(file: Path) -> str:
    """Returns the password in a file. Raises click.BadParameter."""
    from monitor.cli.options import environment
    from monitor.config.yaml.secret_file import read_secret

    try:
        return read_secret(str(file), Path.cwd(), environment())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--password-file") from None
