"""Addresses of the page: whatever stands in an alert, it stays inside its part of the address."""

from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.render.links import acknowledge_url, page_url, silence_url
from monitor.routing.matcher_syntax import write_matcher

OUTSIDE = "https://sms.example.org/monitor"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def test_what_they_look_like() -> None:
    assert page_url(OUTSIDE + "/", "9a41") == "https://sms.example.org/monitor/alerts/9a41"
    assert acknowledge_url(OUTSIDE, "9a41") == "https://sms.example.org/monitor/alerts/9a41/acknowledge"
    assert silence_url(OUTSIDE, {}) == "https://sms.example.org/monitor/silences/new"
    labels = {"operator": "Cosmote & Co", "alertname": "Late"}
    matchers = "?matcher=alertname%3D%22Late%22&matcher=operator%3D%22Cosmote%20%26%20Co%22"
    assert silence_url(OUTSIDE, labels) == f"https://sms.example.org/monitor/silences/new{matchers}"


def test_a_matcher_is_written_as_alertmanager_reads_it() -> None:
    assert write_matcher("from", "=", 'a"b\\c\nd') == 'from="a\\"b\\\\c\\nd"'


@given(texts)
def test_any_fingerprint_is_one_part_of_the_path(fingerprint: str) -> None:
    parts = urlsplit(acknowledge_url(OUTSIDE, fingerprint))
    _, before, mine, after = parts.path.rsplit("/", 3)
    assert (before, unquote(mine), after) == ("alerts", fingerprint, "acknowledge")
    assert (parts.netloc, parts.query, parts.fragment) == ("sms.example.org", "", "")


@given(st.dictionaries(texts, texts, max_size=4))
def test_any_labels_come_back_out_of_the_address(labels: dict[str, str]) -> None:
    url = silence_url(OUTSIDE, labels)
    assert url.isascii()
    assert url.isprintable()
    found = parse_qs(urlsplit(url).query, keep_blank_values=True).get("matcher", [])
    assert sorted(found) == sorted(write_matcher(name, "=", value) for name, value in labels.items())


def test_broken_text_makes_an_address_all_the_same() -> None:
    assert page_url(OUTSIDE, "\ud800").endswith("/alerts/%3F")
