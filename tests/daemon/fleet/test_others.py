"""Alerts of accounts that other daemons hold, as this one shows them: all of them to people, none to whatever sends."""

import gc
import weakref
from collections.abc import Collection

import msgspec
import pytest
import trio
import trio.testing

from monitor.daemon.alert_actions import AlertActions
from monitor.daemon.elsewhere import Elsewhere
from monitor.daemon.fleet.others import READ_EVERY, OthersReader
from monitor.model.label_fingerprint import label_fingerprint
from monitor.runtime.clock import MINUTE
from monitor.runtime.errors import StoreDamaged, StoreError
from monitor.store.protocol import Commit, StoredState
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import traffic
from tests.fakes.shared_worker import SHARED, THREE_ACCOUNTS, SharedWorker
from tests.fakes.written import settings

RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 1h, above: 20%}]"
COUNTED = "rules: [{name: Failing, kind: count, by: [operator], match: {status: Undelivered}, window: 1h, above: 3}]"
CONFIG = f"""
{THREE_ACCOUNTS}
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops, group_wait: 0s}}
web: off
{SHARED}
"""


class Stage:
    """Two workers on one store; the second one reads what is elsewhere."""

    def __init__(self, rules: str = RULES) -> None:
        self.clock, self.store = HandClock(), MemoryStore()
        written = settings(rules, CONFIG)
        self.rows_read: list[Collection[str]] = []
        self.holder, self.asked = (SharedWorker(written, self.clock, self.store) for _ in range(2))

    async def start(self) -> "Stage":
        await self.holder.start(("a",))
        await self.asked.start(("b",))
        self.actions = AlertActions(self.asked.pipeline)
        self.reader = OthersReader(
            self.asked.front,
            self.asked.pipeline,
            lambda: self.asked.present,
            self.store.secret("recipients"),
            lambda: ["a", "c"],
            self.rows_read.append,
        )
        return self

    async def fail(self, operator: str) -> None:
        self.clock.at += MINUTE
        rows = [
            row | {"messageId": f"{operator}{i}", "date": self.clock.at}
            for i, row in enumerate(traffic(9, operator=operator))
        ]
        await self.holder.poll("a", rows, self.clock.at)

    async def read(self, names: Collection[str] = ("a", "c")) -> None:
        await self.reader.read(frozenset(names))

    async def shown(self) -> list[str]:
        return sorted(one.view.labels["operator"] for one in (await self.actions.status()).alerts())


async def test_all_alerts_are_shown_but_only_own_ones_are_decided_on() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    assert await stage.shown() == []
    await stage.read()
    assert await stage.shown() == ["Cosmote"]
    [status] = (await stage.actions.status()).alerts()
    assert (status.view.labels["account"], status.receivers, status.state) == ("a", ("ops",), "firing")
    assert list((await stage.actions.own_status()).alerts()) == []
    assert list((await stage.actions.own_status()).firing("ops")) == []
    assert [cursor.account for cursor in stage.asked.pipeline.known_cursors()] == ["a"]
    assert list(stage.asked.pipeline.cursors()) == []


@pytest.mark.parametrize("name", ["its own", "that of its labels", "shortened"])
async def test_what_explains_an_alert_is_not_made_up_where_its_messages_are_not(name: str) -> None:
    stage = await Stage(COUNTED).start()
    for _ in range(4):
        await stage.fail("Cosmote")
    await stage.read()
    [alert] = stage.asked.pipeline.known_alerts()
    [status] = (await stage.actions.status()).alerts()
    of_labels = label_fingerprint(status.view.labels)
    names = {"its own": alert.fingerprint, "that of its labels": of_labels, "shortened": of_labels[:6]}
    explained = await stage.actions.explained(names[name])
    assert explained is not None
    assert explained.view.value == pytest.approx(alert.value)
    assert not any(value == 0 for value in explained.view.history), "counted in an empty window"


async def test_viewers_hear_of_changes_elsewhere_and_of_nothing_else() -> None:
    stage = await Stage().start()
    await stage.read()
    news = stage.asked.pipeline.news
    await stage.read()
    assert not news.is_set()
    await stage.fail("Vodafone")
    await stage.read()
    assert news.is_set()
    assert await stage.shown() == ["Vodafone"]


async def test_an_account_that_is_taken_over_is_shown_once() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    await stage.read()
    await stage.holder.pipeline.release("a")
    await stage.asked.adopt("a")
    assert await stage.shown() == ["Cosmote"]
    assert stage.asked.pipeline.elsewhere.accounts.keys() == {"c"}
    await stage.read(())
    assert stage.asked.pipeline.elsewhere.accounts == {}


async def test_what_the_rules_of_others_keep_is_not_read() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    read = stage.store.rule_states_read
    await stage.read()
    [alert] = stage.asked.pipeline.known_alerts()
    await stage.actions.acknowledge(alert.fingerprint, "Ann")
    assert stage.store.rule_states_read == read


async def test_an_account_that_was_lost_is_shown_as_last_known_until_the_store_is_read() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    [alert] = [alert for _, alert in stage.holder.pipeline.accounts["a"].evaluator.every_alert()]
    await stage.holder.actions.acknowledge(alert.fingerprint, "joe", "on it")
    before = [*(await stage.holder.actions.status()).alerts()]
    await stage.holder.pipeline.release("a")
    assert [one.ack is not None for one in before] == [True]
    assert [*(await stage.holder.actions.status()).alerts()] == before
    assert list((await stage.holder.actions.own_status()).alerts()) == []


async def test_what_was_last_known_gives_way_to_what_the_store_has_even_if_that_is_what_was_read_before() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    await stage.read()
    shown = stage.asked.pipeline.elsewhere
    await stage.asked.adopt("a")
    await stage.asked.pipeline.release("a")
    assert await stage.shown() == ["Cosmote"]
    assert stage.asked.pipeline.elsewhere.accounts["a"] is not shown.accounts["a"]
    await stage.read()
    assert stage.asked.pipeline.elsewhere.accounts["a"].evaluator.window.messages == 0


async def test_only_accounts_that_changed_are_made_anew() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    await stage.read()
    before = stage.asked.pipeline.elsewhere
    await stage.fail("Vodafone")
    await stage.read()
    after = stage.asked.pipeline.elsewhere
    assert after.accounts["a"] is not before.accounts["a"]
    assert after.accounts["c"] is before.accounts["c"]
    stage.asked.present = SharedWorker(settings(RULES, CONFIG), stage.clock, stage.store).present
    await stage.read()
    assert stage.asked.pipeline.elsewhere.accounts["c"] is not before.accounts["c"], "another configuration is in force"


async def test_an_account_of_thousands_of_alerts_is_made_anew_when_the_last_of_them_changes() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    first = stage.store.load(["a"]).alerts[0]
    many = [msgspec.structs.replace(first, account="c", group=(("operator", str(one)),)) for one in range(1_000)]
    stage.store.commit(Commit(alerts=many))
    await stage.read()
    before = stage.asked.pipeline.elsewhere.accounts["c"]
    await stage.read()
    assert stage.asked.pipeline.elsewhere.accounts["c"] is before
    stored = stage.store.load(["c"]).alerts
    stage.store.commit(Commit(alerts=[msgspec.structs.replace(stored[-1], value=0.5)]))
    await stage.read()
    after = stage.asked.pipeline.elsewhere.accounts["c"]
    assert after is not before
    assert [alert.value for _, alert in after.evaluator.every_alert()].count(0.5) == 1


async def test_what_was_shown_of_an_account_is_not_kept_once_it_is_not_there() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    await stage.read()
    assert await stage.shown() == ["Cosmote"]
    shown = weakref.ref(stage.asked.pipeline.elsewhere.accounts["a"].evaluator)
    stage.reader = None  # type: ignore[assignment]  # it keeps what it has read, to compare
    stage.asked.pipeline.show_elsewhere(Elsewhere())
    assert await stage.shown() == []
    gc.collect()
    assert shown() is None


async def test_other_tasks_run_while_accounts_of_others_are_read() -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    loaded = stage.store.load(["a", "c"])
    many = [msgspec.structs.replace(loaded.alerts[0], group=(("operator", str(one)),)) for one in range(1_000)]
    others = [msgspec.structs.replace(one, account="c") for one in many]
    stage.store.commit(Commit(alerts=[*many, *others]))
    turns, made = 0, False

    async def count() -> None:
        nonlocal turns
        while not made:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        await stage.read()
        made = True
    assert len(await stage.shown()) == 2_001
    assert turns > 10, "each piece lets the others have a turn"


async def test_a_store_that_cannot_be_read_for_long_is_read_soon_again(autojump_clock: trio.testing.MockClock) -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    tries: list[float] = []

    async def away(accounts: Collection[str] | None = None, **_: object) -> StoredState:
        tries.append(trio.current_time())
        if len(tries) > 1:
            return stage.store.load(accounts)
        await trio.sleep(4)
        raise StoreError("the server does not answer")

    stage.asked.front.load = away  # type: ignore[method-assign]  # the way to the server
    with trio.move_on_after(8):
        await stage.reader.run()
    assert tries[:2] == [0, 4 + READ_EVERY]
    assert await stage.shown() == ["Cosmote"]


@pytest.mark.parametrize(("account", "shown"), [("c", ["Cosmote", "Wind"]), ("a", ["Cosmote"])])
async def test_an_account_whose_rows_are_damaged_is_shown_as_it_was_and_hides_no_other(
    account: str, shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    stage = await Stage().start()
    await stage.fail("Cosmote")
    await stage.read()

    async def damaged(accounts: Collection[str] | None = None, **_: object) -> StoredState:
        if accounts is None or account in accounts:
            raise StoreDamaged("a stored alert cannot be read")
        return stage.store.load(accounts)

    stage.asked.front.load = damaged  # type: ignore[method-assign]  # a row that cannot be read
    await stage.fail("Wind")
    await stage.read()
    assert await stage.shown() == shown
    assert f"account {account} is shown as it was last: a stored alert cannot be read" in caplog.text
    assert account in stage.rows_read[0]
    assert set(stage.rows_read[-1]) == {"a", "c"} - {account}, "whose rows can be read"
