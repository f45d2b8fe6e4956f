"""The parts of a suggestion: round numbers, ordinary values, the record of a rule, the picture, and where a value stands in its file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.alerts.kinds.tuning import Form, WrittenThreshold
from monitor.config.rules import Rule, load_rules, rule_of
from monitor.config.yaml.document import parse_document
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, Instant
from monitor.simulation.backtest import EvaluationSpan, Subject, run
from monitor.simulation.backtest.run import AccountMessages
from monitor.simulation.suggest.ladder import ladder, moved
from monitor.simulation.suggest.ordinary import bound, ordinary
from monitor.simulation.suggest.patch import Edit, patch
from monitor.simulation.suggest.picture import picture
from monitor.simulation.suggest.proposal import Recorder, suggest
from monitor.simulation.suggest.recorded import GONE, MOST_NUMBERS, RecordedRule
from monitor.simulation.suggest.replayed import replayed
from monitor.window import Window

NOW: Instant = 20_000 * DAY
COUNT: dict[str, Any] = {"name": "C", "kind": "count", "window": "10m", "above": 5}


@pytest.mark.parametrize(
    ("form", "below", "texts"),
    [
        ("share", False, ["0.5%", "9.5%", "10%", "11%", "89%", "90%", "90.5%", "99.5%"]),
        ("count", False, ["1", "2", "5", "10", "25", "500"]),
        ("money", False, ["0.01", "0.025", "2.5", "1000"]),
        ("seconds", False, ["1s", "45s", "1m", "30m", "12h", "7d"]),
        ("factor", False, ["1.2x", "2.5x", "8x", "10x", "25x"]),
        ("factor", True, ["0.01x", "0.5x", "0.8x"]),
        ("relative", False, ["+10%", "+50%", "+100%", "+250%"]),
        ("relative", True, ["-95%", "-25%", "-5%"]),
        ("sigma", False, ["2 sigma", "4.5 sigma", "10 sigma", "20 sigma"]),
    ],
)
def test_thresholds_are_numbers_that_people_write(form: Form, below: bool, texts: list[str]) -> None:
    found = [rung.text for rung in ladder(form, "below" if below else "above")]
    assert [text for text in found if text in texts] == texts
    assert not {"10.5%", "2.5", "20.5%"} & set(found) or form == "money"


@pytest.mark.parametrize(
    ("form", "below", "before", "to", "after"),
    [
        ("share", False, (0.1, 0.3), "20%", ["20%", "49%"]),
        ("share", True, (0.9, 0.7), "80%", ["80%", "51%"]),
        ("share", False, (0.1, 0.9), "99.5%", None),
        ("count", False, (10, 100), "50", ["50", "500"]),
        ("count", False, (0, 5), "1", ["1", "5"]),
        ("relative", False, (1.25, 1.5), "+50%", ["+50%", "+100%"]),
        ("relative", True, (0.75, 0.5), "-40%", ["-40%", "-60%"]),
        ("seconds", False, (30, 31), "1m", ["1m", "2m"]),
    ],
)
def test_levels_are_moved_together(form: Form, below: bool, before: tuple[float, ...], to: str, after: Any) -> None:
    comparison, rungs = "below" if below else "above", ladder(form, "below" if below else "above")
    thresholds = [WrittenThreshold((), form, size) for size in before]
    rung = next(rung for rung in rungs if rung.text == to)
    found = moved(thresholds, rung, rungs, comparison)  # type: ignore[arg-type]  # it is one of the two
    assert (None if found is None else [one.text for one in found]) == after


def recorded_of(columns: dict[str, list[float]], rule: Rule | None = None) -> RecordedRule:
    """A record with these numbers of some groups, one a minute."""
    rule = rule or rule_of(COUNT)
    found = RecordedRule("main", rule, len(next(iter(columns.values()))))
    found.groups = [(("operator", name),) for name in columns]
    found.instants = [NOW + at * MINUTE for at in range(len(next(iter(columns.values()))))]
    found._reached = np.array(list(columns.values()), np.float64).T
    return found


def test_what_a_group_does_for_less_than_a_twentieth_of_its_time_is_not_ordinary() -> None:
    brief = ordinary([recorded_of({"A": [2.0] * 96 + [90.0] * 4})], "money")
    long = ordinary([recorded_of({"A": [2.0] * 90 + [90.0] * 10})], "money")
    assert brief is not None
    assert long is not None
    assert (brief.value, brief.bound, long.value) == (2.0, 2.5, 90.0)


def test_the_group_that_reaches_furthest_counts_if_it_has_enough_values() -> None:
    nan = float("nan")
    some = {"A": [2.0] * 100, "B": [7.0] * 50 + [nan] * 50, "Rare": [99.0] + [nan] * 99, "Gone": [GONE] * 100}
    found = ordinary([recorded_of(some)], "money")
    assert found is not None
    assert (found.group, found.value) == ((("operator", "B"),), 7.0)
    assert ordinary([recorded_of({"Rare": [99.0] + [nan] * 99})], "money") is None


def test_the_margin_is_a_quarter_and_for_numbers_chance_too() -> None:
    assert bound(0.05, "share", below=False) == pytest.approx(0.0617, abs=1e-4)
    assert bound(0.95, "share", below=True) == pytest.approx(0.9383, abs=1e-4)
    assert bound(0.0, "count", below=False) == 3.0
    assert bound(100.0, "count", below=False) == pytest.approx(130.15, abs=0.01)
    assert bound(1000.0, "count", below=False) == 1250.0
    assert bound(100.0, "count", below=True) == 70.0
    assert bound(2.0, "factor", below=False) == 2.5


def account_of(rows: list[dict[str, Any]]) -> AccountMessages:
    window = Window("main")
    usual = {"status": "Delivered", "country": "GR"}
    window.upsert(batch_of([usual | {"messageId": f"m{i}"} | row for i, row in enumerate(rows)]), "all")
    return AccountMessages(window, ["all"], NOW - 10 * DAY)


def on_record(
    rule: Rule, account: AccountMessages, span: EvaluationSpan, most: int = MOST_NUMBERS
) -> tuple[RecordedRule, set[Any], set[Any]]:
    """The record, the alerts of the backtest, and those that the record gives with the same threshold."""
    recorder = Recorder(span, most)
    found = run([account], [Subject(rule, rule.name)], span, lambda done: None, recorder.watch)
    (recorded,) = recorder.rules[rule.name]
    again = replayed(recorded, rule, [level.limit for level in rule.levels_])

    def shown(alerts: Any) -> set[Any]:
        return {(one.group, one.firing_at, one.resolved_at, one.because) for one in alerts}

    return recorded, shown(found.trials[0].alerts), shown(again)


def test_a_group_that_is_forgotten_ends_its_alert_at_once_on_the_record_too() -> None:
    fields = {"kind": "count", "window": "10m", "below": 3, "by": ["operator"], "keep_firing_for": "5h"}
    rule = rule_of({"name": "Few"} | fields)
    rows = [{"date": NOW - 30 * HOUR + i * SECOND, "operator": "A"} for i in range(9)]
    rows += [{"date": NOW - i * MINUTE, "operator": "B"} for i in range(30 * 60)]
    _, judged, again = on_record(rule, account_of(rows), EvaluationSpan(NOW - 30 * HOUR, NOW, 30 * MINUTE))
    assert "no_data" in {because for *_, because in judged}
    assert judged == again


def test_of_many_groups_those_are_kept_that_came_furthest() -> None:
    rule = rule_of(COUNT | {"by": ["operator"], "above": 44})
    rows = [{"date": NOW - HOUR + n * MINUTE + i, "operator": f"o{n}"} for n in range(50) for i in range(1, n + 2)]
    span = EvaluationSpan(NOW - HOUR, NOW, 5 * MINUTE)
    recorded, judged, again = on_record(rule, account_of(rows), span, most=1)
    assert judged == again
    assert len(judged) == 6
    assert recorded.floor is not None
    assert recorded.floor <= 44
    assert len(recorded.groups) <= 17


def test_the_picture_has_a_row_for_each_day() -> None:
    days = 2
    values = [1.0] * (days * 1440)
    values[600:640], values[1440 + 60 : 1440 + 70] = [8.0] * 40, [30.0] * 10
    values[2000:2100] = [float("nan")] * 100
    recorded = recorded_of({"A": values})
    rows = list(picture([recorded], [5.0, 20.0], EvaluationSpan(NOW, NOW + days * DAY, MINUTE)))
    first = "·" * 20 + "▄▄" + "·" * 26
    second = "·" * 2 + "█" + "·" * 16 + " " * 3 + "·" * 26
    assert [row.split("  ", 1)[1] for row in rows] == [first, second]


def test_the_picture_of_a_long_history_has_a_row_for_each_week() -> None:
    recorded = recorded_of({"A": [1.0] * 10})
    rows = list(picture([recorded], [5.0, 20.0], EvaluationSpan(NOW, NOW + 21 * DAY, MINUTE)))
    assert len(rows) == 3
    assert rows[0].endswith("  ·")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("above: 20% # why", "above: 33% # why"),
        ("above: '20%'", "above: '33%'"),
        ('above:   "20%"   # "20%"', 'above:   "33%"   # "20%"'),
        ("# ünïcode 😀 20%\n    above: 20%", "# ünïcode 😀 20%\n    above: 33%"),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_only_the_value_is_replaced_in_the_file(text: str, after: str, mark: str, tmp_path: Path) -> None:
    whole = f"{mark}rules:\n  - name: R\n    kind: rate\n    window: 5m\n    {text}\n"
    file = tmp_path / "rules.yaml"
    file.write_text(whole, "utf-8")
    (rule,) = load_rules([file], {})
    found = patch([Edit(rule, ("above",), "33%")], tmp_path)
    changed = [line[1:] for line in found.text.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert changed == [f"    {after}".splitlines()[-1]]
    assert found.variables == ()


def test_nothing_to_change_is_an_empty_patch(tmp_path: Path) -> None:
    assert patch([], tmp_path).text == ""


def test_the_alerts_of_all_accounts_count_together() -> None:
    """Each of two accounts has one burst a day: of one of them alone a threshold under its bursts would do."""
    rule = rule_of(COUNT | {"name": "Burst", "above": 2})

    def past(account: str, sizes: list[int]) -> AccountMessages:
        window = Window(account)
        dates = [NOW - (4 - day) * DAY + 5 * HOUR + i for day, size in enumerate(sizes) for i in range(size)]
        window.upsert(batch_of([{"messageId": f"m{i}", "date": at} for i, at in enumerate(dates)]), "all")
        return AccountMessages(window, ["all"], NOW - 10 * DAY)

    accounts = [past("a", [60, 60, 60, 60]), past("b", [300, 30, 30, 30])]
    rule.read_from(parse_document(b"{name: Burst, kind: count, window: 10m, above: 2}", "rules.yaml", {}), ())
    span = EvaluationSpan(NOW - 4 * DAY, NOW, 5 * MINUTE)
    recorder = Recorder(span)
    found = run(accounts, [Subject(rule, rule.name)], span, lambda done: None, recorder.watch)
    for a_week, text, kept in ((2.0, "100", 1), (9.0, "50", 5)):
        (one,) = suggest(
            found,
            recorder.rules,
            a_week,
            lambda rule: True,
            lambda some: run(accounts, some, span, lambda done: None),
        )
        assert [rung.text for rung in one.rungs] == [text]
        assert one.proposed is not None
        assert len(one.alerts(one.proposed)) == kept
