"""Gets the messages of a backtest from the daemon's store or from Routee."""

from collections.abc import Sequence
from dataclasses import replace

import click
import trio

from monitor.cli.left_out_accounts import warn_of
from monitor.cli.output import say
from monitor.cli.progress import progress
from monitor.cli.read_store import stored_state
from monitor.cli.times import When
from monitor.config.monitor import Config
from monitor.daemon.account_client import routee_client
from monitor.daemon.validate import SettingsWithTemplates
from monitor.daemon.window_restore import readable_window
from monitor.ingest.poll.plan import horizon
from monitor.model.privacy import RecipientMask
from monitor.runtime.clock import MINUTE, Duration, Instant, SystemClock, format_duration, iso
from monitor.runtime.dataclass import dataclass
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.simulation.backtest.fetch import Fetched, fetch
from monitor.simulation.backtest.run import AccountMessages
from monitor.store.protocol import LeftOut


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """The requested span; ``reach`` is how far back the rules read."""

    since: When
    until: When | None
    reach: Duration

    def span(self, now: Instant) -> tuple[Instant, Instant]:
        """Returns the beginning and end of the span; ``now`` is the latest instant that can be evaluated. Raises click.UsageError."""
        until = now if self.until is None else min(self.until.relative_to(now), now)
        since = self.since.relative_to(until)
        if since >= until:
            raise click.UsageError(f"--since ({iso(since)}) is not before --until ({iso(until)})")
        return since, until


@dataclass(frozen=True, slots=True)
class History:
    """Messages, and the span for which they are complete enough. ``every`` is how often the searches are polled."""

    accounts: Sequence[AccountMessages]
    since: Instant
    until: Instant
    every: Duration
    messages: int
    known: Duration
    """How long before ``until`` the oldest message was."""
    note: str


def from_store(loaded: SettingsWithTemplates, wanted: HistoryQuery) -> History:
    """Returns the messages of the daemon's store. Raises StoreError."""
    config = loaded.settings.config
    accounts, left_out = [], list[LeftOut]()
    with stored_state(loaded.settings.config) as (store, kept):
        key = store.secret("recipients")
        cursors = kept.cursors
        if not cursors:
            raise StoreError(
                f"the store {config.store_location} holds no complete poll yet: start the daemon, or use --from-api"
            )
        for account in config.accounts:
            own = [cursor for cursor in cursors if cursor.account == account.name]
            if own:
                with progress(f"reading the messages of {account.name}"):
                    window = readable_window(store, account.name, config, key, left_out)
                if window is None:
                    continue
                covered = max(cursor.covered_since for cursor in own)
                slack = 2 * max(search.every for search in config.searches)
                accounts.append(AccountMessages(window, [cursor.search for cursor in own], covered, slack))
    warn_of(left_out)
    if left_out and not accounts:
        raise StoreDamaged(left_out[0].said)
    read = {one.known.account for one in accounts}
    since, until = wanted.span(min(cursor.as_of for cursor in cursors if cursor.account in read))
    note = "From the daemon's store: of each message its first report and its latest one."
    return _history(accounts, since, until, config, note)


def from_routee(loaded: SettingsWithTemplates, wanted: HistoryQuery) -> History:
    """Returns the messages that Routee still has, at most 7 days. Raises RouteeError."""
    config, clock = loaded.settings.config, SystemClock()
    since, until = wanted.span(clock.now())
    if since < horizon(clock.now()):
        say(f"Routee gives back 7 days at most: the backtest begins at {iso(horizon(clock.now()))[:16]}Z", err=True)
        since = horizon(clock.now())
    if since >= until:
        raise click.UsageError(f"--until ({iso(until)}) lies before the 7 days that Routee gives back")
    fetched = trio.run(_fetch_all, config, since - wanted.reach, until)
    for one in fetched:
        for search in one.moving:
            say(f"search {search}: its pages moved while they were read; a few messages may be missing", err=True)
    note = "From Routee: of each message its latest report, and when it was sent as far as its latency tells."
    return _history([one.account for one in fetched], since, until, config, note)


async def _fetch_all(config: Config, start: Instant, until: Instant) -> list[Fetched]:
    clock, privacy = SystemClock(), RecipientMask(config.privacy.recipients)
    fetched = []
    for account in config.accounts:
        searches = [search for search in config.searches if search.account == account.name]
        if not searches:
            continue
        with progress(f"fetching {account.name}") as report:
            async with routee_client(account, clock) as client:
                fetched.append(
                    await fetch(
                        client, searches, start, until, privacy, clock, lambda _, done, total: report(done, total)
                    )
                )
    return fetched


def _history(accounts: Sequence[AccountMessages], since: Instant, until: Instant, config: Config, note: str) -> History:
    if not accounts:
        raise StoreError("no account has a search, so there are no messages to judge")
    covered = max(account.covered_since for account in accounts)
    if covered >= until:
        raise StoreError(f"messages are known from {iso(covered)[:16]}Z on only: there is nothing to judge before")
    if covered - since > MINUTE:  # a difference of less than a minute is not worth a message
        say(f"messages are known from {iso(covered)[:16]}Z on only: the backtest begins there", err=True)
    since = max(since, covered)
    names = {(account.known.account, search) for account in accounts for search in account.searches}
    every = min(search.every for search in config.searches if (search.account, search.name) in names)
    messages = sum(_count(account, since, until) for account in accounts)
    zones = {account.name: account.time_zone for account in config.accounts}
    accounts = [replace(account, time_zone=zones[account.known.account]) for account in accounts]
    known = until - min((_oldest(account, until) for account in accounts), default=since)
    return History(
        accounts,
        since,
        until,
        every,
        messages,
        max(known, until - since),
        f"{note} Polled every {format_duration(every)}.",
    )


def _count(account: AccountMessages, since: Instant, until: Instant) -> int:
    columns = account.known.columns
    dates = columns["date"][: columns.length]
    return int(((dates > since) & (dates <= until)).sum())


def _oldest(account: AccountMessages, until: Instant) -> Instant:
    columns = account.known.columns
    return int(columns["date"][: columns.length].min()) if columns.length else until
