"""`silence` and `ack` against a listener with alert actions of a test's."""

import json
import re
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
import trio
from cli_folder import Folder

from monitor.daemon.health import Health
from monitor.daemon.http.alertmanager_api import AlertmanagerApi, ApiStatus
from monitor.daemon.http.app import make_app
from monitor.daemon.http.own_api import OwnApi
from monitor.daemon.http.server import serve
from monitor.daemon.metrics import Metrics
from monitor.model.label_fingerprint import label_fingerprint
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence, new_silence
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import HOUR, MINUTE, Instant, SystemClock, parse_iso
from tests.fakes.alert_actions import FakeAlertActions
from tests.fakes.alerts import rate, spike

TOKEN = "a-token-for-changes"


@pytest.fixture
def actions() -> FakeAlertActions:
    now = SystemClock().now()
    return FakeAlertActions([rate(starts_at=now - HOUR, as_of=now), spike(starts_at=now - HOUR, as_of=now)])


@asynccontextmanager
async def listening(actions: FakeAlertActions, folder: Folder, *, protect_reads: bool = False):
    """Gives what runs a command on that listener, with the token of the folder's configuration."""
    folder.replace(folder.config, 'web: {listen: "127.0.0.1:0"}', f'web: {{listen: "127.0.0.1:0", token: {TOKEN}}}')
    apis = [
        *AlertmanagerApi(actions, ApiStatus("1", ("ops",), ""), actions.clock, TOKEN).routes(),
        *OwnApi(actions, actions.clock, TOKEN).routes(),
    ]
    app, stop = (
        make_app(Health(), Metrics(SystemClock()), token=TOKEN, protect_reads=protect_reads, apis=apis),
        trio.Event(),
    )
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, app, "127.0.0.1:0", stop=stop))

        async def invoke(command: str, *arguments: str) -> Any:
            first, _, second = command.partition(" ")
            words = (first, second) if second else (first,)
            return await trio.to_thread.run_sync(partial(folder.invoke, *words, "--url", url, *arguments))

        yield invoke
        stop.set()


async def test_a_silence_is_added_shown_and_ended(actions, folder):
    async with listening(actions, folder) as invoke:
        added = await invoke("silence add", "operator=Cosmote", "--for", "2h", "--by", "ann", "--comment", "they know")
        assert added.exit_code == 0, added.stderr
        silence_id = added.stdout.strip()
        (kept,) = actions.kept.all()
        assert (kept.id, kept.created_by, kept.comment) == (silence_id, "ann", "they know")
        assert 0 <= 2 * HOUR - (kept.ends_at - kept.starts_at) < MINUTE

        shown = (await invoke("silence list")).stdout
        assert 'operator="Cosmote"' in shown
        assert "1 now" in shown
        ended = await invoke("silence expire", silence_id[:6])
        assert (ended.exit_code, ended.stdout) == (0, f'Expired {silence_id[:8]}: {{operator="Cosmote"}}\n')
        assert (await invoke("silence list")).stdout == "No silences.\n"
        (over,) = json.loads((await invoke("silence list", "--expired", "--json")).stdout)
        assert over["status"] == {"state": "expired"}
        again = await invoke("silence expire", silence_id[:6])
        assert (again.exit_code, f"the silence {silence_id[:6]} has ended already" in again.stderr) == (1, True)


async def test_what_does_not_silence_now_is_not_said_to(actions, folder):
    async with listening(actions, folder) as invoke:
        await invoke("silence add", "operator=Cosmote", "--start", "2030-01-01T00:00:00Z", "--comment", "then")
        assert "not now" in (await invoke("silence list")).stdout
        (one,) = actions.kept.all()
        actions.kept.put(msgspec.structs.replace(one, starts_at=0, during=TimeInterval(years=((1970, 1970),))))
        assert "not now" in (await invoke("silence list")).stdout
        actions.kept.put(msgspec.structs.replace(one, starts_at=0, ends_at=1))
        assert "not now" in (await invoke("silence list", "--expired")).stdout


async def test_what_a_silence_hides_now_is_said_when_it_is_added(actions, folder):
    async with listening(actions, folder) as invoke:
        added = await invoke("silence add", "operator=Cosmote", "--for", "2h", "--comment", "they know")
        assert added.stdout.splitlines() == [actions.silences()[0].silence.id], "scripts read the id alone"
        assert "silenced until 20" in added.stderr
        assert "it silences 1 alert that fires now: OperatorFailureRate operator=Cosmote, country=GR" in added.stderr
        assert "warning" not in added.stderr
        as_json = json.loads((await invoke("silence add", "alertname=~.+", "--comment", "all", "--json")).stdout)
        assert [labels["alertname"] for labels in as_json["alerts"]] == [view.name for view in actions.views]
        later = await invoke("silence add", "alertname=~.+", "--start", "2031-01-01T00:00:00Z", "--comment", "then")
        assert "not silenced now, but from 2031-01-01T00:00:00Z until 2031-01-01T01:00:00Z" in later.stderr
        assert "it would silence 2 alerts that fire now" in later.stderr


@pytest.mark.parametrize(
    ("matcher", "hint"),
    [
        ("operator=Cosmot", "; did you mean 'Cosmote'?"),
        ("operater=Cosmote", ": none has the label 'operater'; did you mean 'operator'?"),
    ],
)
async def test_a_silence_of_nothing_is_warned_of(actions, folder, matcher, hint):
    async with listening(actions, folder) as invoke:
        added = await invoke("silence add", matcher, "--comment", "x")
    assert added.exit_code == 0
    assert f"warning: no firing alert matches{hint}" in added.stderr


@pytest.mark.parametrize("matchers", [('foo!~"bar.+"',), ("foo!=bar", 'team!~"a|b"'), ("foo!=bar", "country=~.*")])
async def test_what_alerts_without_the_label_meet_too_is_to_be_confirmed(actions, folder, matchers):
    async with listening(actions, folder) as invoke:
        refused = await invoke("silence add", *matchers, "--comment", "x")
        assert (refused.exit_code, actions.silences()) == (1, [])
        assert "alerts without the label foo" in refused.stderr
        assert "It would silence 2 alerts that fire now: " in refused.stderr
        assert "--yes" in refused.stderr
        added = await invoke("silence add", *matchers, "--comment", "x", "--yes")
        assert added.exit_code == 0
        assert "it silences 2 alerts" in added.stderr


@pytest.mark.parametrize("matchers", [("severity!=critical",), ("foo!=bar", "operator=Cosmote")])
async def test_a_negated_matcher_that_narrows_is_not_to_be_confirmed(actions, folder, matchers):
    async with listening(actions, folder) as invoke:
        assert (await invoke("silence add", *matchers, "--comment", "x")).exit_code == 0


async def test_a_silence_that_ends_soon_says_in_how_long(actions, folder):
    async with listening(actions, folder) as invoke:
        await invoke("silence add", "operator=Cosmote", "--for", "12m", "--comment", "x")
        await invoke("silence add", "operator=Nova", "--for", "2d", "--comment", "x")
        listed = (await invoke("silence list")).stdout
    assert len(re.findall(r"Z \(in (?:12|11|10)m\)", listed)) == 1
    assert listed.count("(in ") == 1


async def test_a_silences_times_are_those_of_the_terminal(actions, folder, athens):
    async with listening(actions, folder) as invoke:
        added = await invoke(
            *("silence add", "operator=Cosmote", "--comment", "x"),
            *("--start", "2031-01-01T10:00", "--until", "2031-01-01T18:00"),
        )
    assert added.exit_code == 0, added.stderr
    (kept,) = actions.kept.all()
    assert kept.starts_at == parse_iso("2031-01-01T08:00:00Z")
    assert kept.ends_at == parse_iso("2031-01-01T16:00:00Z")
    said = "--until 2031-01-01T18:00 has no time zone. It is read in yours: 2031-01-01T18:00:00+02:00 (EET), 16:00Z."
    assert said in added.stderr
    assert "until 2031-01-01T18:00:00+02:00 (EET), 16:00Z" in added.stderr.splitlines()[-2]


async def test_a_silence_recurs_by_the_clock_of_a_place(actions, folder):
    async with listening(actions, folder) as invoke:
        added = await invoke(
            *("silence add", "country=GR", "--for", "30d", "--comment", "maintenance", "--weekdays", "sunday"),
            *("--times", "02:00-06:00", "--times", "22:00-24:00", "--location", "Europe/Athens"),
        )
        assert added.exit_code == 0, added.stderr
        (kept,) = actions.kept.all()
        assert kept.during is not None
        span = added.stderr.splitlines()[0]
        begins = re.fullmatch(
            r"silenced each sunday 02:00-06:00, 22:00-24:00 Europe/Athens, "
            r"(?:next at (\S+Z), until \S+; not now|also now, until \S+)",
            span,
        )
        assert begins is not None, span
        if begins[1] is not None:
            at = parse_iso(begins[1])
            assert kept.during.contains(at)
            assert not kept.during.contains(at - MINUTE)
        assert kept.during.contains(parse_iso("2026-11-22T00:30:00Z")), "it is 2:30 on a Sunday in Athens"
        assert not kept.during.contains(parse_iso("2026-11-22T04:30:00Z"))
        shown = (await invoke("silence list")).stdout
    assert "only sunday 02:00-06:00, 22:00-24:00 Europe/Athens" in shown
    assert ("recurring" if begins[1] is not None else "active") in shown


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["operator", "--comment", "x"], 2, "operator"),
        (["operator=~(", "--comment", "x"], 2, "regular expression"),
        (["operator=A", "--comment", "x", "--until", "tomorrow"], 2, "'--until': 'tomorrow' is not a time"),
        (["operator=A", "--comment", "x", "--until", "2020-01-01T00:00:00Z"], 1, "ends"),
        (["operator=~.*", "--comment", "x"], 1, "add a matcher"),
        (["operator=A", "--comment", " "], 1, "comment"),
        (["operator=A", "--comment", "x", "--weekdays", "sonday"], 1, "did you mean 'sunday'"),
        (["operator=A", "--comment", "x", "--times", "22:00-02:00"], 1, "over midnight write two"),
        (["operator=A", "--comment", "x", "--times", "22:00"], 1, "end_time"),
        (
            ["operator=A", "--comment", "x", "--weekdays", "sunday", "--location", "Athens"],
            1,
            "time zone 'Athens'; did you mean",
        ),
    ],
)
async def test_what_makes_no_sense_is_said_in_a_line(actions, folder, arguments, code, says):
    async with listening(actions, folder) as invoke:
        outcome = await invoke("silence add", *arguments)
    assert (outcome.exit_code, actions.silences()) == (code, [])
    assert says in outcome.stderr
    assert "Traceback" not in outcome.stderr


async def test_an_unclear_id_is_not_guessed(actions, folder):
    async with listening(actions, folder) as invoke:
        outcome = await invoke("silence expire", "zz")
    assert outcome.exit_code == 2
    assert "no silences have an id that begins with 'zz'" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--weekdays", "sundy"], "--weekdays: 'sundy' is not a day of the week; did you mean 'sunday'?"),
        (["--weekdays", "sunday", "--times", "6:00-07:00"], "--times: '6:00' is not a time of day"),
        (["--times", "02:00"], "--times: '02:00' has no end_time; write it like 22:00-24:00"),
    ],
)
async def test_a_slip_in_the_times_of_a_silence_names_the_option(actions, folder, arguments, says):
    async with listening(actions, folder) as invoke:
        refused = await invoke("silence add", "operator=Cosmote", "--comment", "x", *arguments)
    assert (refused.exit_code, actions.silences()) == (1, [])
    assert says in refused.stderr
    assert "during" not in refused.stderr


async def test_a_silence_that_ends_before_its_first_time_is_warned_of(actions, folder):
    async with listening(actions, folder) as invoke:
        added = await invoke(
            *("silence add", "operator=Cosmote", "--comment", "x", "--weekdays", "sunday", "--for", "1h"),
            *("--start", "2031-01-01T00:00:00Z"),  # a Wednesday
        )
    assert "it never silences anything: its next time would be 2031-01-05T00:00:00Z" in added.stderr


async def test_a_silence_that_begins_within_its_times_says_so(actions, folder):
    async with listening(actions, folder) as invoke:
        added = await invoke(
            *("silence add", "operator=Cosmote", "--comment", "x", "--weekdays", "sunday", "--for", "1h"),
            *("--start", "2031-01-05T02:00:00Z"),
        )
    assert "each sunday UTC, next at 2031-01-05T02:00:00Z, until 2031-01-05T03:00:00Z" in added.stderr


async def test_an_alert_is_acknowledged_by_either_fingerprint_or_by_matchers(actions, folder):
    fires, other = actions.views
    async with listening(actions, folder) as invoke:
        done = await invoke("ack", "operator=Cosmote", "--by", "ann", "--comment", "called them")
        assert done.exit_code == 0, done.stderr
        assert "OperatorFailureRate operator=Cosmote, country=GR: acknowledged" in done.stdout
        assert actions.acknowledged == {fires.fingerprint: ("ann", "called them", None)}
        undone = await invoke("ack", fires.fingerprint, "--undo")  # the one of the log and the alert's page
        assert undone.exit_code == 0, undone.stderr
        assert "OperatorFailureRate operator=Cosmote, country=GR: no longer acknowledged" in undone.stdout
        assert actions.acknowledged == {}
        assert (await invoke("ack", label_fingerprint(other.labels), "--for", "4h", "--by", "bob")).exit_code == 0
    by, _, until = actions.acknowledged[other.fingerprint]
    assert by == "bob"
    assert 3 * HOUR < until - actions.clock.now() <= 4 * HOUR


async def test_the_beginning_of_either_fingerprint_is_enough(actions, folder):
    fires, other = actions.views
    async with listening(actions, folder) as invoke:
        for text in (fires.fingerprint[:4], label_fingerprint(other.labels)[:6]):
            done = await invoke("ack", text, "--by", "ann")
            assert done.exit_code == 0, done.stderr
        assert actions.acknowledged.keys() == {fires.fingerprint, other.fingerprint}
        assert (await invoke("ack", fires.fingerprint[:5], "--undo")).exit_code == 0
    assert actions.acknowledged.keys() == {other.fingerprint}


async def test_what_begins_the_fingerprints_of_several_names_them(actions, folder):
    first, second = (
        msgspec.structs.replace(view, fingerprint=f"abcd{number}" * 3) for number, view in enumerate(actions.views)
    )
    actions.views = [first, second]
    async with listening(actions, folder) as invoke:
        refused = await invoke("ack", "abcd")
        assert (refused.exit_code, actions.acknowledged) == (1, {})
        done = await invoke("ack", "abcd1")
    assert f"2 alerts begin with abcd; write more of it: {first.fingerprint} (OperatorFailureRate" in refused.stderr
    assert second.fingerprint in refused.stderr
    assert (done.exit_code, list(actions.acknowledged)) == (0, [second.fingerprint])


async def test_an_alert_that_is_pending_is_said_to_be(actions, folder):
    waits, fires = actions.views
    actions.pending, actions.views = [waits], [fires]
    async with listening(actions, folder) as invoke:
        for text in (waits.fingerprint, waits.fingerprint[:5], label_fingerprint(waits.labels)[:6], "operator=Cosmote"):
            refused = await invoke("ack", text)
            assert refused.exit_code == 1
            assert "OperatorFailureRate operator=Cosmote, country=GR is pending: it does not fire yet" in refused.stderr
    assert actions.acknowledged == {}


async def test_of_several_alerts_one_that_nobody_looks_after_stops_no_other(actions, folder):
    _, last = actions.views
    async with listening(actions, folder) as invoke:
        assert (await invoke("ack", label_fingerprint(last.labels))).exit_code == 0
        undone = await invoke("ack", "alertname=~.+", "--undo")
    assert (undone.exit_code, actions.acknowledged) == (0, {})
    assert undone.stdout.count("no longer acknowledged") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["operator=Nobody"], 1, "no firing alert matches operator=Nobody"),
        (["operator=Cosmot"], 1, "; did you mean 'Cosmote'?"),
        (["OperatorFailureRat"], 1, "; did you mean alertname=OperatorFailureRate?"),
        (["0000000000000000"], 1, "no alert with this fingerprint fires"),
        (["00000"], 1, "no alert with the fingerprint '00000' fires; see `routee-monitor alerts`"),
        (["0a"], 1, "'0a' is too short for a fingerprint: write at least 4 characters of it"),
        (["operator=Cosmote", "--for", "soon"], 2, "'soon' is not a duration"),
        (["operator=Cosmote", "--by", " "], 1, "who takes care of the alert"),
        (["operator=Cosmote", "--undo"], 1, "no alert with this fingerprint is acknowledged"),
    ],
)
async def test_what_cannot_be_acknowledged_is_said_in_a_line(actions, folder, arguments, code, says):
    async with listening(actions, folder) as invoke:
        outcome = await invoke("ack", *arguments)
    assert (outcome.exit_code, actions.acknowledged) == (code, {})
    assert says in outcome.stderr


@pytest.mark.parametrize("command", ["silence list", "status", "ack"])
@pytest.mark.parametrize(
    ("web", "says"),
    [
        (
            ', token: "another-token-for-it"',
            "does not accept the token of this configuration (web.token or web.token_file)",
        ),
        ("", "needs a token, and this configuration has none (web.token or web.token_file)"),
    ],
)
async def test_a_wrong_token_is_said_to_be_wrong(actions, folder, command, web, says):
    async with listening(actions, folder, protect_reads=True) as invoke:
        folder.replace(folder.config, f", token: {TOKEN}", web)
        arguments = ("operator=Cosmote", "--by", "ann") if command == "ack" else ()
        outcome = await invoke(command, *arguments)
    assert outcome.exit_code == 1
    assert re.search(rf"The daemon at http://127\.0\.0\.1:\d+ {re.escape(says)}", " ".join(outcome.stderr.split()))
    assert "page" not in outcome.stderr


def test_without_a_daemon_the_address_is_named(folder):
    outcome = folder.invoke("silence", "list", "--url", "http://127.0.0.1:1")
    assert outcome.exit_code == 69
    assert "http://127.0.0.1:1" in outcome.stderr
    assert "is the daemon running?" in outcome.stderr
    assert "`routee-monitor status` counts those in its store" in outcome.stderr


def test_only_an_http_address_is_asked(folder):
    outcome = folder.invoke("silence", "list", "--url", "ftp://example.org")
    assert outcome.exit_code == 69
    assert "is not an address like http://127.0.0.1:9465" in outcome.stderr


def many(count: int) -> list[Silence]:
    now = SystemClock().now()
    return [silence(f"{one:04}", now - HOUR, now + HOUR + one * MINUTE) for one in range(count)]


def silence(silence_id: str, starts_at: Instant, ends_at: Instant) -> Silence:
    wanted = (Matcher("operator", "=", silence_id),)
    return new_silence(
        wanted, starts_at=starts_at, ends_at=ends_at, created_by="ann", comment="x", now=starts_at, id=silence_id
    )


async def test_a_long_list_is_read_part_by_part_and_shown_up_to_a_limit(actions, folder):
    now = SystemClock().now()
    for one in [*many(1_203), silence("over", now - 2 * HOUR, now - HOUR)]:
        await actions.put_silence(one)
    async with listening(actions, folder) as invoke:
        shown = (await invoke("silence list")).stdout.splitlines()
        assert (len(shown), shown[-1]) == (1 + 100 + 1, "and 1,103 more: --limit 1203 shows them, --json too")
        assert shown[1].startswith("0000 ")
        longer = (await invoke("silence list", "--limit", "1203")).stdout.splitlines()
        assert (len(longer), longer[-1].split()[0]) == (1 + 1_203, "1202")
        everything = json.loads((await invoke("silence list", "--json")).stdout)
        assert [one["id"] for one in everything] == [f"{one:04}" for one in range(1_203)]
        with_over = json.loads((await invoke("silence list", "--json", "--expired")).stdout)
        assert [one["id"] for one in with_over] == [*(one["id"] for one in everything), "over"]
        assert (await invoke("silence expire", "1202")).exit_code == 0
