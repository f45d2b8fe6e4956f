"""`search` and `track`: messages straight from Routee, recipients masked."""

import json

import pytest
from cli_folder import Folder

from monitor.runtime.clock import MINUTE, SystemClock, to_datetime


def test_a_search_shows_the_latest_parts_masked(folder: Folder) -> None:
    parts = json.loads(folder.invoke("search", "outbound", "--json", "--limit", "7").stdout)
    assert len(parts) == 7
    assert [part["date"] for part in parts] == sorted((part["date"] for part in parts), reverse=True)
    assert all("•" in part["to"] for part in parts)
    assert parts[0]["date"].endswith("Z")


def test_a_status_narrows_it_however_it_is_written(folder: Folder) -> None:
    parts = json.loads(
        folder.invoke("search", "outbound", "--json", "--status", "undelivered", "--limit", "500").stdout
    )
    assert len(parts) == 40
    assert {part["detailedStatus"] for part in parts} == {"Carrier Violation"}


def test_a_short_span_shows_nothing_that_is_older(folder: Folder) -> None:
    outcome = folder.invoke("search", "outbound", "--since", "1m")
    assert (outcome.exit_code, outcome.stdout) == (0, "No messages.\n")


def test_for_people_it_is_a_table(folder: Folder) -> None:
    lines = folder.invoke("search", "outbound", "--limit", "3").stdout.splitlines()
    assert lines[0].split()[:3] == ["STATUS", "DATE", "STATUS"]
    assert len(lines) == 4


def test_the_number_of_a_person_who_writes_is_masked(folder: Folder) -> None:
    (part,) = json.loads(folder.invoke("track", "reply", "--json").stdout)
    assert (part["from"], part["direction"]) == ("+30691•••••78", "Inbound")


def test_numbers_in_full_only_where_privacy_says_so(folder: Folder) -> None:
    folder.config.write_text(folder.config.read_text() + "privacy: {recipients: show}\n")
    (part,) = json.loads(folder.invoke("search", "outbound", "--json", "--limit", "1").stdout)
    assert part["to"].startswith("+30690")
    assert "•" not in part["to"]


def test_an_unknown_search_names_the_nearest(folder: Folder) -> None:
    outcome = folder.invoke("search", "outbond")
    assert (outcome.exit_code, outcome.stderr) == (1, "there is no search 'outbond'; did you mean 'outbound'?\n")


def test_wrong_spans_are_usage_errors(folder: Folder) -> None:
    for since in ("8d", "soon"):
        outcome = folder.invoke("search", "outbound", "--since", since)
        assert outcome.exit_code == 2
        assert "7d" in outcome.stderr


def test_routee_unreachable_is_69_and_one_line(folder: Folder) -> None:
    folder.ask_nobody()
    outcome = folder.invoke("search", "outbound")
    assert outcome.exit_code == 69
    assert outcome.stderr.count("\n") == 1


def test_track_shows_every_part(folder: Folder) -> None:
    parts = json.loads(folder.invoke("track", "two-parts", "--json").stdout)
    assert [(part["messageId"], part["part"], part["parts"]) for part in parts] == [
        ("two-parts", 1, 2),
        ("two-parts", 2, 2),
    ]
    assert "2/2" in folder.invoke("track", "two-parts").stdout


def test_an_unknown_message_is_1(folder: Folder) -> None:
    outcome = folder.invoke("track", "no-such-message")
    assert outcome.exit_code == 1
    assert "no message 'no-such-message' is known to main" in outcome.stderr


def test_an_unknown_account_is_1(folder: Folder) -> None:
    assert folder.invoke("track", "two-parts", "--account", "mian").exit_code == 1


def test_nothing_set_aside(polled: Folder) -> None:
    assert polled.invoke("search", "outbound", "--set-aside").stdout == "No records were set aside.\n"


def test_a_status_that_is_mistyped_is_suggested_and_one_of_routees_own_is_asked_for(folder: Folder) -> None:
    outcome = folder.invoke("search", "outbound", "--status", "Undeliverd")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "there is no status 'Undeliverd'; did you mean 'Undelivered'?" in outcome.stderr
    outcome = folder.invoke("search", "outbound", "--status", "Xyz")
    assert (outcome.exit_code, outcome.stdout) == (0, "No messages.\n")
    assert outcome.stderr.startswith("warning: 'Xyz' is not one of Routee's documented statuses (Queued, Sent, ")


@pytest.mark.usefixtures("athens")
def test_how_far_back_is_a_span_or_a_time(folder: Folder) -> None:
    since = to_datetime(SystemClock().now() - 30 * MINUTE).astimezone().replace(tzinfo=None).isoformat()
    by_time = json.loads(folder.invoke("search", "outbound", "--json", "--limit", "500", "--since", since).stdout)
    by_span = json.loads(folder.invoke("search", "outbound", "--json", "--limit", "500", "--since", "30m").stdout)
    assert by_time == by_span != []
    for when, said in (("2001-01-01", "more than 7d ago"), ("2061-01-01T00:00Z", "is in the future")):
        outcome = folder.invoke("search", "outbound", "--since", when)
        assert (outcome.exit_code, said in outcome.stderr) == (2, True)
