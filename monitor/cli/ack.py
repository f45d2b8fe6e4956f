"""``routee-monitor ack``: acknowledges alerts."""

import getpass
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.api_answers import AcknowledgedAlert, AlertAnswer, holds
from monitor.cli.daemon_api import DaemonApi, DaemonRefused, daemon_api
from monitor.cli.options import config_option, duration_text, url_option
from monitor.cli.output import say
from monitor.cli.silenced import named_alert, suggestion

if TYPE_CHECKING:
    from monitor.model.alert_names import NamedAlert

_FINGERPRINT: Final = re.compile("[0-9a-f]{1,16}")
"""Matches a fingerprint and the beginning of one, also if it is too short."""


@click.command(short_help="Acknowledge alerts: no repeats until they resolve.")
@click.argument("alerts", metavar="ALERT...", nargs=-1, required=True)
@config_option
@url_option
@click.option(
    "--by", default=getpass.getuser, metavar="NAME", help="Who takes care of it; default: you.", show_default=False
)
@click.option("--comment", default="", help="What is being done.")
@click.option(
    "--for", "lasts", type=duration_text, metavar="DURATION", help="For how long; default: until it resolves."
)
@click.option("--undo", is_flag=True, help="Remove the acknowledgement.")
def ack(
    alerts: tuple[str, ...], config: Path | None, url: str | None, by: str, comment: str, lasts: str | None, undo: bool
) -> None:
    """Acknowledge alerts. They are not repeated until they resolve. Receivers are still notified when they get worse or resolve.

    ALERT is a fingerprint (of `alerts --json`, amtool and webhooks, or of the log and the alert's page) or its first characters, at least 4;
    or a matcher: operator=Cosmote.

    \b
    Exit codes: 0 done; 1 no such alert fires, or refused, with the reason;
    69 no daemon answers.
    """
    api = daemon_api(config, url)
    found = {one["fingerprint"]: one for text in alerts for one in _meant(api, text)}
    body = {"by": by, "comment": comment} | ({"for": lasts} if lasts else {})
    refused: list[DaemonRefused] = []
    for fingerprint, alert in found.items():
        path = f"/api/v1/alerts/{fingerprint}/acknowledgement"
        try:
            answer = api.delete(path) if undo else api.post(path, body)
        except DaemonRefused as why:  # one of several alerts may have ended meanwhile, or was never acknowledged
            refused.append(why)
        else:
            known = alert if alert["labels"] or not holds(answer, AcknowledgedAlert) else answer
            say(f"{named_alert(known)}: {'no longer acknowledged' if undo else 'acknowledged'}")
    if len(refused) == len(found):
        raise refused[0]


def _by_name(text: str, firing: list[dict[str, Any]]) -> str:
    """Returns how to write the text as a matcher, if it is an alert's name rather than a fingerprint."""
    from monitor.config.yaml import nearest

    near = nearest(text, sorted({one["labels"]["alertname"] for one in firing}))
    return f"; did you mean alertname={near}?" if near is not None else ""


def _known(alerts: list[dict[str, Any]]) -> "list[NamedAlert]":
    from monitor.model.alert_names import NamedAlert

    # a daemon of an earlier version says only the fingerprints of labels
    return [NamedAlert(one.get("ownFingerprint", ""), one["fingerprint"], one["labels"]) for one in alerts]


def _named(text: str, firing: list[dict[str, Any]], pending: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the alert that a fingerprint, or the beginning of one, names. Raises AmbiguousName and click.ClickException."""
    from monitor.model.alert_names import LONGEST, SHORTEST, alert_named

    found = alert_named(text, _known(firing))
    if found is None and (waits := alert_named(text, _known(pending))) is not None:
        raise _pending({"labels": waits.labels})
    if found is not None:
        return {"fingerprint": found.own or found.of_labels, "labels": found.labels}
    if len(text) == LONGEST:  # of an alert that is over, whose acknowledgement the daemon may still have
        return {"fingerprint": text, "labels": {}}
    if len(text) < SHORTEST:
        raise click.ClickException(
            f"{text!r} is too short for a fingerprint: write at least {SHORTEST} characters of it"
        )
    raise _unknown(text, firing)


def _pending(alert: dict[str, Any]) -> click.ClickException:
    return click.ClickException(
        f"{named_alert(alert)} is pending: it does not fire yet, and can be acknowledged only once it does"
    )


def _unknown(text: str, firing: list[dict[str, Any]]) -> click.ClickException:
    return click.ClickException(
        f"no alert with the fingerprint {text!r} fires{_by_name(text, firing)}; see `routee-monitor alerts`"
    )


def _meant(api: DaemonApi, text: str) -> list[dict[str, Any]]:
    """Returns the firing alerts that a text selects. Raises click.ClickException."""
    from monitor.routing.matchers import matches, parse_matchers

    firing, pending = list[dict[str, Any]](), list[dict[str, Any]]()
    for one in api.get("/api/v2/alerts", list[AlertAnswer]):
        (pending if one["status"]["state"] == "unprocessed" else firing).append(one)
    if _FINGERPRINT.fullmatch(text):
        return [_named(text, firing, pending)]
    try:
        wanted = parse_matchers(text)
    except ValueError:
        raise _unknown(text, firing) from None
    found = [one for one in firing if matches(wanted, one["labels"])]
    if not found:
        for one in pending:
            if matches(wanted, one["labels"]):
                raise _pending(one)
        raise click.ClickException(
            f"no firing alert matches {text}{suggestion(wanted, firing)}; see `routee-monitor alerts`"
        )
    return found
