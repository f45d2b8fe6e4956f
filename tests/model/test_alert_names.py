"""Which alert a fingerprint, or the beginning of one, names."""

import pytest

from monitor.model.alert_names import NamedAlert, alert_named
from monitor.runtime.errors import AmbiguousName

FAILURES = NamedAlert("aaaa000011112222", "bbbb333344445555", {"alertname": "Failures", "operator": "Cosmote"})
DELAYS = NamedAlert("aaab000011112222", "cccc333344445555", {"alertname": "Delays", "severity": "critical"})
BOTH = (FAILURES, DELAYS)


@pytest.mark.parametrize("text", ["aaaa000011112222", "bbbb333344445555", "aaaa", "bbbb", "bbbb33334"])
def test_both_fingerprints_name_it_and_the_beginning_of_either(text: str) -> None:
    assert alert_named(text, BOTH) == FAILURES


@pytest.mark.parametrize("text", ["", "a", "bbb", "ffff", "bbbb333344445555f", "333344445555", "Failures"])
def test_nothing_else_names_one(text: str) -> None:
    assert alert_named(text, BOTH) is None


def test_what_begins_several_is_refused_and_says_which() -> None:
    other = FAILURES._replace(own="bbbb000000000000", of_labels="eeee000000000000", labels={"alertname": "Silence"})
    with pytest.raises(AmbiguousName) as refused:
        alert_named("bbbb", (*BOTH, other))
    assert str(refused.value) == (
        "the fingerprints of 2 alerts begin with bbbb; write more of it: "
        "bbbb333344445555 (Failures operator=Cosmote), bbbb000000000000 (Silence)"
    )


def test_of_very_many_some_are_named() -> None:
    many = (NamedAlert(f"dddd{number:012x}", f"{number:016x}", {}) for number in range(1, 8))
    with pytest.raises(AmbiguousName, match=r"of 7 alerts begin .* \(\), 2 more$"):
        alert_named("dddd", many)


def test_a_whole_fingerprint_is_not_ambiguous_and_an_alert_that_is_there_twice_neither() -> None:
    escalated = FAILURES._replace(of_labels="bbbb999999999999")
    assert alert_named("bbbb", (FAILURES, escalated)) == escalated
    assert alert_named("bbbb333344445555", (escalated, FAILURES)) == FAILURES
