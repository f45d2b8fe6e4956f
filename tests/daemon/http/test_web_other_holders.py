"""Pages of a daemon that does not hold all accounts: they say of which accounts their numbers are, and who has the others."""

import re
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path

import httpx
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.fleet.fleet_json import fleet_json
from monitor.daemon.fleet.others import OthersReader
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.daemon.read.daemon_reader import DaemonReader
from monitor.model.fleet import Fleet, LeaseView, WorkerView
from monitor.runtime.clock import MINUTE, SECOND, Duration, iso
from monitor.store.async_store import AsyncStore
from monitor.store.leases import LEASE_TTL
from monitor.store.sqlite import open_sqlite
from tests.daemon.test_shared_pipeline import reload
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import traffic
from tests.fakes.shared_worker import SHARED, THREE_ACCOUNTS, SharedWorker
from tests.fakes.written import settings

RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 1h, above: 20%}]"
CONFIG = f"""
{THREE_ACCOUNTS}
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops, group_wait: 0s}}
web: off
{SHARED}
"""
OTHER = "http://127.0.0.1:19466/"
LIVES = 6 * SECOND


def fleet_of(held: Collection[str]) -> Fleet:
    """The asked daemon holds ``held``, the other one the rest of a and b; nobody holds c."""
    workers = (
        WorkerView(1, "one:11", "0.1.0", OTHER, 0, LIVES, ("a", "b", "c"), ("b", "c"), ("it cannot poll it",) * 2),
        WorkerView(2, "two:22", "0.1.0", "", 0, LIVES),
        WorkerView(3, "three:33", "0.1.0", OTHER, 0, -MINUTE),
    )
    leases = tuple(LeaseView(name, 1, 2 if name in held else 1, 0, LIVES) for name in ("a", "b"))
    return Fleet(workers, (*leases, LeaseView("c", 1, None, None)))


@asynccontextmanager
async def browsing(held: Collection[str]) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A browser at a daemon with the accounts ``held``, while Cosmote fails on account a, which another one holds, and is fine on b.

    Gives the fingerprint of the alert too.
    """
    clock, store, written = HandClock(), MemoryStore(), settings(RULES, CONFIG)
    holder, asked = SharedWorker(written, clock, store), SharedWorker(written, clock, store)
    await holder.start(("a",))
    await asked.start(held)
    for worker, account, bad in ((holder, "a", 9), *((asked, name, 0) for name in held)):
        rows = [
            row | {"messageId": f"{account}{number}", "date": clock.at}
            for number, row in enumerate(traffic(bad, operator="Cosmote", country="GR"))
        ]
        await worker.poll(account, rows, clock.at)
    others = frozenset({"a", "b", "c"} - set(held))
    secret = store.secret("recipients")
    await OthersReader(asked.front, asked.pipeline, lambda: asked.present, secret, lambda: others).read(others)
    [alert] = holder.firing("a")
    async with at(asked, held) as browser:
        yield browser, alert.fingerprint


@asynccontextmanager
async def at(
    asked: SharedWorker,
    held: Collection[str],
    age: Duration = 0,
    shown: tuple[Fleet, int, list[str]] | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    with tempfile.TemporaryDirectory() as folder, closing(open_sqlite(Path(folder, "past.db"))) as past:
        front = AsyncStore(past)
        reader = DaemonReader(asked.pipeline, front, lambda: asked.present.settings)
        now = asked.clock.now()
        fleet = partial(fleet_json, *(shown or (fleet_of(held), 2, ["a", "b", "c"])), as_of=now - age, now=now)
        app = ReloadableApp(Web(), asked.present.config, asked.pipeline, front, reader, fleet=fleet)
        async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
            yield browser


async def seen(browser: httpx.AsyncClient, path: str) -> str:
    """A page's text without its markup, with the addresses of its links."""
    answer = await browser.get(path)
    assert answer.status_code == 200, path
    text = answer.text[answer.text.index("<body") :]
    return " ".join(re.sub(r'<(?:a [^>]*href="([^"]*)"|[^>]*)[^>]*>', r" \1 ", text).split())


async def test_a_daemon_that_was_killed_is_shown_with_when_it_was_last_heard_of() -> None:
    async with browsing(("b",)) as (browser, _):
        said = await seen(browser, "/")
    last_seen = iso(HandClock().at - MINUTE - LEASE_TTL)[:19].replace("T", " ")
    assert f"three:33 0.1.0 1970-01-01 00:00 UTC not heard of since {last_seen} UTC" in said


async def test_a_daemon_of_which_nothing_was_heard_for_seconds_is_marked_although_it_still_holds_its_accounts() -> None:
    clock, store, written = HandClock(), MemoryStore(), settings(RULES, CONFIG)
    alone = SharedWorker(written, clock, store)
    await alone.start(("b",))
    fleet = fleet_of(("b",))
    silent = replace(fleet.workers[0], expires_in=LEASE_TTL - 4 * SECOND)
    async with at(
        alone, ("b",), shown=(replace(fleet, workers=(silent, *fleet.workers[1:])), 2, ["a", "b"])
    ) as browser:
        said = await seen(browser, "/")
    at_that_time = iso(clock.at - 4 * SECOND)[:19].replace("T", " ")
    assert said.count(f" UTC a no sign of life since {at_that_time} UTC leaves") == 1
    assert said.count("no sign of life") == 1


async def test_every_page_says_of_which_account_its_numbers_are_and_leads_to_the_others() -> None:
    async with browsing(("b",)) as (browser, fingerprint):
        for path, there in (("/", ""), ("/rules", "rules"), ("/rules/Failing", "rules/Failing"), ("/searches", "")):
            said = await seen(browser, path)
            assert "Numbers, charts and messages here are those of account b ." in said, path
            assert f"Those of a are at {OTHER}{there} one:11 ." in said, path
            assert "No daemon works for c yet." in said, path
        assert "Cosmote b" in await seen(browser, "/rules/Failing"), "the group with the account that it is of"
        assert f"{OTHER}alerts/{fingerprint} there" in await seen(browser, f"/alerts/{fingerprint}")


async def test_the_first_page_names_the_account_of_its_heat_map_and_charts() -> None:
    async with browsing(("b",)) as (browser, _):
        said = await seen(browser, "/")
    assert "on account a" in said
    assert "Delivery by country and operator of b in the last hour" in said
    assert "Delivery of b the last 6 hours" in said


async def test_an_alert_of_another_daemons_account_leads_to_what_explains_it() -> None:
    async with browsing(("b",)) as (browser, fingerprint):
        said = await seen(browser, f"/alerts/{fingerprint}")
    assert "This alert is of account a, which one:11 holds: its chart, its causes and its messages are" in said


async def test_a_standby_does_not_say_that_a_rule_has_no_groups() -> None:
    async with browsing(()) as (browser, _):
        said = await seen(browser, "/rules/Failing")
    assert "This daemon holds no account, so it has no numbers, charts or messages. Those of a, b are at" in said
    assert "A group appears with its first message" not in said
    assert "This daemon holds no account, so it knows no groups" in said


async def test_a_daemon_that_holds_all_accounts_says_nothing_of_it() -> None:
    clock, store, written = HandClock(), MemoryStore(), settings(RULES, CONFIG)
    alone = SharedWorker(written, clock, store)
    await alone.start(("a", "b", "c"))
    async with at(alone, ("a", "b")) as browser:
        assert "Numbers, charts" not in (await browser.get("/rules")).text


async def test_the_first_page_says_since_when_nothing_was_heard_of_the_other_daemons() -> None:
    clock, store, written = HandClock(), MemoryStore(), settings(RULES, CONFIG)
    alone = SharedWorker(written, clock, store)
    await alone.start(("a",))
    for age, is_said in ((SECOND, False), (40 * SECOND, True)):
        async with at(alone, ("a",), age) as browser:
            said = await seen(browser, "/")
        assert ("this daemon has not heard from the store since" in said) == is_said


async def test_the_daemons_say_what_they_leave_to_others_and_why() -> None:
    async with browsing(["b"]) as (browser, _):
        page = (await browser.get("/")).text
    assert page.count("to others") == 1
    assert "leaves b, c to others: it cannot poll it" in page


async def test_an_alert_whose_rule_is_gone_here_says_what_it_waits_for_and_leads_to_no_rule() -> None:
    clock, store, written = HandClock(), MemoryStore(), settings(RULES, CONFIG)
    holder, other = SharedWorker(written, clock, store), SharedWorker(written, clock, store)
    await holder.start(("a",))
    await other.start(("b",))
    rows = [row | {"messageId": f"{i}", "date": clock.at} for i, row in enumerate(traffic(9, operator="Cosmote"))]
    await holder.poll("a", rows, clock.at)
    [alert] = holder.firing("a")
    async with at(holder, ()) as browser:
        before = await seen(browser, f"/alerts/{alert.fingerprint}")
    assert "/rules/Failing Failing" in before
    assert "removed, or not read yet here" not in before
    await reload(holder, CONFIG, "rules: []")
    async with at(holder, ()) as browser:
        said = await seen(browser, f"/alerts/{alert.fingerprint}")
    assert (
        "Rule Failing of account a is not in this daemon's configuration: removed, or not read yet here."
        in unescape(said)
    )
    assert "it waits for host-1, which runs with other rules: reload it." in said
    assert "/rules/Failing" not in said


async def test_an_account_that_was_removed_everywhere_is_marked_and_not_said_to_have_numbers() -> None:
    clock, store, written = HandClock(), MemoryStore(), settings(RULES, CONFIG)
    holder, other = SharedWorker(written, clock, store), SharedWorker(written, clock, store)
    await holder.start(("a", "b"))
    await other.start(("c",))
    without_b = "\n".join(line for line in CONFIG.splitlines() if "name: b," not in line and "account: b" not in line)
    for one in (holder, other):
        await reload(one, without_b, RULES)
    wanted = tuple(account.name for account in holder.present.config.accounts)
    assert wanted == ("a", "c")
    leases = tuple(LeaseView(name, 1, number, 0, LIVES) for name, number in (("a", 2), ("b", 2), ("c", 1)))
    fleet = Fleet(tuple(WorkerView(one, f"w:{one}", "0.1.0", "", 0, LIVES, wanted) for one in (1, 2)), leases)
    for asked, number, held in ((holder, 2, "a"), (other, 1, "c")):
        async with at(asked, (), shown=(fleet, number, list(wanted))) as browser:
            said = await seen(browser, "/")
        assert "a, b (removed)" in said
        assert f"Numbers, charts and messages here are those of account {held} ." in said
        assert "Those of b" not in said
        assert "Those of a, b" not in said
