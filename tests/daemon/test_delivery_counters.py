"""What `routee_monitor_messages_total` counts, from pages to the exposition: exact over failed commits, restarts and new searches."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.model.batch import batch_of
from monitor.runtime.clock import HOUR, SECOND, Instant
from monitor.runtime.errors import StoreError
from tests.fakes.hand_clock import HandClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.pipeline_harness import PipelineHarness
from tests.fakes.written import CONFIG, settings

RULES = "rules: [{name: Failing, kind: rate, by: [operator], window: 5m, above: 20%}]"
TWO = CONFIG.replace("searches:", "searches:\n  - {name: more}\n", 1)


def harness(store: MemoryStore | None = None) -> PipelineHarness:
    return PipelineHarness(settings(RULES), HandClock(), store)


def counted(one: PipelineHarness) -> dict[tuple[str, ...], float]:
    """By country, operator and status, without zeros."""
    body, _ = one.metrics.exposition()
    return {
        tuple(sample.labels[name] for name in ("country", "operator", "status")): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == "routee_monitor_messages_total" and sample.value
    }


def report(status: str, date: Instant, message: str = "m") -> dict[str, object]:
    return {"messageId": message, "status": status, "date": date, "country": "GR", "operator": "Cosmote"}


async def test_a_status_is_counted_once_and_only_when_it_is_committed() -> None:
    one = harness()
    await one.poll()
    now = one.clock.now() + SECOND
    one.store.failures = 1
    with pytest.raises(StoreError):
        await one.poll([report("Sent", now)])
    assert counted(one) == {}
    await one.poll([report("Sent", now)])
    await one.poll([report("Sent", now)])
    assert counted(one) == {("GR", "Cosmote", "Sent"): 1}
    await one.poll([report("Delivered", now + SECOND), report("Sent", now)])
    assert counted(one) == {("GR", "Cosmote", "Sent"): 1, ("GR", "Cosmote", "Delivered"): 1}


async def test_after_a_restart_only_what_is_new_is_counted() -> None:
    one = harness()
    await one.poll()
    now = one.clock.now() + SECOND
    await one.poll([report("Sent", now, "a"), report("Delivered", now, "b")])
    again = harness(one.store)
    assert counted(again) == {}
    await again.poll([report("Failed", now + SECOND, "a"), report("Delivered", now, "b"), report("Sent", now, "c")])
    assert counted(again) == {("GR", "Cosmote", "Failed"): 1, ("GR", "Cosmote", "Sent"): 1}


async def test_the_past_that_a_first_start_or_a_new_search_reads_is_not_counted() -> None:
    one = harness()
    now = one.clock.now()
    await one.poll([report("Delivered", now - HOUR, "old"), report("Sent", now + SECOND, "new")])
    assert counted(one) == {("GR", "Cosmote", "Sent"): 1}
    await one.reload(settings(RULES, TWO))
    await one.poll([report("Failed", now - HOUR, "older"), report("Failed", now + SECOND, "newer")], search="more")
    assert counted(one) == {("GR", "Cosmote", "Sent"): 1, ("GR", "Cosmote", "Failed"): 1}


async def push(one: PipelineHarness, *rows: dict[str, Any]) -> None:
    """Commits reports as callbacks are committed; no rule is evaluated and nothing is polled."""

    def add(account: AccountPipeline) -> None:
        account.push(batch_of(rows), (), one.clock.now())

    await one.pipeline.push("main", add)


async def test_a_pushed_status_is_counted_with_its_own_commit_and_not_again_by_polls() -> None:
    one = harness()
    await one.poll()
    now = one.clock.now() + SECOND
    one.store.failures = 1
    with pytest.raises(StoreError):
        await push(one, report("Sent", now))
    assert counted(one) == {}
    await push(one, report("Delivered", now, "other"))
    expected = {("GR", "Cosmote", "Sent"): 1, ("GR", "Cosmote", "Delivered"): 1}
    assert counted(one) == expected, "what the failed commit left is in the next one"
    await one.poll([report("Sent", now), report("Delivered", now, "other")])
    assert counted(one) == expected


async def test_what_is_pushed_after_a_restart_before_the_first_poll_is_counted() -> None:
    one = harness()
    await one.poll()
    now = one.clock.now() + SECOND
    await push(one, report("Sent", now))
    again = harness(one.store)
    await push(again, report("Delivered", now + SECOND))
    await again.poll([report("Delivered", now + SECOND)])
    assert counted(again) == {("GR", "Cosmote", "Delivered"): 1}
