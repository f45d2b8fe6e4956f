"""``routee-monitor backup``: copies the store while the daemon runs."""

from pathlib import Path

import click

from monitor.cli.load import read_config
from monitor.cli.options import config_option, json_option, level_option
from monitor.cli.output import say
from monitor.cli.table import print_json
from monitor.runtime.errors import StoreError


@click.command(short_help="Copy the store while the daemon runs.")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@json_option
@level_option
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def backup(file: Path, config: Path | None, as_json: bool, force: bool) -> None:
    """Copy the store to FILE, as it is at one moment, whether the daemon runs or not. The copy is checked before it takes that name.
    A store in PostgreSQL is backed up with PostgreSQL's own pg_dump.

    \b
    To restore: stop the daemon, put the copy in the place of the store
    (removing its -wal and -shm), start the daemon. The daemon then
    fetches from Routee what has changed since, up to 7 days back.

    \b
    Exit codes: 0 copied and checked; 69 there is no store, FILE is there
    already or cannot be written, or the copy is not whole; 78 bad or missing
    configuration.
    """
    from monitor.store.backup import back_up

    location = read_config(config).store_location
    if not isinstance(location, Path):
        raise StoreError(f"the store {location} is in PostgreSQL: back it up with pg_dump --schema=routee_monitor")
    made = back_up(location, file.absolute(), force=force)
    if as_json:
        print_json({"file": str(made.path), "bytes": made.size})
    else:
        say(f"{made.path}: {made.size / 1e6:,.1f} MB, checked")
