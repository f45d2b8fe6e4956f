"""``routee-monitor healthcheck``: for containers and supervisors."""

from pathlib import Path

import click

from monitor.cli.options import config_option, level_option
from monitor.cli.reading import read_config
from monitor.errors import ListenError, MonitorError

EXIT_NO_ANSWER = 69


@click.command(short_help="Ask the running daemon whether it is well.")
@config_option
@level_option
@click.option("--url", metavar="URL", help="Where the daemon listens; default: web.listen of the configuration.")
def healthcheck(config: Path | None, url: str | None) -> int:
    """Ask the running daemon whether it is well (GET /healthz).

    \b
    Exit codes: 0 it is well; 1 it is not, with the reasons; 69 no answer;
    78 bad configuration (it is not read where --url is given).
    """
    import trio

    from monitor.web.health import ask

    try:
        answer = trio.run(ask, url or _listener(config))
    except ListenError:
        raise
    except MonitorError as error:
        click.echo(str(error), err=True)
        return EXIT_NO_ANSWER
    click.echo(answer.body.strip(), err=answer.status != 200)
    return int(answer.status != 200)


def _listener(config: Path | None) -> str:
    """Where a daemon with this configuration is reached."""
    from monitor.web.address import Address

    web = read_config(config).web
    if web is None:
        raise ListenError("web is off in the configuration, so there is nothing to ask; switch it on or give --url")
    if web.port == 0:
        raise ListenError("web.listen takes any free port (0), so its address is not known here; give --url")
    return Address.parse(web.listen).url
