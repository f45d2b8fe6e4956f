"""Rule files as a whole: what is right loads, what is wrong is listed in full."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.rules import BaselineChange, Condition, Level, Match, Rule, load_rules, rule_of
from monitor.config.rules.count import Count
from monitor.config.rules.rate import Rate
from monitor.config.rules.spike import Ago, SameHour, Spike
from monitor.runtime.clock import HOUR, MINUTE
from monitor.runtime.errors import InputError
from tests.fakes.marked import TESTDATA, assert_as_marked

GOOD = TESTDATA / "rules-good.yaml"


def by_name(path: Path) -> dict[str, Rule]:
    return {rule.name: rule for rule in load_rules([path], {})}


def test_a_good_file_loads_with_every_value_in_its_unit() -> None:
    rule = by_name(GOOD)["OperatorFailureRate"]
    assert isinstance(rule, Rate)
    assert (rule.window, rule.for_, rule.keep_firing_for) == (15 * MINUTE, 5 * MINUTE, 15 * MINUTE)
    assert (rule.above, rule.confidence, rule.min_messages, rule.of) == (0.2, 0.95, 50, "final")
    assert rule.match == Match((Condition("status", "is", ("Failed", "Undelivered")),))
    assert rule.by == ("operator", "country")
    assert rule.labels == {"team": "sms", "tier": "1"}
    assert rule.levels_ == (Level("critical", 0.2),)
    assert rule.comparison == "above"


def test_levels_are_ordered_from_the_least_to_the_most_severe() -> None:
    rules = by_name(GOOD)
    assert rules["Escalates"].levels_ == (Level("warning", 0.125), Level("critical", 0.3))
    falling = rule_of(
        {
            "name": "X",
            "kind": "count",
            "window": "1h",
            "levels": [{"below": 5, "severity": "critical"}, {"below": 50, "severity": "warning"}],
        }
    )
    assert falling.comparison == "below"
    assert falling.levels_ == (Level("warning", 50.0), Level("critical", 5.0))


def test_text_keeps_the_form_in_which_it_was_written() -> None:
    conditions = {c.field: c for c in by_name(GOOD)["Escalates"].where.conditions}
    assert conditions["country"].values == ("NO",)
    assert conditions["label"] == Condition("label", "is_not", ("012", "x"))
    assert conditions["to"].values == ("+306912345678",)


def test_a_spike_knows_its_baseline_its_change_and_how_far_back_it_looks() -> None:
    rules = by_name(GOOD)
    drop, surge = rules["DeliveryDrop"], rules["Surge"]
    assert isinstance(drop, Spike)
    assert isinstance(surge, Spike)
    assert isinstance(drop.baseline, SameHour)
    assert drop.baseline.days == 7
    assert drop.levels_ == (Level("warning", BaselineChange("relative", -0.25)),)
    assert isinstance(surge.baseline, Ago)
    assert (surge.baseline.window, surge.baseline.ago) == (HOUR, 15 * MINUTE)
    assert surge.levels_ == (Level("warning", BaselineChange("factor", 3.0)),)
    assert drop.reach == 7 * 24 * HOUR + HOUR + HOUR, "a day on which clocks are set back has an hour more"
    assert surge.reach == HOUR + 15 * MINUTE


def test_what_a_rule_matches_unless_told_depends_on_its_measure() -> None:
    common = {"name": "X", "kind": "spike", "window": "1h", "baseline": {"same_hour": "7d"}, "above": "3x"}
    count, rate = rule_of(common), rule_of(common | {"measure": "rate"})
    assert isinstance(count, Spike)
    assert isinstance(rate, Spike)
    assert not count.match
    assert rate.match.matches({"status": "Unsent"})
    assert not rate.match.matches({"status": "Delivered"})
    assert isinstance(rule_of({"name": "X", "kind": "count", "window": "1h", "above": 3}), Count)


def test_every_problem_of_a_bad_file_is_listed_with_its_line() -> None:
    path = TESTDATA / "rules-bad.yaml"
    with pytest.raises(InputError) as caught:
        load_rules([path], {})
    assert caught.value.exit_code == 65
    assert_as_marked(path, caught.value.problems)


def test_a_problem_names_file_line_column_path_and_the_nearest_word(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("rules:\n  - {name: A, kind: count, windoww: 1h, window: 1h, above: 1}\n")
    with pytest.raises(InputError) as caught:
        load_rules([path], {})
    assert str(caught.value) == f"{path}:2:28: rules[0].windoww: unknown key; did you mean 'window'?"


def test_two_rules_of_one_name_in_two_files_name_both_places(tmp_path: Path) -> None:
    text = "rules:\n  - {name: Same, kind: count, window: 1h, above: 1}\n"
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(text)
    second.write_text(text)
    with pytest.raises(InputError) as caught:
        load_rules([first, second], {})
    assert str(second) in str(caught.value)
    assert f"{first}:2" in str(caught.value)


def test_a_rule_remembers_where_it_and_its_annotations_stand() -> None:
    rule = by_name(GOOD)["OperatorFailureRate"]
    assert rule.source == (str(GOOD), 3)
    line = rule.location("annotations", "summary")[1]
    assert "summary" in GOOD.read_text().splitlines()[line - 1]
    assert str(rule.problem("bad template", "annotations", "summary")).startswith(f"{GOOD}:{line}:")


def test_a_rule_that_only_moved_within_its_file_is_the_same_rule(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    text = "  - {name: A, kind: count, window: 1h, above: 1}\n"
    path.write_text("rules:\n" + text)
    before = load_rules([path], {})
    path.write_text("# moved\n\nrules:\n" + text)
    assert load_rules([path], {}) == before


def test_an_empty_file_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("# nothing yet\n")
    with pytest.raises(InputError, match="rules: is missing"):
        load_rules([path], {})


def test_variables_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text('rules: [{name: A, kind: count, window: "${W:-1h}", above: 5}]\n')
    assert load_rules([path], {"W": "2h"})[0].reach == 2 * HOUR


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_rules([tmp_path / "none.yaml"], {})


words = st.sampled_from(
    [
        "rules",
        "name",
        "kind",
        "rate",
        "count",
        "spike",
        "window",
        "above",
        "below",
        "levels",
        "15m",
        "20%",
        "3x",
        "status",
        "Failed",
        "~",
        "true",
        "NO",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "-",
        ">",
        "&",
        "*",
        "!",
        "|",
        "#",
        "'",
        '"',
        "${X}",
        "1e9",
    ]
)
soup = st.lists(words | st.sampled_from([" ", "\n", "\n  - ", ": ", "\t"]), max_size=40).map("".join)


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass"))
    | soup.map(str.encode)
)
def test_whatever_the_file_holds_nothing_but_an_input_error_comes_out(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "soup.yaml"
    path.write_bytes(content)
    try:
        load_rules([path], {})
    except InputError as error:
        listed = error.problems
    else:
        return
    assert listed


leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | words
tree = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)
WORDS = (
    "name where by for window above below levels match of baseline labels measure percentile older_than active_in "
    "min_baseline field seen_in objective period min_messages"
)
keys = st.sampled_from(WORDS.split())


KINDS = ("rate", "count", "spike", "latency", "stuck", "absence", "new_value", "cost", "distinct", "slo")


@given(st.sampled_from(KINDS), st.dictionaries(keys, tree, max_size=6))
def test_whatever_a_rule_holds_it_is_a_rule_or_a_value_error(kind: str, data: dict[str, object]) -> None:
    try:
        rule = rule_of(data | {"kind": kind})
    except ValueError:
        return
    assert rule.levels_


def test_above_beside_below_is_one_problem_and_a_bound_has_no_needless_digits(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "rules:\n"
        "  - {name: A, kind: rate, window: 15m, above: 20%, below: 3%}\n"
        "  - {name: B, kind: latency, window: 15m, above: 20s, percentile: 101}\n"
    )
    with pytest.raises(InputError) as caught:
        load_rules([file], {})
    assert [problem.message for problem in caught.value.problems] == [
        "only one of above, below and levels can be written; above is there already",
        "a percentile is 1 to 100, not 101",
    ]


@pytest.mark.parametrize("written", ["abov: 20%", "levls: [{above: 20%, severity: critical}]", "thresh: 20%"])
def test_an_unknown_key_comes_first_and_what_follows_from_a_misspelt_one_is_no_problem(
    tmp_path: Path, written: str
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"rules:\n  - name: Near\n    kind: rate\n    windw: 15m\n    {written}\n")
    with pytest.raises(InputError) as raised:
        load_rules([path])
    first, *others = [problem.message for problem in raised.value.problems]
    assert first.startswith("unknown key; did you mean 'window'?")
    assert others[0].startswith("unknown key")
    assert len(others) == (2 if "thresh:" in written else 1), (
        "without a right word for it, nothing says what it was to be"
    )


def test_a_value_under_a_misspelt_key_is_looked_at_too(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - {name: Near, kind: rate, windw: 15x, above: 20%}\n")
    with pytest.raises(InputError) as raised:
        load_rules([path])
    assert [(one.line, one.path) for one in raised.value.problems] == [(2, "rules[0].windw"), (2, "rules[0].windw")]
    assert "'15x' is not a duration" in str(raised.value)


def test_a_wrong_kind_hides_no_other_error(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n"
        "  - {name: Near, kind: rat, widow: 15m, above: 20}\n"
        "  - {name: Far, kind: zzz, for: x, severty: critical, window: 15m}\n"
        "  - {name: Without, window: 15m, by: [oprator]}\n"
        "  - {name: List, kind: [rate], limit: -1}\n"
    )
    with pytest.raises(InputError) as raised:
        load_rules([path])
    said = [(problem.path, problem.message) for problem in raised.value.problems]
    kinds = [message for path, message in said if path.endswith(".kind")]
    assert kinds[0].endswith("; did you mean 'rate'?")
    assert "did you mean" not in kinds[1]
    assert kinds[2].startswith("is missing: write one of rate, count, ")
    assert kinds[3].endswith(", not a list")
    assert [path for path, _ in said if not path.endswith(".kind")] == [
        "rules[0].widow",
        "rules[1].severty",
        "rules[0].above",
        "rules[1].for",
        "rules[2].by[0]",
        "rules[3].limit",
    ]


def calls_of_reading(path: Path, count: int) -> int:
    """Returns how many calls of functions it takes to read so many broken rules that stand in one line."""
    broken = [f"{{name: 1x{number}, kind: rat, abov: 2}}" for number in range(count)]
    path.write_text(f"rules: [{', '.join(broken)}]\n")
    calls = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        with pytest.raises(InputError) as caught:
            load_rules([path])
    finally:
        sys.setprofile(None)
    assert len(caught.value.problems) == 5 * count, "each of them is named"
    return calls


def test_many_broken_rules_take_little_more_than_a_few(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    calls_of_reading(path, 1)  # what is built at the first use
    few, many = calls_of_reading(path, 50), calls_of_reading(path, 800)
    assert few < 50 * 500
    assert many < 16 * few * 1.05, "with the number of rules, and no faster"
