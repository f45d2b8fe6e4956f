"""What a worker does with the accounts that it holds, those that it does not, and none at all."""

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from monitor.daemon.morning_report import MorningReport
from monitor.daemon.pipeline_commits import PipelineConfig
from monitor.daemon.restore import order_of, reloaded_accounts, reloaded_dispatcher, state_for_reload
from monitor.daemon.rule_sets import RuleSets, announced
from monitor.dispatch.dispatcher import SuppressionEdits
from monitor.dispatch.missing_alerts import MISSING_FOR
from monitor.dispatch.scheduled_report import KEY as REPORT
from monitor.model.builtin_alerts import INTERNAL_ERROR, NOTIFICATION_FAILING, finding
from monitor.model.fleet import Fleet, WorkerView
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import DAY, HOUR, MINUTE, parse_iso
from monitor.runtime.errors import LeaseLost, NothingThere, StoreError
from monitor.store.protocol import BEFORE_ALL_TEXTS, Commit, Texts
from tests.fakes.hand_clock import HandClock
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import traffic
from tests.fakes.shared_worker import SHARED, SharedWorker, present_of
from tests.fakes.written import settings

RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 1m, above: 20%}]"
CONFIG = f"""
accounts:
  - {{name: a, application_id: id, application_secret: secret}}
  - {{name: b, application_id: id, application_secret: secret}}
searches:
  - {{name: all, account: a, every: 1d}}
  - {{name: all, account: b, every: 1d}}
rules: [rules.yaml]
receivers: [{{name: ops, console: [{{}}]}}]
route: {{receiver: ops, group_wait: 0s}}
watchdog: {{receiver: ops, every: 5m}}
report: {{receiver: ops, at: "08:00", time_zone: UTC}}
web: off
{SHARED}
"""
WRITTEN = settings(RULES, CONFIG)
N = "  - {name: n, application_id: id, application_secret: secret}"
SEARCH_OF_N = "  - {name: all, account: n, every: 1d}"


class Pair:
    """Two workers on one store, ``first`` with the account a and ``second`` with b."""

    def __init__(self) -> None:
        self.clock, self.store = HandClock(), MemoryStore()
        self.first, self.second = (SharedWorker(WRITTEN, self.clock, self.store) for _ in range(2))

    async def start(self, first: Sequence[str] = ("a",), second: Sequence[str] = ("b",)) -> "Pair":
        await self.first.start(first)
        await self.second.start(second)
        return self

    async def fail(self, worker: SharedWorker, account: str, failing: int = 9) -> None:
        self.clock.at += MINUTE
        rows = [
            row | {"messageId": f"{account}{self.clock.at}{i}", "date": self.clock.at}
            for i, row in enumerate(traffic(failing, operator="Cosmote"))
        ]
        await worker.poll(account, rows, self.clock.at)

    def reasons(self, account: str) -> list[str]:
        """Returns the reasons of the account's notifications of alerts."""
        found = [one.notification for one in self.store.outbox if one.account == account]
        return [one.reason for one in found if one.group_key not in ("{watchdog}", REPORT)]


def silence(pair: Pair, name: str = "s1") -> Silence:
    now, wanted = pair.clock.at, (Matcher("operator", "=", "Cosmote"),)
    return Silence(name, wanted, now, now + HOUR, "Ann", "why", now)


class DistrustedClock(HandClock):
    """A clock by which nothing may be forgotten."""

    may_forget = False


async def test_a_worker_whose_clock_is_not_trusted_keeps_the_silences_of_all() -> None:
    pair = await Pair().start()
    await pair.first.actions.put_silence(silence(pair))
    wrong = DistrustedClock()
    wrong.at = pair.clock.at + 40 * DAY
    third = SharedWorker(WRITTEN, wrong, pair.store)
    await third.start()
    await third.pipeline.flush(SuppressionEdits)
    assert [one.id for one in pair.store.load().silences] == ["s1"]
    pair.clock.at += 40 * DAY
    await pair.first.pipeline.flush(SuppressionEdits)
    assert pair.store.load().silences == []


async def test_a_worker_without_accounts_waits_and_takes_edits() -> None:
    pair = await Pair().start((), ())
    standby = pair.first.pipeline
    await standby.flush()
    assert (standby.default_account, standby.next_flush, list(standby.alerts())) == (None, None, [])
    assert not await standby.catch_up()
    await pair.first.actions.put_silence(silence(pair))
    assert [one.id for one in pair.store.load().silences] == ["s1"]
    assert pair.store.outbox == []


async def test_a_failed_commit_of_an_account_that_is_gone_keeps_no_worker_from_being_ready() -> None:
    pair = await Pair().start(("a", "b"), ())
    health = pair.first.services.health
    health.searches([])
    pair.store.failures = 1
    with pytest.raises(StoreError):
        await pair.fail(pair.first, "a")
    assert health.unready() == ["The store cannot be written: the disk is full"]
    await pair.first.pipeline.release("b")
    assert health.unready(), "that says nothing about it"
    await pair.first.pipeline.release("a")
    assert health.unready() == [], "nothing that it commits could end it"


async def test_a_commit_for_an_account_that_another_worker_has_is_no_trouble_of_the_store() -> None:
    pair = await Pair().start()
    pair.first.services.health.searches([])
    pair.store.refused = LeaseLost(("a",))
    with pytest.raises(LeaseLost):
        await pair.fail(pair.first, "a")
    assert pair.first.services.health.unready() == []


async def test_what_comes_of_an_account_that_is_not_held_any_more_is_dropped() -> None:
    pair = await Pair().start()
    gone, sink = pair.first.pipeline.accounts["a"], pair.first.sinks["a"]
    await pair.first.pipeline.release("a")
    before = len(pair.store.commits)
    await pair.fail(pair.first, "a")
    await sink.blind("all", pair.clock.at, "no answer")
    gone.changed = 1_000_000
    await pair.first.pipeline.commit_rows(gone)
    await pair.first.pipeline.release("a")
    assert len(pair.store.commits) == before
    with pytest.raises(StoreError):
        await pair.first.pipeline.push("a", lambda account: None)


async def test_a_poll_that_outlasts_its_account_changes_nothing_where_the_account_came_back() -> None:
    pair = await Pair().start()
    sink = pair.first.sinks["a"]
    await pair.first.pipeline.release("a")
    await pair.first.adopt("a")
    pair.first.sinks["a"] = sink
    await pair.fail(pair.first, "a")
    assert pair.reasons("a") == []


async def test_handing_over_commits_what_is_left_and_stays_if_it_cannot() -> None:
    pair = await Pair().start()
    rows = [{"messageId": "m1", "date": pair.clock.at, "status": "Delivered"}]
    await pair.first.page("a", rows)
    pair.store.failures = 1
    with pytest.raises(StoreError):
        await pair.first.pipeline.hand_over("a")
    assert list(pair.first.pipeline.accounts) == ["a"]
    await pair.first.pipeline.hand_over("a")
    await pair.second.adopt("a")
    assert pair.second.pipeline.accounts["a"].evaluator.window.messages == 1
    assert list(pair.second.pipeline.accounts) == ["a", "b"], "as in the configuration"


async def test_a_commit_is_about_its_account_alone_and_the_others_are_flushed_when_they_are_due() -> None:
    pair = await Pair().start(("a", "b"), ())
    worker = pair.first
    await pair.fail(worker, "a")
    assert pair.reasons("a") == ["first"]
    repeat = pair.clock.at + 4 * HOUR
    pair.clock.at = repeat - MINUTE
    await worker.pipeline.flush_due()
    await pair.fail(worker, "b")
    assert pair.clock.at == repeat
    assert (pair.reasons("a"), pair.reasons("b")) == (["first"], ["first"])
    assert worker.pipeline.next_flush == repeat
    await worker.pipeline.flush_due()
    assert (pair.reasons("a"), pair.reasons("b")) == (["first", "repeat"], ["first"])


async def test_an_alert_that_the_store_lost_counts_as_firing_no_longer_although_other_accounts_are_polled() -> None:
    pair = await Pair().start(("a", "b"), ())
    await pair.fail(pair.first, "a")
    pair.store.commit(Commit(dropped_alerts=[one.fingerprint for one in pair.first.firing("a")]))
    worker = SharedWorker(WRITTEN, pair.clock, pair.store)
    await worker.start(("a", "b"))
    pair.clock.at += MISSING_FOR - MINUTE
    await worker.pipeline.flush_due()
    assert pair.reasons("a") == ["first"]
    await pair.fail(worker, "b")
    await worker.pipeline.flush_due()
    assert pair.reasons("a") == ["first", "all resolved"]


async def test_an_acknowledgement_stays_while_other_accounts_are_polled_and_goes_with_its_alert() -> None:
    pair = await Pair().start(("a", "b"), ())
    worker = pair.first
    await pair.fail(worker, "a")
    [alert] = worker.firing("a")
    await worker.actions.acknowledge(alert.fingerprint, "Ann")
    await pair.fail(worker, "b")
    assert [one.fingerprint for one in pair.store.load().acks] == [alert.fingerprint]
    assert worker.pipeline.dispatcher.acks.keys() == {alert.fingerprint}
    await pair.fail(worker, "a", failing=0)
    await pair.fail(worker, "a", failing=0)
    assert worker.firing("a") == []
    assert (pair.store.load().acks, worker.pipeline.dispatcher.acks) == ([], {})


async def test_a_silence_that_ends_has_every_account_flushed() -> None:
    pair = await Pair().start(("a", "b"), ())
    worker = pair.first
    await worker.actions.put_silence(silence(pair))
    for account in ("a", "b"):
        await pair.fail(worker, account)
    assert pair.reasons("a") == pair.reasons("b") == []
    pair.clock.at += HOUR - 2 * MINUTE
    await worker.pipeline.flush_due()
    assert pair.reasons("a") == pair.reasons("b") == ["first"]


async def test_an_account_is_adopted_although_the_store_fails_and_begins_with_the_next_flush() -> None:
    pair = await Pair().start((), ())
    await pair.first.adopt("a")
    await pair.fail(pair.first, "a")
    await pair.first.pipeline.release("a")
    pair.clock.at += 10 * HOUR  # a repeat is due
    pair.store.failures = 1
    await pair.second.adopt("a")
    assert (pair.second.pipeline.begin_is_due, pair.reasons("a")) == (True, ["first"])
    await pair.second.pipeline.begin()
    assert (pair.second.pipeline.begin_is_due, pair.reasons("a")) == (False, ["first", "repeat"])


async def test_adopting_an_account_begins_nothing_but_that_account() -> None:
    pair = await Pair().start(("a",), ())
    pipeline, flushes = pair.first.pipeline, 0

    async def begin_as_soon_as_it_is_due() -> None:  # as the flush timer does
        while not pipeline.begin_is_due:
            await trio.lowlevel.checkpoint()
        await pipeline.begin()

    async def count() -> None:
        nonlocal flushes
        while True:
            await pipeline.news.wait()
            flushes += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        async with trio.open_nursery() as adopting:
            adopting.start_soon(begin_as_soon_as_it_is_due)
            adopting.start_soon(pair.first.adopt, "b")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert (list(pipeline.accounts), pipeline.begin_is_due, flushes) == (["a", "b"], False, 1)


async def test_an_alert_is_acknowledged_at_any_worker() -> None:
    pair = await Pair().start()
    await pair.fail(pair.second, "b")
    [alert] = pair.second.firing("b")
    await pair.first.actions.acknowledge(alert.fingerprint, "Ann", "on it")
    assert pair.second.pipeline.dispatcher.acks == {}
    await pair.second.pipeline.suppressions_changed()
    assert pair.second.pipeline.dispatcher.acks[alert.fingerprint].words == "Ann: on it"
    await pair.first.pipeline.flush()
    assert len(pair.store.load().acks) == 1, "who does not hold the alert does not forget the acknowledgement"
    await pair.first.actions.unacknowledge(alert.fingerprint)
    await pair.second.pipeline.suppressions_changed()
    assert pair.second.pipeline.dispatcher.acks == {}
    assert [one.what for one in pair.store.transitions] == ["fired", "acknowledged", "unacknowledged"]


async def test_an_alert_that_is_over_cannot_be_acknowledged_anywhere() -> None:
    pair = await Pair().start()
    await pair.fail(pair.second, "b")
    [alert] = pair.second.firing("b")
    await pair.fail(pair.second, "b", failing=0)
    for worker in (pair.first, pair.second):
        with pytest.raises(NothingThere):
            await worker.actions.acknowledge(alert.fingerprint, "Ann")
        with pytest.raises(NothingThere):
            await worker.actions.unacknowledge(alert.fingerprint)


async def test_no_edit_is_made_on_silences_that_another_worker_has_changed() -> None:
    pair = await Pair().start()
    await pair.first.actions.put_silence(silence(pair))
    await pair.second.actions.extend_silence("s1", HOUR)
    await pair.first.actions.extend_silence("s1", HOUR)
    assert [one.ends_at - one.starts_at for one in pair.store.load().silences] == [3 * HOUR]
    await pair.second.pipeline.suppressions_changed()
    await pair.fail(pair.second, "b")
    assert pair.reasons("b") == []


async def test_built_in_alerts_about_no_account_are_with_the_first_held_account() -> None:
    pair = await Pair().start()
    name = pair.second.pipeline.default_account
    assert name == "b"
    for built_in, about in (
        (NOTIFICATION_FAILING, {"receiver": "ops", "channel": "x"}),
        (INTERNAL_ERROR, {"task": "x"}),
    ):
        await pair.second.pipeline.update_builtin(name, built_in, finding("why", **about))
    groups = {one.key: one.labels for one in pair.store.load().groups if one.account == "b"}
    assert groups == {
        '{}/{account="b"}:{alertname="NotificationFailing"}': {"alertname": "NotificationFailing"},
        '{}/{account="b"}:{alertname="InternalError"}': {"alertname": "InternalError"},
    }


async def test_groups_show_their_account_where_there_are_several() -> None:
    pair = await Pair().start()
    await pair.fail(pair.second, "b")
    [group] = (one for one in pair.store.load().groups if one.account == "b")
    assert (group.key, group.labels) == (
        '{}/{account="b"}:{alertname="Failing"}',
        {"alertname": "Failing", "account": "b"},
    )


async def test_the_watchdog_and_the_report_go_with_the_first_account() -> None:
    pair = await Pair().start()
    configured = WRITTEN.config.report
    assert configured is not None
    reports = [MorningReport(configured, lambda: WRITTEN, one.pipeline) for one in (pair.first, pair.second)]
    pair.clock.at = parse_iso("2026-11-18T07:00:00Z")
    for report in reports:
        await report.step()
    stored = {(one.key, one.account) for one in pair.store.load().groups}
    assert stored == {("{watchdog}", "a"), (REPORT, "a")}
    await pair.first.pipeline.release("a")
    await pair.second.adopt("a")
    pair.clock.at += 4 * DAY
    before = len(pair.store.outbox)
    await pair.first.pipeline.flush()
    assert await reports[0].step() == MINUTE
    assert len(pair.store.outbox) == before, "who does not hold the first account sends neither"
    await pair.second.pipeline.flush()
    assert pair.store.outbox[-1].notification.group_key == "{watchdog}"
    assert {one.notification.episode for one in pair.store.outbox} == {pair.store.outbox[0].notification.episode}


async def test_the_watchdog_begins_anew_for_another_first_account_and_the_report_is_looked_up_again() -> None:
    pair = await Pair().start(("a", "b"), ())
    worker, configured = pair.first, WRITTEN.config.report
    assert configured is not None
    report = MorningReport(configured, lambda: WRITTEN, worker.pipeline)
    pair.clock.at = parse_iso("2026-11-18T07:00:00Z")
    await report.step()
    assert worker.pipeline.dispatcher.reported is not None
    await worker.pipeline.led_by("b")
    assert worker.pipeline.dispatcher.reported is None
    await worker.pipeline.flush_due()
    assert [one.account for one in pair.store.outbox if one.notification.group_key == "{watchdog}"] == ["a", "b"]


async def test_the_watchdog_does_not_go_on_as_that_of_an_account_that_was_the_first_one() -> None:
    pair = await Pair().start(("a",), ("b",))
    await pair.first.pipeline.flush()
    await pair.first.pipeline.release("a")
    pair.clock.at += MINUTE
    await pair.second.pipeline.led_by("b")
    await pair.second.adopt("a")
    await pair.second.pipeline.flush()
    assert [one.account for one in pair.store.outbox if one.notification.group_key == "{watchdog}"] == ["a", "b"]


@pytest.mark.parametrize("holder", [0, 1], ids=["it keeps a", "it has b"])
@pytest.mark.parametrize("changed", [0, 1], ids=["the first one", "the second one"])
@pytest.mark.parametrize("new", [["b"], ["n", "a", "b"]], ids=["a removed", "n put first"])
async def test_one_worker_sends_the_watchdog_while_only_one_of_them_knows_another_first_account(
    holder: int, changed: int, new: list[str]
) -> None:
    pair = await (Pair().start() if holder == 0 else Pair().start(("b",), ("a",)))
    workers, wanted = [pair.first, pair.second], [["a", "b"], ["a", "b"]]
    written = CONFIG.replace("accounts:", f"accounts:\n{N}").replace("searches:", f"searches:\n{SEARCH_OF_N}")
    for one in (changed, 1 - changed):
        wanted[one] = new
        await reload(workers[one], written if "n" in new else without_a(CONFIG))
        rows = [WorkerView(1 + i, "w", "1", "", 0, MINUTE, tuple(names)) for i, names in enumerate(wanted)]
        leading = Fleet(tuple(rows)).leading
        for worker in workers:
            await worker.pipeline.led_by(leading)
        if leading == "n" and not any("n" in worker.pipeline.accounts for worker in workers):
            await workers[one].adopt("n")
        pair.clock.at += 6 * MINUTE
        before = len(pair.store.outbox)
        for worker in workers:
            await worker.pipeline.flush()
        keys = [row.notification.group_key for row in pair.store.outbox[before:]]
        assert keys == ["{watchdog}"], (leading, wanted)


async def test_an_alert_that_flaps_does_so_wherever_its_account_is() -> None:
    pair = await Pair().start((), ("a", "b"))
    here, there = pair.second, pair.first
    for _ in range(4):
        await pair.fail(here, "a")
        pair.clock.at += 6 * MINUTE
        await pair.fail(here, "a", failing=0)
        pair.clock.at += 6 * MINUTE
        await here.pipeline.release("a")
        await there.adopt("a")
        here, there = there, here
    firing = [
        one.notification for one in pair.store.outbox if one.account == "a" and one.notification.reason != "repeat"
    ]
    assert [one.alerts[0].flapping for one in firing if one.status == "firing" and one.group_key != "{watchdog}"][
        -1
    ] == 4
    assert pair.reasons("a")[-1] != "all resolved", "its end is held back"


async def reload(worker: SharedWorker, config: str, rules: str = RULES) -> None:
    """Reloads as the daemon does."""
    before, after = worker.present, present_of(settings(rules, config), worker.clock)
    pipeline, key = worker.pipeline, worker.store.secret("recipients")
    held = tuple(pipeline.accounts)
    otherwise = await announced(worker.front, after)
    found = await state_for_reload(worker.front, before.config, after.config, key, worker.clock.now(), held)

    def make() -> PipelineConfig:
        pipeline.judged_otherwise = otherwise
        anew = after.changed_searches(before)
        accounts = reloaded_accounts(pipeline.accounts, after.config, after.rules, after.templates, found, anew)
        dispatcher = reloaded_dispatcher(after.config, pipeline.dispatcher)
        return PipelineConfig(accounts, dispatcher, after.config.retention, order_of(after.config))

    await pipeline.reload(make)
    worker.present = after
    await pipeline.begin()


def without_a(config: str) -> str:
    """Returns the configuration without the account a."""
    return "\n".join(line for line in config.splitlines() if "name: a," not in line and "account: a," not in line)


async def test_a_reload_takes_no_account_and_ends_what_was_removed_where_it_is_held() -> None:
    pair = await Pair().start()
    await pair.fail(pair.first, "a")
    await pair.fail(pair.second, "b")
    pair.clock.at += 10 * MINUTE
    for worker in (pair.first, pair.second):
        await reload(worker, without_a(CONFIG))
        await worker.pipeline.led_by("b")
    assert pair.reasons("a") == ["first"], "the other one had it still"
    await RuleSets(pair.first.front, pair.first.pipeline, lambda: pair.first.present).announce()
    assert (list(pair.first.pipeline.accounts), list(pair.second.pipeline.accounts)) == (["a"], ["b"])
    assert (pair.reasons("a"), pair.reasons("b")) == (["first", "all resolved"], ["first"])
    assert pair.second.pipeline.dispatcher.leads
    assert not pair.first.pipeline.dispatcher.leads
    await reload(pair.first, CONFIG)
    assert list(pair.first.pipeline.accounts) == ["a"], "b is held elsewhere"
    assert pair.first.pipeline.accounts["a"].evaluator.window.messages == 10, "its messages are there again"


async def test_what_was_removed_is_ended_whenever_the_others_agree_although_the_store_was_away() -> None:
    for turns in range(40):
        pair = await Pair().start(("a", "b"), ())
        first = pair.first
        await pair.fail(first, "a")
        await pair.fail(first, "b")
        first.front.meanwhile = _away
        with pytest.raises(StoreError):
            await reload(first, CONFIG, "rules: []")  # the other one has the rule still
        await reload(pair.second, CONFIG, "rules: []")
        first.front.meanwhile = None
        rule_sets = RuleSets(first.front, first.pipeline, lambda: first.present)  # noqa: B023 - called in this round only
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.pipeline.begin)  # as the flush timer does
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            await rule_sets.announce()
        await rule_sets.announce()
        pair.clock.at += 10 * MINUTE
        await first.pipeline.flush()
        assert (pair.reasons("a")[-1], pair.reasons("b")[-1]) == ("all resolved", "all resolved"), turns


async def _away() -> bool:
    raise StoreError("the store is away")


async def test_an_account_is_not_adopted_while_a_configuration_is_reloaded() -> None:
    pair = await Pair().start((), ())
    async with trio.open_nursery() as nursery, pair.first.pipeline.membership:
        nursery.start_soon(pair.first.adopt, "a")
        await trio.testing.wait_all_tasks_blocked()
        assert list(pair.first.pipeline.accounts) == []
    assert list(pair.first.pipeline.accounts) == ["a"]


class SlowFront(InlineStoreFront):
    """A store whose account a takes a minute to be read. ``reads`` counts how often it was."""

    reads = 0

    async def texts_page(self, account: str, after: tuple[str, int] = BEFORE_ALL_TEXTS) -> list[Texts]:
        if account == "a":
            self.reads += 1
            await trio.sleep(60)
        return await super().texts_page(account, after)


async def test_a_small_account_does_not_wait_for_a_large_one(autojump_clock: trio.testing.MockClock) -> None:
    pair = await Pair().start((), ())
    worker = pair.first
    worker.front = SlowFront(pair.store)  # type: ignore[arg-type]  # the part that a pipeline uses
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.adopt, "a")
        await trio.sleep(1)
        await worker.adopt("b")
        assert (trio.current_time(), list(worker.pipeline.accounts)) == (1, ["b"])
    assert list(worker.pipeline.accounts) == ["a", "b"]


async def test_a_reload_does_not_wait_for_an_account_that_is_read_which_follows_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pair = await Pair().start((), ())
    worker = pair.first
    front = worker.front = SlowFront(pair.store)  # type: ignore[arg-type]  # the part that a pipeline uses
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.adopt, "a")
        await trio.sleep(1)
        async with worker.pipeline.membership:
            await reload(worker, CONFIG.replace("name: all, account: a", "name: other, account: a"))
        assert (trio.current_time(), list(worker.pipeline.accounts)) == (1, [])
        await trio.sleep(60)
        assert worker.pipeline.membership.locked(), "the next reload waits, so that this ends"
    assert (front.reads, trio.current_time()) == (2, 120)
    assert list(worker.pipeline.accounts["a"].evaluator.coverage.every) == ["other"]


async def test_a_commit_relies_on_the_account_whose_alerts_it_drops() -> None:
    pair = Pair()
    written = settings(RULES.replace("above: 20%", "above: 20%, for: 10m"), CONFIG)
    pair.first = SharedWorker(written, pair.clock, pair.store)
    await pair.start(("a", "b"), ())
    await pair.fail(pair.first, "b")
    [pending] = pair.first.pipeline.every_alert()
    await pair.fail(pair.first, "b", failing=0)
    [dropping] = (one for one in pair.store.commits if one.dropped_alerts)
    assert (dropping.dropped_alerts, dropping.relies_on) == ([pending.fingerprint], {"b"})


async def test_an_acknowledgement_relies_on_the_account_of_its_alert() -> None:
    pair = await Pair().start(("a", "b"), ())
    await pair.fail(pair.first, "b")
    [alert] = pair.first.firing("b")
    for edit in (
        pair.first.actions.acknowledge(alert.fingerprint, "Ann"),
        pair.first.actions.unacknowledge(alert.fingerprint),
    ):
        await edit
        assert pair.store.commits[-1].relies_on == {"a", "b"}, "the first account's rows are written too"


async def test_that_an_account_cannot_be_polled_is_told_once_however_many_workers_try_it_and_names_the_one() -> None:
    pair = await Pair().start()
    pair.first.services.worker, pair.second.services.worker = "host-a:11", "host-b:12"
    await pair.first.sinks["a"].blind("all", pair.clock.at, "HTTP 401")
    [alert] = pair.first.firing("a")
    assert "(tried by host-a:11): HTTP 401" in alert.why
    holder, other = pair.first, pair.second
    for _ in range(4):
        pair.clock.at += 11 * MINUTE
        await holder.pipeline.hand_over("a")
        await other.adopt("a")
        holder, other = other, holder
        assert [one.firing_at for one in holder.firing("a")] == [alert.firing_at], "while it has not polled itself"
        pair.clock.at += MINUTE
        await holder.sinks["a"].blind("all", pair.clock.at, "HTTP 401")
    assert "(tried by host-a:11)" in holder.firing("a")[0].why
    assert pair.reasons("a") == ["first"]
    await holder.sinks["a"].sighted("all")
    assert pair.reasons("a") == ["first", "all resolved"]


async def test_who_takes_an_account_over_knows_what_of_it_was_lost() -> None:
    pair = await Pair().start((), ("a", "b"))
    pair.store.commit(Commit(lost={"a": 5}))
    await pair.second.pipeline.release("a")
    await pair.first.adopt("a")
    coverage = pair.first.pipeline.accounts["a"].evaluator.coverage
    assert coverage.lost_to == 5
    await reload(pair.first, CONFIG)
    assert coverage.lost_to == 5
    assert pair.second.pipeline.accounts["b"].evaluator.coverage.lost_to == 0
