"""Inhibition: as Alertmanager documents it."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from monitor.routing.inhibition import Inhibition, inhibited
from monitor.routing.matchers import Matcher, matches, parse_matchers

OUTAGE = Inhibition(
    parse_matchers("alertname=CountryOutage"), parse_matchers("alertname=OperatorFailureRate"), ("country",)
)


def rule(source: str, target: str, *equal: str) -> Inhibition:
    return Inhibition(parse_matchers(source), parse_matchers(target), equal)


def test_the_larger_trouble_inhibits_the_smaller_where_the_labels_are_alike() -> None:
    firing = {
        "outage": {"alertname": "CountryOutage", "country": "GR"},
        "here": {"alertname": "OperatorFailureRate", "country": "GR", "operator": "Cosmote"},
        "elsewhere": {"alertname": "OperatorFailureRate", "country": "CY"},
        "other": {"alertname": "Spending", "country": "GR"},
    }
    assert inhibited([OUTAGE], firing) == {"here": "outage"}
    assert inhibited([OUTAGE], {"here": firing["here"]}) == {}
    assert inhibited([], firing) == {}
    assert inhibited([OUTAGE], {}) == {}


def test_a_missing_label_equals_an_empty_one() -> None:
    firing = {"s": {"a": "1"}, "t": {"b": "1", "country": ""}}
    assert inhibited([rule("a=1", "b=1", "country", "nowhere")], firing) == {"t": "s"}


def test_without_equal_labels_every_target_is_inhibited() -> None:
    assert inhibited([rule("a=1", "b=1")], {"s": {"a": "1", "x": "1"}, "t": {"b": "1", "x": "2"}}) == {"t": "s"}


def test_an_alert_that_meets_both_sides_is_inhibited_neither_by_itself_nor_by_another_such_but_by_a_mere_source() -> (
    None
):
    both, source = {"a": "1", "b": "1"}, {"a": "1"}
    one = rule("a=1", "b=1")
    assert inhibited([one], {"x": both}) == {}
    assert inhibited([one], {"x": both, "y": both}) == {}
    assert inhibited([one], {"x": both, "y": both, "z": source}) == {"x": "z", "y": "z"}
    assert inhibited([one], {"x": both, "t": {"b": "1"}}) == {"t": "x"}


def test_an_inhibited_alert_still_inhibits() -> None:
    rules = [rule("level=3", "level=2"), rule("level=2", "level=1")]
    firing = {str(level): {"level": str(level)} for level in (1, 2, 3)}
    assert inhibited(rules, firing) == {"2": "3", "1": "2"}


def naive(rules: Sequence[Inhibition], firing: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    found = {}
    for target, labels in firing.items():
        for one in rules:
            sources = [
                source
                for source, theirs in firing.items()
                if matches(one.source, theirs)
                and matches(one.target, labels)
                and all(theirs.get(name, "") == labels.get(name, "") for name in one.equal)
                and not (matches(one.source, labels) and matches(one.target, theirs))
            ]
            if sources and target not in found:
                found[target] = min(sources)
    return found


names = st.sampled_from(["a", "b", "c"])
values = st.sampled_from(["1", "2", ""])
sides = st.lists(
    st.builds(Matcher, names, st.sampled_from(["=", "!=", "=~", "!~"]), values | st.sampled_from(["1|2", ".+"])),
    max_size=2,
).map(tuple)
rules = st.lists(st.builds(Inhibition, sides, sides, st.lists(names, max_size=2, unique=True).map(tuple)), max_size=4)
alerts = st.dictionaries(st.sampled_from("uvwxyz"), st.dictionaries(names, values), max_size=6)


@given(rules, alerts)
def test_it_is_what_comparing_each_with_each_gives(rules: list[Inhibition], firing: dict[str, dict[str, str]]) -> None:
    assert inhibited(rules, firing) == naive(rules, firing)
