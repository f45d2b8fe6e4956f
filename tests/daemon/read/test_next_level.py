"""What is said to come next of an alert, and why it fires on."""

from pathlib import Path

from monitor.daemon.read.next_level import next_level_words
from monitor.model.alert import Alert
from monitor.runtime.clock import MINUTE, SECOND, iso
from tests.fakes.daemon_reading import RULES, Reading

KEPT = RULES.replace("    for: 1m\n", "    for: 2m\n    keep_firing_for: 10m\n").replace(
    "window: 5m\n", "window: 1m\n", 1
)


def of(reading: Reading, state: str) -> Alert:
    (found,) = [one for one in reading.harness.pipeline.every_alert() if one.state == state]
    return found


def words(reading: Reading, state: str, later: int = 0) -> str:
    settings = reading.harness.settings
    (rule,) = [one for one in settings.rules if one.name == "Failing"]
    return next_level_words(of(reading, state), rule, settings.config, reading.clock.now() + later)


async def test_why_an_alert_fires_on_below_its_threshold_is_said(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", KEPT)
    for _ in range(4):
        await reading.poll(Cosmote=10)
    assert "keeps firing" not in words(reading, "firing")
    await reading.poll(2 * MINUTE, Cosmote=0)
    said = words(reading, "firing")
    assert said.startswith("; keeps firing until 2026-")
    assert said.endswith(" (keep_firing_for 10m), its threshold is no longer crossed")


async def test_a_pending_alert_that_nobody_judges_is_not_said_to_fire_at_a_time_that_is_over(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", KEPT)
    await reading.poll(Cosmote=10)
    assert words(reading, "pending").startswith("; fires as critical at 2026-") or words(reading, "pending").startswith(
        "; fires at"
    )
    said = words(reading, "pending", 30 * MINUTE)
    assert said.startswith("; frozen: it was due at 2026-")
    assert "its rule was last judged as of 2026-" in said
    assert words(reading, "pending", 2 * MINUTE + 20 * SECOND) == words(reading, "pending"), (
        "a poll may be a little late"
    )


async def test_an_alert_that_is_held_for_lack_of_data_says_since_when_and_until_when(tmp_path: Path) -> None:
    rules = RULES.replace("    for: 1m\n", "    for: 1m\n    forget_after: 30m\n").replace(
        "window: 5m\n", "window: 1m\n", 1
    )
    reading = Reading(tmp_path / "monitor.db", rules)
    for _ in range(4):
        await reading.poll(Cosmote=10)
    await reading.poll(10 * MINUTE)
    since, until = reading.clock.at, reading.clock.at + 30 * MINUTE
    expected = f"; not enough data since {iso(since)}, ends at {iso(until)} unless there is again (forget_after 30m)"
    assert words(reading, "firing") == expected
    [card] = [one for one in (await reading.harness.actions.status()).alerts() if one.state == "firing"]
    assert (card.no_data_since, card.forgotten_at, card.fires_on_until) == (since, until, None)
