"""``routee-monitor search`` and ``track``: show messages as Routee returns them. The configuration's privacy decides how recipients are shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.cli.choices import unknown
from monitor.cli.every_page import every_page
from monitor.cli.load import read_config
from monitor.cli.options import config_option, json_option, level_option, since_option, wide_option
from monitor.cli.output import say
from monitor.cli.progress import progress
from monitor.cli.table import Column, print_json, print_table
from monitor.cli.times import When
from monitor.runtime.errors import MonitorError, RouteeRejected

if TYPE_CHECKING:
    from monitor.config.monitor import Account, Config, Search
    from monitor.model.batch import Batch
    from monitor.runtime.clock import Duration
    from monitor.store.protocol import QuarantinedRecord

Part = dict[str, Any]

_LARGEST_HASH_FREE_PART: Final = 65_536
"""From this value on, the key of a part is not its number (see `monitor.ingest.routee.tolerant`)."""
_QUARANTINED: Final = (
    Column("FIRST SEEN UTC", drop=1, whole=True),
    Column("LAST SEEN UTC", whole=True),
    "TIMES",
    "WHY",
    "RECORD",
)
_COLOURS: Final = {"Delivered": "green", "Failed": "red", "Undelivered": "red", "Unsent": "red"}


@click.command(short_help="Show the latest messages of a search.")
@click.argument("name", required=False)
@config_option
@json_option
@wide_option
@level_option
@click.option("--account", metavar="ACCOUNT", help="The account, if several have a search of that name.")
@since_option("1h", "How far back (1h), or a time; at most 7d.")
@click.option(
    "--status",
    metavar="STATUS",
    help="Only messages with this status: Queued, Sent, Delivered, Undelivered, Failed, Unsent.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="The most parts of messages to show: the latest ones.",
)
@click.option(
    "--set-aside",
    is_flag=True,
    help="Show instead what the daemon could not read: of this search; without NAME of all, and of its own store.",
)
def search(
    name: str | None,
    config: Path | None,
    as_json: bool,
    account: str | None,
    since: When,
    status: str | None,
    limit: int,
    set_aside: bool,
) -> None:
    """Show the latest messages that search NAME of the configuration finds, straight from Routee.

    \b
    Exit codes: 0 shown, also where there are none; 1 there is no such search;
    69 Routee cannot be reached; 78 bad configuration.
    """
    import trio

    status = None if status is None else _status(status)
    span = _span(since)
    if name is None and not set_aside:
        raise click.UsageError("Missing argument 'NAME'.")
    settings = read_config(config)
    if name is None:
        _print_all_quarantined(settings, account, as_json)
        return
    wanted = _search(name, account, settings)
    if set_aside:
        _print_quarantined(wanted, settings, as_json)
        return
    with progress("asking Routee"):
        found = trio.run(_latest, wanted, settings, span, status, limit)
    _print(found, as_json)


@click.command(short_help="Show the parts of one message.")
@click.argument("message_id")
@config_option
@json_option
@wide_option
@level_option
@click.option("--account", metavar="ACCOUNT", help="The account; default: the first that knows the message.")
def track(message_id: str, config: Path | None, as_json: bool, account: str | None) -> None:
    """Show every part of the message MESSAGE_ID as Routee has it now.

    \b
    Exit codes: 0 shown; 1 no account knows the message; 69 Routee cannot be
    reached; 78 bad configuration.
    """
    import trio

    settings = read_config(config)
    accounts = [one for one in settings.accounts if account in (None, one.name)]
    if not accounts:
        raise unknown("account", account or "", [one.name for one in settings.accounts])
    with progress("asking Routee"):
        found = trio.run(_parts, message_id, accounts, settings)
    _print(found, as_json)


def _search(name: str, account: str | None, config: "Config") -> "Search":
    named = [one for one in config.searches if one.name == name]
    if not named:
        raise unknown("search", name, [one.name for one in config.searches])
    found = [one for one in named if account in (None, one.account)]
    if not found:
        raise unknown("account with that search", account or "", [one.account for one in named])
    if len(found) > 1:
        raise MonitorError(
            f"several accounts have a search {name!r}: choose with --account {' or '.join(one.account for one in found)}"
        )
    return found[0]


async def _latest(search: "Search", config: "Config", since: "Duration", status: str | None, limit: int) -> list[Part]:
    """Returns the latest ``limit`` parts, newest first. The span grows until it holds enough, because the order of pages is not guaranteed."""
    from dataclasses import replace

    from monitor.daemon.account_client import routee_client
    from monitor.model.routee_query import Filter
    from monitor.runtime.clock import MINUTE, SystemClock

    question = search.question
    if status is not None:
        question = replace(question, filters=(*question.filters, Filter("status.status", status)))
    clock = SystemClock()
    account = next(one for one in config.accounts if one.name == search.account)
    async with routee_client(account, clock) as routee:
        now, span = clock.now(), min(since, MINUTE)
        while span < since and (await routee.search(question, now - span, now, size=1)).total < limit:
            span = min(span * 4, since)
        parts: list[Part] = []
        start = now - span
        async for page in every_page(lambda number: routee.search(question, start, now, page=number)):
            parts += _shown(page.batch, config)
            parts = sorted(parts, key=_newest_first, reverse=True)[:limit]
        return parts


def _newest_first(part: Part) -> tuple[Any, ...]:
    return part["date"], part["messageId"], part["part"] or 0


def _status(written: str) -> str:
    """Returns a status in Routee's spelling. A text unlike all known statuses may still be one of Routee's. Raises click.BadParameter."""
    from monitor.config.yaml import nearest
    from monitor.model.message import STATUSES

    near = nearest(written, STATUSES)
    if near is not None and near.lower() != written.lower():
        raise click.BadParameter(f"there is no status {written!r}; did you mean {near!r}?", param_hint="--status")
    if near is None:
        known = ", ".join(STATUSES)
        say(
            f"warning: {written!r} is not one of Routee's documented statuses ({known}); Routee is asked for it anyway",
            err=True,
        )
    return near or written


def _span(since: When) -> "Duration":
    """Returns how far back to search. Raises click.BadParameter if Routee does not go back that far."""
    from monitor.runtime.clock import DAY, SystemClock

    now = SystemClock().now()
    span = now - since.relative_to(now)
    if span > 7 * DAY:
        raise click.BadParameter("it is more than 7d ago; Routee gives back at most 7 days", param_hint="--since")
    if span <= 0:
        raise click.BadParameter("it is in the future", param_hint="--since")
    return span


async def _parts(message_id: str, accounts: "Sequence[Account]", config: "Config") -> list[Part]:
    """Returns the parts of the message in the first account that knows it."""
    from monitor.daemon.account_client import routee_client
    from monitor.runtime.clock import SystemClock

    for account in accounts:
        async with routee_client(account, SystemClock()) as routee:
            try:
                parts = _shown((await routee.single(message_id)).batch, config)
            except RouteeRejected:
                continue  # another account may have it; the end of the function reports if none does
        if parts:
            return sorted(parts, key=lambda part: (part["part"] or 0, part["date"]))
    names = ", ".join(account.name for account in accounts)
    raise MonitorError(f"no message {message_id!r} is known to {names}; Routee keeps messages for a while only")


def _shown(batch: "Batch", config: "Config") -> list[Part]:
    """Returns parts as they are printed."""
    from monitor.model.message import GROUPS_SEPARATOR, UNKNOWN
    from monitor.model.privacy import RecipientMask
    from monitor.runtime.clock import iso

    privacy = RecipientMask(config.privacy.recipients)
    batch.recipient = privacy.texts(batch.recipient)
    # A sender's hash distinguishes people, but without the store's key it would allow guessing numbers.
    names, directions = batch.coded.of_each("from"), batch.coded.of_each("direction")
    pairs = zip(names, privacy.senders(names, directions), strict=True)
    batch.replace("from", [kept if kept == name else kept.rpartition("#")[0] for name, kept in pairs])
    parts: list[Part] = []
    for row in batch.rows():
        date, number, groups = row["date"], row["part"], row["groups"]
        assert isinstance(date, int)
        assert isinstance(number, int)
        row["date"] = iso(date)
        row["part"] = number if number < _LARGEST_HASH_FREE_PART else None
        row["groups"] = [] if groups == UNKNOWN else str(groups).split(GROUPS_SEPARATOR)
        parts.append(row)
    return parts


def _print(parts: list[Part], as_json: bool) -> None:
    if as_json:
        print_json(parts)
        return
    if not parts:
        say("No messages.")
        return
    columns = (
        "STATUS DATE",
        "STATUS",
        Column("DETAILED STATUS", 1),
        "TO",
        Column("FROM", 4),
        Column("OPERATOR", 2),
        Column("COUNTRY", 3),
        Column("LATENCY", 5),
        Column("PART", 6),
        "MESSAGE ID",
    )
    print_table(columns, [_row(part) for part in parts], lambda row: _COLOURS.get(row[1]))


def _row(part: Part) -> tuple[str, ...]:
    from monitor.model.format import duration as spelt

    latency = part["latency"]
    return (
        part["date"],
        part["status"],
        "" if part["detailedStatus"] in ("unknown", part["status"]) else part["detailedStatus"],
        part["to"],
        part["from"],
        part["operator"],
        part["country"],
        "" if latency is None else spelt(float(latency)),
        f"{part['part'] or '?'}/{part['parts']}",
        part["messageId"],
    )


def _print_quarantined(search: "Search", config: "Config", as_json: bool) -> None:
    """Prints the records of one search that could not be read, those seen last first."""
    whose = (search.name, "")  # records without a search come from Routee's answers about the account's campaigns
    found = [one for one in _quarantined(config) if one.account == search.account and one.search in whose]
    if as_json:
        print_json([_quarantined_as_json(one) for one in found])
    elif not found:
        say("No records were set aside.")
    else:
        print_table(_QUARANTINED, [_quarantined_row(one) for one in found])


def _print_all_quarantined(config: "Config", account: str | None, as_json: bool) -> None:
    """Prints all that could not be read, of one account or all, and rows of the store that the daemon had to do without."""
    found = [one for one in _quarantined(config) if account in (None, one.account)]
    if as_json:
        print_json([{"account": one.account, "search": one.search} | _quarantined_as_json(one) for one in found])
    elif not found:
        say("No records were set aside.")
    else:
        print_table(("OF", *_QUARANTINED), [(_origin(one), *_quarantined_row(one)) for one in found])


def _quarantined(config: "Config") -> "list[QuarantinedRecord]":
    from monitor.store.open import open_store
    from monitor.store.protocol import QUARANTINED_KEPT

    with open_store(config.store_location, read_only=True) as store:
        return store.quarantined(QUARANTINED_KEPT)


def _origin(one: "QuarantinedRecord") -> str:
    """Returns ``main outbound``, ``main`` for what belongs to no search, or ``stored silences`` for rows of the store."""
    return f"{one.account} {one.search}".rstrip() if one.account else f"stored {one.search}"


def _quarantined_row(one: "QuarantinedRecord") -> tuple[str, ...]:
    from monitor.model.format import datetime

    form = "%m-%d %H:%M:%S"
    return datetime(one.first_at or one.at, form), datetime(one.at, form), str(one.seen), one.why, one.record


def _quarantined_as_json(one: "QuarantinedRecord") -> dict[str, Any]:
    from monitor.runtime.clock import iso

    seen = {"first_at": iso(one.first_at or one.at), "seen": one.seen}
    return {"at": iso(one.at), "why": one.why, "record": one.record} | seen
