"""Silences: what they silence and when, found quickly among many, and refused where they make no sense."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.routing.matchers import Matcher, matches, parse_matchers
from monitor.routing.silences import Silence, Silences, make_room, new_silence
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import HOUR, MINUTE, SECOND, parse_iso

NOW = parse_iso("2026-11-21T12:00:30Z")
NOON = TimeInterval(times=((12 * 60, 12 * 60 + 5),))


def silence(
    matchers: str = "a=b", begins: int = 0, ends: int = HOUR, name: str = "s", during: TimeInterval | None = None
) -> Silence:
    found = parse_matchers(matchers)
    return Silence(name, found, NOW + begins, NOW + ends, "ann", "upgrade", NOW, during)


def asked_for(
    matchers: str = "a=b", begins: int = 0, ends: int = HOUR, by: str = "ann", why: str = "upgrade"
) -> Silence:
    return new_silence(
        parse_matchers(matchers),
        starts_at=NOW + begins,
        ends_at=NOW + ends,
        created_by=by,
        comment=why,
        now=NOW,
        id="s",
    )


def test_a_silence_is_pending_then_active_then_expired() -> None:
    one = silence(begins=MINUTE, ends=HOUR)
    moments = [NOW, NOW + MINUTE - 1, NOW + MINUTE, NOW + HOUR - 1, NOW + HOUR]
    assert [one.state(at) for at in moments] == ["pending", "pending", "active", "active", "expired"]
    assert [one.is_active(at) for at in moments] == [False, False, True, True, False]
    assert [one.next_change(at) for at in moments] == [NOW + MINUTE, NOW + MINUTE, NOW + HOUR, NOW + HOUR, None]


def test_a_recurring_silence_silences_only_in_its_times() -> None:
    one = silence(ends=48 * HOUR, during=NOON)
    assert one.is_active(NOW)
    assert not one.is_active(NOW + 5 * MINUTE)
    assert one.state(NOW + 5 * MINUTE) == "active"
    assert one.is_active(NOW + 24 * HOUR)
    assert one.next_change(NOW) == NOW + 30 * SECOND
    assert not one.is_active(NOW + 48 * HOUR)
    assert silence(ends=10 * SECOND, during=NOON).next_change(NOW) == NOW + 10 * SECOND


def test_asking_at_each_change_misses_none() -> None:
    one = silence(begins=-HOUR, ends=3 * HOUR, during=TimeInterval(times=((12 * 60 + 7, 13 * 60),)))
    at, known, changes = NOW, one.is_active(NOW), []
    for second in range(4 * 3600):
        moment = NOW + second * SECOND
        if at is not None and moment >= at:
            known, at = one.is_active(moment), one.next_change(moment)
        changes.append(known == one.is_active(moment))
    assert all(changes)


def test_a_silence_that_makes_sense_is_made() -> None:
    assert asked_for('a="b",c=~".*"') == silence('a="b",c=~".*"')
    assert asked_for(begins=-HOUR).starts_at == NOW
    assert asked_for(begins=MINUTE).starts_at == NOW + MINUTE
    assert asked_for("a!=b").matchers == parse_matchers("a!=b")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"matchers": ""}, "needs at least one matcher"),
        ({"matchers": 'a="",b=~".*",c=~"x|"'}, 'a="", b=~".*", c=~"x|" also matches alerts that lack the label'),
        ({"begins": HOUR, "ends": HOUR}, "ends (2026-11-21T13:00:30Z) before it begins"),
        ({"begins": HOUR, "ends": MINUTE}, "before it begins (2026-11-21T13:00:30Z)"),
        ({"begins": -HOUR, "ends": -MINUTE}, "would have ended already, at 2026-11-21T11:59:30Z"),
        ({"begins": -HOUR, "ends": 0}, "would have ended already"),
        ({"by": " "}, "who asks for it (createdBy)"),
        ({"why": ""}, "why (comment)"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused_with_the_reason(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        asked_for(**wrong)  # type: ignore[arg-type]  # a dictionary of different kinds
    assert said in str(caught.value)


@pytest.mark.parametrize("zone", ["Europe/Atens", "../../etc/passwd", "/etc/passwd", "", "Europe", "a\0b"])
def test_a_recurring_silence_needs_a_time_zone_that_there_is(zone: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone; write it like Europe/Athens"):
        new_silence(
            parse_matchers("a=b"),
            starts_at=NOW,
            ends_at=NOW + HOUR,
            created_by="ann",
            comment="nights",
            now=NOW,
            id="s",
            during=TimeInterval(location=zone),
        )


def test_a_silence_is_kept_as_json_and_comes_back() -> None:
    one = silence('a="b",c!~"d|e"', during=NOON)
    assert msgspec.json.decode(msgspec.json.encode(one), type=Silence) == one


def test_silences_are_put_replaced_and_removed_and_each_change_is_another_version() -> None:
    kept = Silences([silence(name="one")])
    versions = [kept.version]
    kept.put(silence("a=c", name="one"))
    versions.append(kept.version)
    assert kept.silencing({"a": "b"}, NOW) == ()
    assert kept.silencing({"a": "c"}, NOW) == ("one",)
    assert kept.get("one") == silence("a=c", name="one")
    kept.remove("one")
    versions.append(kept.version)
    assert len(set(versions)) == 3
    assert (kept.all(), len(kept), kept.get("one")) == ((), 0, None)
    kept.remove("one")
    assert kept.version == versions[-1]


def test_what_an_alert_meets_can_be_kept_until_the_version_changes_because_time_is_left_out() -> None:
    over, later = silence(name="over", begins=-HOUR, ends=0), silence(name="later", begins=MINUTE)
    kept = Silences([over, later, silence(name="now"), silence("a=x", name="other")])
    assert [one.id for one in kept.candidates({"a": "b"})] == ["over", "later", "now"]
    assert kept.silencing({"a": "b"}, NOW) == ("now",)


texts = st.sampled_from(["a", "b", "ab", ""])
names = st.sampled_from(["x", "y", "z"])
conditions = st.builds(
    Matcher, names, st.sampled_from(["=", "!=", "=~", "!~"]), texts | st.sampled_from([".*", "a|b", "a.+"])
)
alerts = st.dictionaries(names, texts)
steps = st.lists(
    st.tuples(st.sampled_from("12345"), st.lists(conditions, min_size=1, max_size=3) | st.none(), alerts), max_size=25
)


@given(steps)
def test_it_finds_what_looking_at_each_silence_finds(
    steps: list[tuple[str, list[Matcher] | None, dict[str, str]]],
) -> None:
    kept, naive = Silences(), dict[str, Silence]()
    for name, matchers, labels in steps:
        naive.pop(name, None)
        if matchers is None:
            kept.remove(name)
        else:
            naive[name] = Silence(name, tuple(matchers), NOW, NOW + HOUR, "ann", "", NOW)
            kept.put(naive[name])
        assert kept.all() == tuple(naive.values())
        expected = {one.id for one in naive.values() if matches(one.matchers, labels)}
        found = kept.silencing(labels, NOW)
        assert set(found) == expected
        assert len(found) == len(expected)


def test_more_silences_than_there_is_room_for_are_refused_and_those_that_are_over_make_room() -> None:
    def one(number: int, ends_at: int = NOW + HOUR, pattern: str = "") -> Silence:
        matcher = Matcher("a", "=~", pattern) if pattern else Matcher("a", "=", str(number))
        return Silence(str(number), (matcher,), NOW, ends_at, "ann", "why", NOW)

    full = [one(number) for number in range(10_000)]
    with pytest.raises(ValueError, match="no further silence can be stored: there are 10000"):
        make_room(full, one(10_000), NOW)
    assert make_room(full, one(7), NOW) == [], "one in another's place"
    over = [one(number, NOW - number) for number in range(2)]
    assert make_room([*full[2:], *over], one(10_000), NOW) == ["1"], "the earliest is forgotten"
    assert make_room(full[:9_999], one(10_000), NOW) == []
    large = [one(number, pattern=f".{{1,200}}.{{1,100}}{number}") for number in range(150)]
    with pytest.raises(ValueError, match="too large together"):
        make_room(large, one(10_000), NOW)


@pytest.mark.parametrize("ends_at", [2**63 - 1, 10**18, -(2**63)])
def test_a_silence_ends_while_dates_can_be_written(ends_at: int) -> None:
    with pytest.raises(ValueError, match="ends"):
        new_silence(
            [Matcher("a", "=", "b")], starts_at=NOW, ends_at=ends_at, created_by="ann", comment="why", now=NOW, id="1"
        )
