"""How the whole stands, made of values."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.config.monitor import Config, load_config
from monitor.config.rules.load import load_rules
from monitor.daemon.overview import Overview, caught_up, overview
from monitor.daemon.search_plan import plan_of
from monitor.daemon.unread_past import unread_past
from monitor.notify.render import sample_view
from monitor.routing.acknowledgements import Ack
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, parse_iso
from monitor.store.protocol import Cursor

NOW = parse_iso("2026-11-21T17:00:00Z")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "monitor.yaml").write_text(
        "accounts: [{name: main, application_id: a, application_secret: bbbb}]\n"
        "searches: [{name: outbound}, {name: quick, every: 10s, resweep: []}]\n"
    )
    return load_config(tmp_path / "monitor.yaml", {})


def test_each_search_says_when_it_was_polled_and_how_much_of_the_past_is_read(config: Config) -> None:
    cursor = Cursor("main", "outbound", NOW - 12 * SECOND, NOW - 12 * SECOND - 3 * DAY - 12 * HOUR)
    outbound, quick = overview(config, Overview([cursor], [], [], [], {}, {}), NOW)["searches"]
    assert (outbound["lastPoll"], outbound["age"], outbound["every"]) == ("2026-11-21T16:59:48Z", 12.0, 30.0)
    assert outbound["caughtUp"] == pytest.approx(0.5, abs=0.002)
    assert (quick["lastPoll"], quick["age"], quick["caughtUp"]) == (None, None, 0.0)


def test_the_past_is_read_when_the_sweep_that_looks_furthest_back_is_complete(config: Config) -> None:
    plans = [plan_of(search) for search in config.searches]
    cursor = Cursor("main", "outbound", NOW, NOW - 7 * DAY)
    assert caught_up(plans[0], cursor) == 0.999
    assert caught_up(plans[0], msgspec.structs.replace(cursor, swept={str(DAY): NOW})) == 0.999
    assert caught_up(plans[0], msgspec.structs.replace(cursor, swept={str(7 * DAY): NOW})) == 1.0
    assert caught_up(plans[1], Cursor("main", "quick", NOW, NOW)) == 1.0, "it looks back no further than it polls"
    assert caught_up(plans[0], msgspec.structs.replace(cursor, covered_since=NOW + DAY)) == 0.0, "a clock was set back"


def test_what_rules_look_at_beyond_the_resweeps_counts_as_past_until_it_is_read(config: Config, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "rules: [{name: Day, kind: count, search: quick, window: 1d, above: 1}, {name: Off, kind: count, search: quick, window: 5d, above: 1, "
        "enabled: false}]"
    )
    rules = load_rules([tmp_path / "rules.yaml"], {})
    half, full = Cursor("main", "quick", NOW, NOW - 12 * HOUR), Cursor("main", "quick", NOW, NOW - DAY - 6 * MINUTE)

    def read(cursor: Cursor) -> float:
        unread = unread_past(config, rules, [cursor], lambda account: 0, NOW + 10 * SECOND)
        (_, quick) = overview(config, Overview([cursor], [], [], [], {}, {}, unread=unread), NOW)["searches"]
        return float(quick["caughtUp"])

    assert read(half) == pytest.approx(0.5, abs=0.003)
    assert read(full) == 1.0
    assert unread_past(config, (), [half], lambda account: 0, NOW) == {}


def test_a_blind_search_says_why_and_the_worst_alert_is_named(config: Config) -> None:
    about: dict[str, Any] = {"rule": "MonitorBlind", "kind": "builtin", "why": "503 from Routee"}
    blind = msgspec.structs.replace(
        sample_view("MonitorBlind", "rate", labels={"account": "main", "search": "quick"}, severity="warning"), **about
    )
    bad = sample_view("Bad", "rate", severity="critical")
    worse = msgspec.structs.replace(sample_view("Worse", "rate", severity="critical"), value=0.9)
    stand = Overview([], [("firing", blind), ("firing", bad), ("firing", worse), ("pending", worse)], [], [], {}, {})
    found = overview(config, stand, NOW)
    assert [one["blind"] for one in found["searches"]] == [None, "503 from Routee"]
    assert (found["alerts"]["firing"], found["alerts"]["pending"]) == (3, 1)
    assert list(found["alerts"]["bySeverity"].items()) == [("critical", 2), ("warning", 1)]
    assert found["alerts"]["worst"]["labels"]["alertname"] == "Worse"


def test_what_waits_what_is_dead_and_what_is_silent_is_counted(config: Config) -> None:
    def silence(start: int, end: int) -> Silence:
        return Silence("x", (Matcher("a", "=", "b"),), NOW + start, NOW + end, "Ann", "x", NOW)

    silences = [silence(-HOUR, HOUR), silence(HOUR, DAY), silence(-DAY, -HOUR)]
    outbox = {("ops", "slack/0"): (2, NOW - MINUTE), ("hook", "webhook/0"): (1, NOW - HOUR)}
    acks = [Ack("f" * 16, NOW, "Bob", "on it", NOW)]
    found = overview(config, Overview([], [], silences, acks, {"dead": 3, "quarantined": 4}, outbox), NOW)
    assert (found["deadLetters"], found["setAside"], found["alerts"]["acknowledged"]) == (3, 4, 1)
    assert found["silences"] == {"active": 1, "pending": 1}
    assert (found["outbox"]["waiting"], found["outbox"]["oldest"]) == (3, "2026-11-21T16:00:00Z")
    unknown = overview(config, Overview([], [], [], [], {}, {}), NOW)
    assert (unknown["deadLetters"], unknown["setAside"]) == (None, None), "where the store cannot be read"
