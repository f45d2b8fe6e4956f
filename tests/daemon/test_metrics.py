import re
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.daemon.delivery_counters import MOST_PAIRS
from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import HOUR, SECOND

START = 1_795_280_824 * SECOND
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> int:
        return self.instant

    async def sleep(self, duration: int) -> None:
        raise AssertionError("nothing here waits")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock) -> Metrics:
    return Metrics(clock)


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Label values (in the labels' alphabetical order) → value, of the sample of that name without the prefix."""
    body, _ = metrics.exposition()
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == f"routee_monitor_{name}"
    }


def test_polls_are_counted_and_timed(metrics):
    metrics.poll("main", "outbound", "complete", 0.2)
    metrics.poll("main", "outbound", "failed", 3)
    metrics.poll("main", "outbound", "complete", 0.3)
    assert samples(metrics, "polls_total") == {("main", "complete", "outbound"): 2, ("main", "failed", "outbound"): 1}
    assert samples(metrics, "poll_duration_seconds_count") == {("main", "outbound"): 3}
    assert samples(metrics, "poll_duration_seconds_sum") == {("main", "outbound"): 3.5}


def test_pages_and_records_set_aside_are_counted(metrics):
    metrics.pages("main", "outbound", 3)
    metrics.pages("main", "outbound")
    metrics.rejected_records("main", "outbound", 2)
    assert samples(metrics, "pages_total") == {("main", "outbound"): 4}
    assert samples(metrics, "records_set_aside_total") == {("main", "outbound"): 2}


def test_a_client_is_observed_by_endpoint_and_outcome(metrics):
    observe = partial(metrics.request, "main")
    observe("search", "200", 0.1)
    observe("search", "429", 0.1)
    observe("token", "200", 0.1)
    assert samples(metrics, "requests_total") == {
        ("main", "search", "200"): 1,
        ("main", "search", "429"): 1,
        ("main", "token", "200"): 1,
    }
    assert samples(metrics, "request_duration_seconds_count") == {("main", "search"): 2, ("main", "token"): 1}


def test_outcomes_that_others_invent_are_bounded(metrics):
    for i in range(10_000):
        metrics.request("main", "search", f"odd {i}", 0.1)
    metrics.request("main", "search", "x" * 1000, 0.1)
    counts = samples(metrics, "requests_total")
    assert len(counts) <= 41
    assert sum(counts.values()) == 10_001
    assert counts["main", "search", "other"] > 9_000


def test_the_age_of_a_watermark_is_right_at_the_moment_of_the_scrape(metrics, clock):
    metrics.watermark("main", "outbound", START - 5 * SECOND)
    assert samples(metrics, "watermark_age_seconds") == {("main", "outbound"): 5}
    clock.instant += 90 * SECOND
    assert samples(metrics, "watermark_age_seconds") == {("main", "outbound"): 95}


def test_an_age_is_never_negative_when_the_clock_steps_back(metrics, clock):
    metrics.watermark("main", "outbound", START)
    clock.instant -= HOUR
    assert samples(metrics, "watermark_age_seconds") == {("main", "outbound"): 0}


def test_a_search_is_there_before_its_first_poll_so_that_an_increase_can_be_seen(metrics):
    metrics.searches([("main", "outbound")])
    assert samples(metrics, "polls_total") == {("main", "complete", "outbound"): 0, ("main", "failed", "outbound"): 0}
    assert samples(metrics, "records_set_aside_total") == {("main", "outbound"): 0}
    assert samples(metrics, "blind") == {("main", "outbound"): 0}


def test_blindness_is_1_while_it_lasts(metrics):
    metrics.searches([("main", "a"), ("main", "b")])
    metrics.blind("main", "a", True)
    assert samples(metrics, "blind") == {("main", "a"): 1, ("main", "b"): 0}
    metrics.blind("main", "a", False)
    assert samples(metrics, "blind") == {("main", "a"): 0, ("main", "b"): 0}


def test_a_search_that_is_no_longer_configured_leaves_nothing_stale(metrics):
    metrics.searches([("main", "old"), ("main", "kept")])
    for search in ("old", "kept"):
        metrics.watermark("main", search, START)
        metrics.blind("main", search, True)
    metrics.searches([("main", "kept")])
    assert samples(metrics, "watermark_age_seconds") == {("main", "kept"): 0}
    assert samples(metrics, "blind") == {("main", "kept"): 1}


def test_alerts_are_counted_by_rule_and_state_and_rules_without_any_are_0(metrics):
    metrics.alerts(
        "main",
        ["A", "B"],
        {("A", "firing"): 2, ("A", "pending"): 1, ("A", "resolved"): 1},
    )
    assert samples(metrics, "alerts") == {
        ("main", "A", "firing"): 2,
        ("main", "A", "pending"): 1,
        ("main", "B", "firing"): 0,
        ("main", "B", "pending"): 0,
    }


def test_each_evaluation_replaces_the_counts_of_its_account_only(metrics):
    metrics.alerts("main", ["A", "Gone"], {("Gone", "firing"): 1})
    metrics.alerts("other", ["A"], {("A", "firing"): 1})
    metrics.alerts("main", ["A"], {})
    assert samples(metrics, "alerts") == {
        ("main", "A", "firing"): 0,
        ("main", "A", "pending"): 0,
        ("other", "A", "firing"): 1,
        ("other", "A", "pending"): 0,
    }


def test_evaluations_and_their_errors_are_counted_by_rule(metrics):
    metrics.evaluation("A", 0.002)
    metrics.evaluation("A", 0.004)
    metrics.rule_error("B")
    assert samples(metrics, "rule_evaluation_seconds_count") == {("A",): 2}
    assert samples(metrics, "rule_evaluation_seconds_sum") == {("A",): pytest.approx(0.006)}
    assert samples(metrics, "rule_errors_total") == {("A",): 0, ("B",): 1}


def test_notifications_are_counted_by_how_they_ended_and_a_rejected_one_is_a_dead_letter(metrics):
    metrics.receivers([("ops", "slack/0")])
    metrics.dead_letters({("ops", "slack/0"): 2})
    metrics.notification("ops", "slack/0", "retry", 10)
    metrics.notification("ops", "slack/0", "sent", 0.3)
    metrics.notification("ops", "slack/0", "rejected", 0.3)
    assert samples(metrics, "notifications_total") == {
        ("slack/0", "sent", "ops"): 1,
        ("slack/0", "retry", "ops"): 1,
        ("slack/0", "rejected", "ops"): 1,
    }
    assert samples(metrics, "notification_duration_seconds_count") == {("slack/0", "ops"): 3}
    assert samples(metrics, "dead_letters") == {("slack/0", "ops"): 3}


def test_the_backlog_is_as_the_store_gives_it_and_ages_by_itself(metrics, clock):
    metrics.backlog({("ops", "slack/0"): (3, START - 10 * SECOND)})
    clock.instant += 20 * SECOND
    assert samples(metrics, "outbox_waiting") == {("slack/0", "ops"): 3}
    assert samples(metrics, "outbox_oldest_age_seconds") == {("slack/0", "ops"): 30}
    metrics.backlog({})
    assert samples(metrics, "outbox_waiting") == {}
    assert samples(metrics, "outbox_oldest_age_seconds") == {}


def test_the_store_is_timed_and_its_errors_counted(metrics):
    metrics.commit(0.01)
    metrics.store_error()
    assert samples(metrics, "store_commit_duration_seconds_count") == {(): 1}
    assert samples(metrics, "store_errors_total") == {(): 1}


def test_the_build_and_the_process_are_told(metrics):
    assert [labels[1] for labels in samples(metrics, "build_info")] == [metrics.version]
    assert b"process_resident_memory_bytes" in metrics.exposition()[0]


def test_two_daemons_in_one_process_share_nothing(clock):
    one, other = Metrics(clock), Metrics(clock)
    one.store_error()
    assert samples(other, "store_errors_total") == {(): 0}


def test_no_created_samples_double_the_series(metrics):
    metrics.poll("main", "outbound", "complete", 0.2)
    assert b"_created" not in metrics.exposition()[0]


def test_messages_are_counted_by_country_operator_and_status(metrics):
    metrics.delivery.begin("main", [("GR", "Cosmote")])
    assert samples(metrics, "messages_total") == {
        ("main", "GR", "Cosmote", status): 0 for status in ("Delivered", "Failed", "Undelivered", "Unsent")
    }
    metrics.delivery.add("main", {("GR", "Cosmote", "Delivered"): 2, ("GR", "Cosmote", "Sent"): 3})
    metrics.delivery.add("main", {("GR", "Cosmote", "Delivered"): 1, ("DE", "unknown", "Rerouted"): 1})
    counted = samples(metrics, "messages_total")
    assert counted["main", "GR", "Cosmote", "Delivered"] == 3
    assert counted["main", "GR", "Cosmote", "Sent"] == 3
    assert counted["main", "DE", "unknown", "other"] == 1


def test_pairs_of_country_and_operator_beyond_the_bound_are_one(metrics):
    metrics.delivery.begin("main", [("GR", f"op{number}") for number in range(MOST_PAIRS - 1)])
    metrics.delivery.add("main", {("GR", "new", "Sent"): 1, ("GR", "late", "Sent"): 2, ("DE", "late", "Failed"): 3})
    metrics.delivery.add("main", {("GR", "op0", "Failed"): 7, ("GR", "late", "Failed"): 4})
    metrics.delivery.begin("main", [("GR", "late")])
    metrics.delivery.add("second", {("GR", "late", "Sent"): 5, ("GR", "x" * 101, "Sent"): 6})
    counted = samples(metrics, "messages_total")
    assert counted["main", "GR", "new", "Sent"] == 1
    assert counted["main", "GR", "op0", "Failed"] == 7
    assert counted["main", "other", "other", "Sent"] == 2
    assert counted["main", "other", "other", "Failed"] == 7
    assert counted["second", "GR", "late", "Sent"] == 5
    assert counted["second", "other", "other", "Sent"] == 6
    assert len({key[:3] for key in counted if key[0] == "main"}) == MOST_PAIRS + 1


def test_rules_that_are_gone_leave_no_series_and_too_many_are_other(metrics):
    metrics.evaluation("gone", 1)
    metrics.evaluation("stays", 2)
    metrics.rule_error("failed")
    metrics.rules(["stays"])
    assert samples(metrics, "rule_evaluation_seconds_sum") == {("stays",): 2}
    assert samples(metrics, "rule_errors_total") == {("stays",): 0}
    for number in range(600):
        metrics.evaluation(f"rule{number}", 1)
    counts = samples(metrics, "rule_evaluation_seconds_count")
    assert len(counts) == 501
    assert counts["other",] == 101


def documented() -> dict[str, tuple[str, str]]:
    """Name → (type, labels) as the tables of the document say."""
    rows = re.findall(r"^\| `(routee_monitor_\w+)` \| (\w+) \|([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (kind, labels.replace("`", "").strip()) for name, kind, labels in rows}


def exercised(metrics: Metrics) -> Metrics:
    metrics.searches([("main", "outbound")])
    metrics.receivers([("ops", "slack/0")])
    metrics.poll("main", "outbound", "complete", 1)
    metrics.request("main", "search", "200", 1)
    metrics.watermark("main", "outbound", START)
    metrics.pushed_to(["main"])
    metrics.window("main", 1)
    metrics.delivery.add("main", {("GR", "Cosmote", "Delivered"): 1})
    metrics.evaluation("A", 1)
    metrics.alerts("main", ["A"], {})
    metrics.notification("ops", "slack/0", "rejected", 1)
    metrics.backlog({("ops", "slack/0"): (1, START)})
    metrics.answered(200)
    return metrics


def exposed(metrics: Metrics) -> dict[str, tuple[str, str]]:
    body, _ = exercised(metrics).exposition()
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        if family.name.startswith("routee_monitor_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
            found[name] = (family.type, ", ".join(labels))
    return found


def test_the_document_lists_exactly_what_is_exposed(metrics):
    metrics.fleet(1, lambda: 0.5, lambda: {"main": True})
    assert documented() == exposed(metrics)
