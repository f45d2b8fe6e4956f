"""``routee-monitor report``: shows what was delivered, spent and told in the last days."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.choices import OneOf
from monitor.cli.load import read_everything
from monitor.cli.options import config_option, json_option, level_option, since_option
from monitor.cli.output import say, say_lines
from monitor.cli.output_file import require_writable, write_output
from monitor.cli.progress import progress
from monitor.cli.table import print_json
from monitor.cli.times import WHEN, When

if TYPE_CHECKING:
    from monitor.alerts.report import DeliveryReport


@click.command(short_help="Show what was delivered, spent and told in the last days.")
@config_option
@json_option
@level_option
@since_option("7d", "The start: how far back from the end (7d), or a time.")
@click.option("--until", type=WHEN, metavar="WHEN", help="The end, in the same form; default: now.")
@click.option(
    "--format",
    "form",
    type=OneOf(("text", "html", "json")),
    default="text",
    show_default=True,
    help="html is one file with charts.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to this file instead of standard output.",
)
def report(config: Path | None, as_json: bool, since: When, until: When | None, form: str, output: Path | None) -> None:
    """Show what was delivered, spent and told in the last days: delivery by country and operator against the same span before, campaigns,
    incidents with the messages lost in them and the money spent on those, noisy rules and those that never fired, receivers that failed.

    It reads the daemon's store, whether the daemon runs or not. What is not known, or not up to date, it says.

    \b
    routee-monitor report --since 7d --format html --output week.html

    \b
    Exit codes: 0 shown; 65 bad rules; 69 there is no store or no poll yet;
    78 bad configuration.
    """
    from monitor.alerts.report import build
    from monitor.cli.left_out_accounts import warn_of
    from monitor.cli.read_store import stored_state
    from monitor.daemon.report_source import source_of
    from monitor.runtime.clock import SystemClock, iso
    from monitor.runtime.errors import StoreDamaged

    if output is not None:
        require_writable(output)
    loaded = read_everything(config)
    made_at = SystemClock().now()
    end = made_at if until is None else min(until.relative_to(made_at), made_at)
    start = since.relative_to(end)
    if start >= end:
        raise click.UsageError(f"--since ({iso(start)}) is not before --until ({iso(end)})")
    configured, rules = loaded.settings.config, loaded.settings.rules
    zone = configured.accounts[0].time_zone if len({one.time_zone for one in configured.accounts}) == 1 else "UTC"
    with stored_state(configured) as (store, kept):
        source, left_out = source_of(store, kept, configured, rules, start, made_at)
    warn_of(left_out)
    if left_out and not source.accounts:
        raise StoreDamaged(left_out[0].said)
    with progress("counting the messages") as counted:
        made = build(source, start, end, made_at, zone, counted)
    _show(made, "json" if as_json else form, output, configured.web.external_url if configured.web else None)


def _show(made: "DeliveryReport", form: str, output: Path | None, link: str | None) -> None:
    import json

    from monitor.notify.render.report import document, page, text

    if form == "json" and output is None:
        print_json(document(made))
        return
    if form == "json":
        written = json.dumps(document(made), indent=2, ensure_ascii=False) + "\n"
    else:
        written = page(made, link or "") if form == "html" else text(made)
    if output is None:
        say_lines(written, newline=False)
    else:
        write_output(output, written.encode(errors="replace"))
        say(f"{output} was written", err=True)
