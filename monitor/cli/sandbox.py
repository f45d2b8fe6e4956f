"""``routee-monitor sandbox``: runs the local Routee alone."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal

import click

from monitor.cli.choices import OneOf
from monitor.cli.garbage import collect_as_usual
from monitor.cli.options import duration, level_option, unused_config_option
from monitor.cli.output import say_lines
from monitor.runtime.errors import ListenError

if TYPE_CHECKING:
    import trio

    from monitor.runtime.clock import Duration

_HINTS: Final = """\
The sandbox is at {url}
  application_id: {application_id}    application_secret: {application_secret}

In monitor.yaml:
  accounts:
    - name: local
      application_id: {application_id}
      application_secret: {application_secret}
      api_url: "{url}"
      auth_url: "{url}"

See what it holds:
  curl {url}/sandbox/state
Start an incident (operator_outage, carrier_filter, detailed_status,
slow_delivery, silence, failing_campaign), end it:
  curl {url}/sandbox/incidents -d \\
    '{{"kind": "operator_outage", "operator": "Cosmote", "for": "10m"}}'
  curl -X DELETE {url}/sandbox/incidents/1
Let it fail (status, html, cut, drip, truncated, delay, wrong_types,
page_drift, short_pages, expired_tokens), heal it:
  curl {url}/sandbox/faults -d \\
    '{{"kind": "status", "status": 503, "for": "5m"}}'
  curl -X DELETE {url}/sandbox/faults
Set the balance:
  curl {url}/sandbox/balance -d '{{"balance": 20.0}}'

Ctrl-C ends it."""


@click.command(short_help="Run a local Routee, with incidents on cue.")
@unused_config_option
@level_option
@click.option(
    "--listen", default="127.0.0.1:9480", show_default=True, help="Address and port; port 0 takes a free one."
)
@click.option(
    "--rate", type=click.FloatRange(0), default=600.0, show_default=True, help="Messages a minute; 0: nothing new."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same traffic."
)
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times faster its clock runs; not for `run`, whose clock stays behind.",
)
@click.option(
    "--history",
    type=duration,
    metavar="DURATION",
    help="How long traffic has been arriving already, such as 2h; default: 1h.",
)
@click.option("--messages", type=click.IntRange(0), help="Exactly this many messages in that history.")
@click.option(
    "--select-by",
    type=OneOf(["sent", "status"]),
    default="sent",
    show_default=True,
    help="Whether a search's dates mean when a message was sent or when its status was reported.",
)
@click.option(
    "--wild", is_flag=True, help="Some records are odd, as real ones are: missing fields, nulls, wrong types."
)
@click.option(
    "--callbacks",
    metavar="URL",
    help="Push each change of status there, such as http://127.0.0.1:9465/callbacks/routee/main?secret=SECRET.",
)
def sandbox(
    listen: str,
    rate: float,
    seed: int,
    speed: float,
    history: "Duration | None",
    messages: int | None,
    select_by: Literal["sent", "status"],
    wild: bool,
    callbacks: str | None,
) -> None:
    """Run a local Routee: its API over seeded, realistic traffic, with incidents and faults on cue.

    For trying out rules and receivers without an account. It prints its address, its credentials, and how to make things
    go wrong, then runs until Ctrl-C.

    \b
    Exit codes: 0 ended; 69 the address is not available.
    """
    import functools

    import trio

    from monitor.cli.signals import until_signalled
    from monitor.runtime.clock import HOUR
    from monitor.simulation.sandbox import run_sandbox

    serving = functools.partial(
        run_sandbox,
        listen=listen,
        rate=rate,
        seed=seed,
        speed=speed,
        history=HOUR if history is None else history,
        messages=messages,
        select_by=select_by,
        wild=wild,
        callbacks=callbacks,
    )
    if callbacks is not None and not callbacks.startswith("http://"):
        raise click.BadParameter("should be an address that begins with http://", param_hint="--callbacks")
    collect_as_usual()
    trio.run(until_signalled, functools.partial(_serve, serving, listen))


async def _serve(serving: Callable[..., Awaitable[None]], listen: str, stop: "trio.Event") -> None:
    import trio

    from monitor.simulation.sandbox import DEFAULT_CREDENTIALS

    async with trio.open_nursery() as nursery:
        try:
            url, _ = await nursery.start(serving)
        except* (OSError, ValueError) as error:
            raise ListenError(
                f"The sandbox cannot listen on {listen}: {_reason(error)}; choose another with --listen"
            ) from None
        application_id, secret = DEFAULT_CREDENTIALS
        say_lines(_HINTS.format(url=url, application_id=application_id, application_secret=secret))
        await stop.wait()
        nursery.cancel_scope.cancel()


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (error.strerror or str(error)) if isinstance(error, OSError) else "write it like 127.0.0.1:9480"
