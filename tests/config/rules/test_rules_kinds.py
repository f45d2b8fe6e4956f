"""The kinds beside rate, count and spike: what their files say, and what is wrong in them."""

import json
from pathlib import Path

import pytest

from monitor.config.rules import Level, ShareAmount, load_rules
from monitor.config.rules.absence import Absence
from monitor.config.rules.latency import Latency
from monitor.config.rules.new_value import NewValue
from monitor.config.rules.slo import Slo
from monitor.config.rules.stuck import Stuck
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND
from monitor.runtime.errors import InputError
from tests.fakes.marked import TESTDATA, assert_as_marked

GOOD = {rule.name: rule for rule in load_rules([TESTDATA / "rules-good-kinds.yaml"], {})}


def test_every_problem_of_a_bad_file_is_listed_with_its_line() -> None:
    path = TESTDATA / "rules-bad-kinds.yaml"
    with pytest.raises(InputError) as caught:
        load_rules([path], {})
    assert caught.value.exit_code == 65
    assert_as_marked(path, caught.value.problems)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            "{name: A, kind: slo, objective: 98%, window: 15m}",
            "window: kind slo has no such key; it has objective, period, match, of, min_messages, and what all rules have",
        ),
        ("{name: A, kind: balance, below: 50, above: 1}", "above: kind balance has no such key; it has below, "),
        ("{name: A, kind: slo, objective: 98%, windoww: 15m}", "windoww: unknown key"),
        ("{name: A, kind: shift, window: 15m}", "window: a shift has none: "),
    ],
)
def test_a_key_of_another_kind_is_told_from_an_unknown_one(tmp_path: Path, rule: str, said: str) -> None:
    (tmp_path / "r.yaml").write_text(f"rules: [{rule}]\n", "utf-8")
    with pytest.raises(InputError) as caught:
        load_rules([tmp_path / "r.yaml"], {})
    (problem,) = caught.value.problems
    assert f"rules[0].{said}" in str(problem)


def test_a_latency_is_in_seconds_and_of_the_95th_percentile_unless_told() -> None:
    assert GOOD["SlowDelivery"].levels_ == (Level("warning", 30.0),)
    assert GOOD["SlowOtp"].levels_ == (Level("warning", 10.0), Level("critical", 90.0))
    usual = Latency.model_validate({"name": "A", "kind": "latency", "window": "1h", "above": "1m"})
    assert usual.percentile == 95


def test_stuck_knows_numbers_from_shares_and_looks_a_day_back() -> None:
    number, share = GOOD["StuckQueue"], GOOD["StuckShare"]
    assert isinstance(number, Stuck)
    assert isinstance(share, Stuck)
    assert (number.window, number.older_than, number.is_share) == (DAY, 15 * MINUTE, False)
    assert (share.window, share.levels_, share.is_share) == (6 * HOUR, (Level("warning", ShareAmount(0.05)),), True)


def test_absence_and_new_values_look_beyond_their_windows() -> None:
    silence, sender = GOOD["Silence"], GOOD["NewSender"]
    assert isinstance(silence, Absence)
    assert isinstance(sender, NewValue)
    assert (silence.reach, silence.comparison) == (DAY + 45 * MINUTE, "below")
    assert (sender.reach, sender.grouping) == (3 * DAY + HOUR, ("country", "from"))


def test_the_windows_of_an_objective_are_scaled_to_its_period() -> None:
    month, week = GOOD["OtpObjective"], GOOD["DeliveryObjective"]
    assert isinstance(month, Slo)
    assert isinstance(week, Slo)
    assert [(pair.factor, pair.long, pair.short) for pair in month.burns] == [
        (14.4, HOUR, 5 * MINUTE),
        (6.0, 6 * HOUR, 30 * MINUTE),
        (1.0, 3 * DAY, 6 * HOUR),
    ]
    assert [(pair.long, pair.short) for pair in week.burns] == [
        (14 * MINUTE, 70 * SECOND),
        (84 * MINUTE, 7 * MINUTE),
        (16 * HOUR + 48 * MINUTE, 84 * MINUTE),
    ]
    spent = [pair.factor * pair.long / week.period for pair in week.burns]
    assert spent == pytest.approx([0.02, 0.05, 0.1])


def test_an_objective_has_a_severity_for_each_pace_or_one_for_both() -> None:
    assert [level.severity for level in GOOD["DeliveryObjective"].levels_] == ["warning", "critical"]
    assert [level.severity for level in GOOD["OtpObjective"].levels_] == ["page"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"window": "5m"}, "window: a shift has none: it compares now with what was learned"),
        ({"levels": []}, "levels: a shift has none: write to: 3x for the smallest change that matters"),
        ({"above": "5%"}, "above: a shift has none: write to: 3x for the smallest change that matters"),
        ({"min_messages": 5}, "min_messages: a shift has none: it waits until there is evidence enough"),
        ({"false_alarm_every": "0d"}, "write 1d or more"),
        ({"learn": "0h"}, "write 1h or more"),
        ({"to": "-3x"}, "to: should be a factor of the odds, like 3x"),
        ({"to": "0x"}, "to: should be more than 1x"),
    ],
)
def test_a_shift_says_what_it_has_instead(tmp_path: Path, fields: dict[str, object], said: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"rules": [{"name": "S", "kind": "shift", **fields}]}))
    with pytest.raises(InputError) as caught:
        load_rules([file], {})
    (problem,) = caught.value.problems
    assert said in f"{problem.path}: {problem.message}"
