"""While a configuration is changed on one daemon after the other: a rule that one of them does not have yet, or no longer, is not over."""

import pytest

from monitor.alerts.kinds.rule_state import StoredRuleState
from monitor.daemon.rule_sets import RuleSets, announced, differing, digests
from monitor.daemon.waiting_ends import waiting_end
from monitor.model.announced_rules import AnnouncedRules
from monitor.runtime.clock import MINUTE, parse_iso
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Commit
from tests.daemon.test_shared_pipeline import CONFIG, RULES, Pair, reload, without_a
from tests.fakes.shared_worker import SharedWorker, present_of
from tests.fakes.written import settings

NONE = "rules: []"


def worker(pair: Pair, rules: str, config: str = CONFIG) -> SharedWorker:
    return SharedWorker(settings(rules, config), pair.clock, pair.store)


async def agree(one: SharedWorker) -> None:
    """Does what the daemon does from time to time."""
    await RuleSets(one.front, one.pipeline, lambda: one.present).announce()


async def fired_here_and_taken_over_there(there: str) -> Pair:
    """Returns two workers, of which the first one had the rule, told its alert and died; the other has other rules and took over."""
    pair = Pair()
    pair.second = worker(pair, there)
    await pair.start(("a",), ("b",))
    await pair.fail(pair.first, "a")
    await pair.first.pipeline.release("a")
    await pair.second.adopt("a")
    return pair


async def minutes(pair: Pair, number: int = 10) -> None:
    for _ in range(number):
        pair.clock.at += MINUTE
        await pair.second.pipeline.flush()


async def test_an_alert_of_a_rule_that_its_new_holder_does_not_have_yet_goes_on() -> None:
    pair = await fired_here_and_taken_over_there(NONE)
    await minutes(pair)
    await agree(pair.second)
    assert pair.reasons("a") == ["first"]
    assert [one.state for one in pair.second.firing("a")] == ["firing"]
    await reload(pair.second, CONFIG)
    await pair.fail(pair.second, "a")
    assert pair.reasons("a") == ["first"], "the same alert"
    await pair.fail(pair.second, "a", failing=0)
    await minutes(pair)
    assert pair.reasons("a") == ["first", "all resolved"]


async def test_what_a_rule_has_learned_is_kept_where_its_new_holder_does_not_have_it_yet() -> None:
    pair = await fired_here_and_taken_over_there(NONE)
    pair.store.commit(Commit(rule_states={("a", "Failing"): StoredRuleState(b"learned")}))
    await pair.second.pipeline.release("a")
    await pair.second.adopt("a")
    await pair.fail(pair.second, "a")
    kept = pair.store.load()
    assert kept.rule_states == {("a", "Failing"): b"learned"}
    assert set(kept.first_evaluations) == {("a", "Failing")}
    await reload(pair.second, CONFIG)
    assert pair.second.pipeline.accounts["a"].evaluator.kept["Failing"].blob() == b"learned"
    await reload(pair.second, CONFIG, NONE)
    await reload(pair.second, CONFIG)
    evaluator = pair.second.pipeline.accounts["a"].evaluator
    assert (evaluator.kept["Failing"].blob(), evaluator.dropped_states) == (b"learned", set())
    for one in (pair.first, pair.second):
        await reload(one, CONFIG, NONE)
    await pair.fail(pair.second, "a")
    assert (pair.store.load().rule_states, pair.store.load().first_evaluations, evaluator.kept) == ({}, {}, {})


async def test_a_removal_is_told_once_when_all_daemons_have_read_it() -> None:
    pair = await Pair().start(("a",), ("b",))
    await pair.fail(pair.first, "a")
    pair.clock.at += 10 * MINUTE
    await reload(pair.first, CONFIG, NONE)
    await agree(pair.first)
    assert pair.reasons("a") == ["first"], "the other one still has the rule"
    await pair.first.pipeline.release("a")
    await pair.second.adopt("a")
    await pair.fail(pair.second, "a")
    assert pair.reasons("a") == ["first"]
    await reload(pair.second, CONFIG, NONE)
    assert pair.reasons("a") == ["first", "all resolved"]
    await pair.second.pipeline.release("a")
    await pair.first.adopt("a")
    await agree(pair.first)
    await agree(pair.second)
    assert pair.reasons("a") == ["first", "all resolved"]
    assert ("a", "Failing") not in pair.store.load().first_evaluations


async def test_who_waited_for_the_others_tells_the_removal_once_they_agree() -> None:
    pair = await Pair().start(("a",), ("b",))
    await pair.fail(pair.first, "a")
    pair.clock.at += 10 * MINUTE
    await reload(pair.first, CONFIG, NONE)
    await agree(pair.first)
    await reload(pair.second, CONFIG, NONE)
    assert pair.reasons("a") == ["first"]
    for _ in range(2):
        await agree(pair.first)
    assert pair.reasons("a") == ["first", "all resolved"]


async def test_the_only_daemon_tells_a_removal_when_it_starts() -> None:
    pair = Pair()
    pair.store.announced.clear()
    await pair.start(("a",), ())
    await pair.fail(pair.first, "a")
    pair.clock.at += 10 * MINUTE
    pair.store.announced.clear()  # as its successor on the same host has it
    await worker(pair, NONE).start(("a",))
    assert pair.reasons("a") == ["first", "all resolved"]


def test_accounts_differ_by_their_searches_and_enabled_rules() -> None:
    pair = Pair()
    same = digests(worker(pair, RULES).present)
    assert same.keys() == {"a", "b"}
    assert same == digests(worker(pair, RULES.replace("20%", "30%")).present), "the same rule"
    assert same != digests(worker(pair, RULES.replace("window", "enabled: false, window")).present)
    renamed = digests(worker(pair, RULES, CONFIG.replace("name: all, account: b", "name: every, account: b")).present)
    assert (renamed["a"] == same["a"], renamed["b"] == same["b"]) == (True, False)
    alike, other = (
        AnnouncedRules(name, True, 0, 0, found)
        for name, found in {"alike": same, "other": {"a": same["a"], "b": "other", "removed": "x"}}.items()
    )
    assert differing(same, [alike, other]) == {"b": [other], "removed": [other]}
    none = digests(worker(pair, NONE, CONFIG.replace("  - {name: all, account: b, every: 1d}\n", "")).present)
    assert differing({}, [AnnouncedRules("one", True, 0, 0, {"b": none["b"]})]) == {}, "nothing is judged there either"


async def test_an_end_that_could_not_be_committed_is_told_with_the_next_announcement() -> None:
    pair = await Pair().start(("a",), ("b",))
    await pair.fail(pair.first, "a")
    pair.clock.at += 10 * MINUTE
    for one in (pair.first, pair.second):
        await reload(one, CONFIG, NONE)
    pair.store.failures = 1
    with pytest.raises(StoreError):
        await agree(pair.first)
    await agree(pair.first)
    assert pair.reasons("a") == ["first", "all resolved"]


async def test_what_is_announced_by_a_reload_deletes_nothing_of_a_rule_that_it_brings() -> None:
    pair = await fired_here_and_taken_over_there(NONE)
    pair.store.commit(Commit(rule_states={("a", "Failing"): StoredRuleState(b"learned")}))
    await pair.second.pipeline.release("a")
    await pair.second.adopt("a")
    after = present_of(settings(RULES, CONFIG), pair.clock)
    assert await announced(pair.second.front, after) == {}
    await pair.fail(pair.second, "a")  # a poll before the reload is applied
    assert pair.store.load().rule_states == {("a", "Failing"): b"learned"}


async def removed_here_while_another_one_has_it(ended: bool, caplog: pytest.LogCaptureFixture) -> tuple[Pair, str]:
    """Returns two workers of which the first one no longer has the rule, and what it logged."""
    pair = await Pair().start(("a",), ("b",))
    await pair.fail(pair.first, "a")
    if ended:
        pair.store.ended[pair.second.front.worker] = parse_iso("2026-11-29T17:14:59Z")
    await reload(pair.first, CONFIG, NONE)
    rule_sets = RuleSets(pair.first.front, pair.first.pipeline, lambda: pair.first.present)
    for _ in range(2):
        await rule_sets.announce()
    [said] = [one.message for one in caplog.records if "removed, or not read yet here" in one.message]
    return pair, said


HOST = "host-1"


async def test_who_waits_for_a_daemon_that_has_ended_says_for_which_one_and_until_when(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pair, said = await removed_here_while_another_one_has_it(True, caplog)
    assert said == (
        "Rule Failing of account a is not in this daemon's configuration: removed, or not read yet here. Its alerts stay as they are until the "
        f"daemons have the same rules; it waits for {HOST}, which has ended, was last heard of at 2026-11-29 17:14:59 UTC, and counts until "
        "2026-11-29 18:14:59 UTC, or until a daemon is started in its place"
    )
    health = pair.first.services.health
    assert health.warnings() == [said]
    [alert] = pair.first.firing("a")
    assert waiting_end(pair.first.pipeline, alert.fingerprint) == said.replace(
        "Its alerts stay as they are", "The alert stays as it is"
    )
    pair.store.announced.pop(pair.second.front.worker)
    await agree(pair.first)
    assert (health.warnings(), waiting_end(pair.first.pipeline, alert.fingerprint)) == ([], "")


async def test_who_waits_for_a_daemon_that_works_names_it(caplog: pytest.LogCaptureFixture) -> None:
    pair, said = await removed_here_while_another_one_has_it(False, caplog)
    assert said.endswith(f"it waits for {HOST}, which runs with other rules: reload it")
    await reload(pair.second, CONFIG, NONE)
    await agree(pair.first)
    assert pair.first.services.health.warnings() == []


async def test_nothing_is_said_of_a_rule_without_alerts() -> None:
    pair = await Pair().start(("a",), ("b",))
    await reload(pair.first, CONFIG, NONE)
    await agree(pair.first)
    assert pair.first.services.health.warnings() == []


async def test_a_removed_account_is_named_alone_and_a_rule_with_all_of_its_accounts() -> None:
    pair = await Pair().start(("a", "b"), ())
    for account in ("a", "b"):
        await pair.fail(pair.first, account)
    await reload(pair.first, without_a(CONFIG))
    await agree(pair.first)
    [said] = pair.first.services.health.warnings()
    assert said.startswith("Account a is not in this daemon's configuration")
    await reload(pair.first, CONFIG, NONE)
    await agree(pair.first)
    [said] = pair.first.services.health.warnings()
    assert said.startswith("Rule Failing of account a, b is not in this daemon's configuration")
