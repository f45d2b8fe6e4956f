"""``routee-monitor demo``: shows the monitor at work on a local Routee."""

import click

from monitor.cli.garbage import collect_as_usual
from monitor.cli.options import level_option, unused_config_option


@click.command(short_help="See it work: a local Routee, incidents, alerts.")
@unused_config_option
@level_option
@click.option(
    "--speed", type=click.FloatRange(1, 600), metavar="FACTOR", help="How many times faster than real time it runs."
)
@click.option("--seed", type=click.IntRange(0), metavar="NUMBER", help="The same seed shows the same traffic.")
@click.option("--forever", is_flag=True, help="Go on with further incidents until Ctrl-C.")
def demo(speed: float | None, seed: int | None, forever: bool) -> None:
    """See it work: the daemon on a local Routee with live incidents, alerts and their ends on this terminal.

    It needs no account and no credentials, uses the network of this machine only, and leaves nothing behind. At the end it
    says what to write to watch a real account.

    \b
    Exit codes: 0 shown, or ended by Ctrl-C; 69 it cannot start here.
    """
    import functools
    import sys

    import trio

    from monitor.cli.signals import until_signalled
    from monitor.simulation.demo.runner import DEFAULT_SEED, DEFAULT_SPEED
    from monitor.simulation.demo.runner import demo as show

    async def act(stop: trio.Event) -> None:
        chosen = functools.partial(show, speed=DEFAULT_SPEED if speed is None else speed, forever=forever)
        await chosen(seed=DEFAULT_SEED if seed is None else seed, stream=sys.stdout, stop=stop)

    collect_as_usual()
    trio.run(until_signalled, act)
