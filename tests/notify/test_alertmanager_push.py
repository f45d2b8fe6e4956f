"""Alertmanagers as receivers: what they are told and when, over virtual time, and what the real one makes of it."""

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import trio

from monitor.dispatch.status import FiringAlert
from monitor.model.notification import AlertView
from monitor.notify.alertmanager_push import KnownAlerts, Pusher
from monitor.notify.channels.alertmanager.client import AlertmanagerClient, Login
from monitor.notify.channels.protocol import Outcome, Rejected, Retry, Sent
from monitor.notify.outbox.handle import Outbox, Unobserved
from monitor.runtime.clock import HOUR, MINUTE, SECOND, SystemClock, TrioClock, iso, parse_iso
from tests.fakes.alertmanager import alertmanager
from tests.fakes.alerts import NOW, change, rate, spike
from tests.fakes.http import Answer, Asked, serving
from tests.fakes.waiting import until
from tests.fakes.webhook import webhook


class Stage:
    """The alerts that fire, and an event for whoever waits for them to change."""

    def __init__(self) -> None:
        self.views: list[AlertView] = []
        self.quiet: set[str] = set()
        self.account = ""
        self.listed: Callable[[], object] = lambda: None
        """Called when the alerts were listed, before they are seen: listing many takes a while."""
        self._news = trio.Event()

    def show(self, *views: AlertView) -> None:
        self.views = list(views)
        self._news.set()
        self._news = trio.Event()

    def news(self) -> trio.Event:
        return self._news

    async def firing(self) -> list[FiringAlert]:
        found = [
            FiringAlert(view.fingerprint, view.severity, view.name in self.quiet, partial(_same, view), self.account)
            for view in self.views
        ]
        self.listed()
        return found


def _same(view: AlertView) -> AlertView:
    return view


class Took:
    """A client that records what it is given, and answers by a script, then with success."""

    def __init__(self, *script: Outcome) -> None:
        self.script = list(script)
        self.posts: list[tuple[float, list[dict[str, Any]]]] = []

    async def post(self, alerts: list[dict[str, Any]]) -> Outcome:
        self.posts.append((trio.current_time(), alerts))
        return self.script.pop(0) if self.script else Sent()


def pusher(stage: Stage, client: Any, clock: Any, outbox: Outbox | None = None) -> Pusher:
    known_alerts = KnownAlerts(
        lambda view: 2 * MINUTE if view.name == "UndeliveredSpike" else 30 * SECOND, "https://sms.example.org"
    )
    name = ("pager", "alertmanager/0")
    return Pusher(name, client, known_alerts, stage.firing, clock, lambda: 0.5, Unobserved(), outbox or Outbox())


def ends(posts: list[tuple[float, list[dict[str, Any]]]]) -> list[list[tuple[str, int]]]:
    """Of each post: the alerts' names, and when they end, in seconds from when the test began."""
    return [
        [(alert["labels"]["alertname"], (parse_iso(alert["endsAt"]) - NOW) // SECOND) for alert in alerts]
        for _, alerts in posts
    ]


async def test_what_fires_is_told_at_once_and_again_every_minute_ahead_by_four_intervals(
    autojump_clock: object,
) -> None:
    stage, client = Stage(), Took()
    stage.show(rate())
    with trio.move_on_after(130):
        await pusher(stage, client, TrioClock(NOW)).run(stage.news)
    assert [round(at - client.posts[0][0]) for at, _ in client.posts] == [0, 60, 120]
    name = "OperatorFailureRate"
    assert ends(client.posts) == [[(name, 240)], [(name, 300)], [(name, 360)]]


async def test_an_account_that_another_daemon_took_is_left_to_it_without_an_end(autojump_clock: object) -> None:
    stage, client, outbox = Stage(), Took(), Outbox()
    stage.account = "main"
    outbox.gate.hold(["main"])
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(1)
        outbox.gate.hold([])
        stage.show()
        await trio.sleep(200)
        nursery.cancel_scope.cancel()
    assert ends(client.posts)[0] == [("OperatorFailureRate", 240)]
    assert not any(alerts for _, alerts in client.posts[1:])


async def test_an_account_that_goes_away_while_the_alerts_are_listed_gets_no_end(autojump_clock: object) -> None:
    stage, client, outbox = Stage(), Took(), Outbox()
    stage.account = "main"
    outbox.gate.hold(["main"])
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(1)
        stage.listed = lambda: outbox.gate.close("main")
        stage.show(rate())
        await trio.sleep(200)
        nursery.cancel_scope.cancel()
    assert ends(client.posts)[0] == [("OperatorFailureRate", 240)]
    assert not any(alerts for _, alerts in client.posts[1:])


async def test_an_account_that_comes_back_is_not_over_before_it_is_read(autojump_clock: object) -> None:
    stage, client, outbox = Stage(), Took(), Outbox()
    stage.account = "main"
    outbox.gate.hold(["main"])
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(1)
        outbox.gate.hold([])
        stage.show()
        outbox.gate.hold(["main"])
        await trio.sleep(5)
        stage.show(rate())
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert ends(client.posts) == [[("OperatorFailureRate", 240)], [("OperatorFailureRate", 246)]]


@pytest.mark.parametrize("is_looked_at", [True, False])
async def test_an_account_that_has_to_be_read_anew_is_not_over_meanwhile(
    is_looked_at: bool, autojump_clock: object
) -> None:
    stage, client, outbox = Stage(), Took(), Outbox()
    stage.account = "main"
    outbox.gate.hold(["main"])
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(1)
        with outbox.gate.read_anew("main"):
            if is_looked_at:
                stage.show(rate())
                await trio.sleep(1)
            stage.show()
        await trio.sleep(5 - is_looked_at)
        stage.show(rate())
        await trio.sleep(4)
        nursery.cancel_scope.cancel()
    assert ends(client.posts) == [[("OperatorFailureRate", 240)], [("OperatorFailureRate", 246)]]


async def test_what_was_listed_before_an_account_came_back_is_not_taken_for_its_present(autojump_clock: object) -> None:
    stage, client, outbox = Stage(), Took(), Outbox()
    stage.account = "main"
    outbox.gate.hold(["main"])

    def lost_and_taken() -> None:
        outbox.gate.hold([])
        outbox.gate.hold(["main"])
        stage.listed = lambda: None

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(1)
        stage.listed = lost_and_taken
        stage.show(rate())
        await trio.sleep(1)
        stage.show()
        await trio.sleep(200)
        nursery.cancel_scope.cancel()
    assert not any(alerts for _, alerts in client.posts)


async def test_a_suspension_while_the_alerts_are_listed_ends_none_that_is_silenced_afterwards(
    autojump_clock: object,
) -> None:
    stage, client, outbox = Stage(), Took(), Outbox()
    stage.account = "main"
    outbox.gate.hold(["main"])
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(1)
        stage.listed = outbox.gate.suspend
        stage.show(rate())
        await trio.sleep(10)
        stage.listed = lambda: None
        stage.quiet = {"OperatorFailureRate"}
        stage.show(rate())
        outbox.gate.extend(trio.current_time() + 1e9)
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    began = client.posts[0][0]
    assert [
        [(name, end - round(at - began)) for name, end in told]
        for (at, _), told in zip(client.posts, ends(client.posts), strict=True)
    ] == [[("OperatorFailureRate", 240)]] * 2


async def test_nothing_is_posted_while_this_daemon_may_not(autojump_clock: object) -> None:
    stage, client, outbox = Stage(), Took(), Outbox()
    stage.show(rate())
    outbox.gate.extend(4.5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(10)
        stage.show()
        await trio.sleep(120)
        outbox.gate.extend(trio.current_time() + 1e9)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert [round(at) for at, _ in client.posts] == [0, 130]
    assert ends(client.posts)[1][0][1] <= 131, "and then the end of what ended meanwhile"


async def test_a_rule_that_is_judged_rarely_ends_later(autojump_clock: object) -> None:
    stage, client = Stage(), Took()
    stage.show(spike())
    with trio.move_on_after(10):
        await pusher(stage, client, TrioClock(NOW)).run(stage.news)
    assert ends(client.posts) == [[("UndeliveredSpike", 480)]]


async def test_what_is_over_is_told_at_once_and_for_fifteen_minutes(autojump_clock: object) -> None:
    stage, client = Stage(), Took()
    stage.show(rate(), spike())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW)).run, stage.news)
        await trio.sleep(30)
        stage.show(spike())
        await trio.sleep(20 * 60)
        nursery.cancel_scope.cancel()
    told = ends(client.posts)
    assert told[1] == [("OperatorFailureRate", 30)]
    posts_about_it = [
        at for (at, _), post in zip(client.posts, told, strict=True) if ("OperatorFailureRate", 30) in post
    ]
    assert 15 * 60 - 60 <= posts_about_it[-1] - posts_about_it[0] <= 15 * 60
    assert all("UndeliveredSpike" in [name for name, _ in post] for post in told[2:])


async def test_an_account_has_ends_to_be_told_until_they_were_told_for_fifteen_minutes(autojump_clock: object) -> None:
    stage, client, outbox, clock = Stage(), Took(), Outbox(), TrioClock(NOW)
    stage.account = "bulk"
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, clock, outbox).run, stage.news)
        await trio.sleep(30)
        assert outbox.ending(clock.now()) == {"bulk"}, "what fires there has to end some day"
        stage.show()
        await trio.sleep(14 * 60)
        assert outbox.ending(clock.now()) == {"bulk"}
        await trio.sleep(3 * 60)
        assert outbox.ending(clock.now()) == set()
        nursery.cancel_scope.cancel()


async def test_it_has_them_while_alertmanager_is_away_until_the_alert_has_ended_there_by_itself(
    autojump_clock: object,
) -> None:
    stage, outbox, clock = Stage(), Outbox(), TrioClock(NOW)
    client = Took(Sent(), *[Retry("it is away")] * 1_000)
    stage.account = "bulk"
    stage.show(spike())
    pushing = pusher(stage, client, clock, outbox)
    pushing.known_alerts.interval = lambda view: HOUR
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pushing.run, stage.news)
        await trio.sleep(30)
        stage.show()
        await trio.sleep(3 * 3600)
        assert outbox.ending(clock.now()) == {"bulk"}
        await trio.sleep(3600)
        assert outbox.ending(clock.now()) == set(), "it ended there four hours after it was posted"
        nursery.cancel_scope.cancel()
    outbox.forget(pushing.name)


def test_what_alertmanager_never_heard_of_is_not_waited_for() -> None:
    known = KnownAlerts(lambda view: HOUR)
    held = {"bulk": 1}
    view = rate()
    known.take(
        {
            (view.fingerprint, view.severity): FiringAlert(
                view.fingerprint, view.severity, True, partial(_same, view), "bulk"
            )
        },
        NOW,
        held.get,
    )
    assert known.ending(NOW) == set()


def test_what_is_over_does_not_end_what_fires_with_the_same_labels() -> None:
    """As after an account got another name: the alert of the old one ends, and that of the new one begins."""
    alerts = KnownAlerts(lambda _: 30 * SECOND)

    def firing(name: str) -> dict[tuple[str, str], FiringAlert]:
        view = rate(fingerprint=name)
        return {(name, view.severity): FiringAlert(name, view.severity, False, partial(_same, view), "")}

    alerts.take(firing("old"), NOW)
    alerts.mark_posted()
    alerts.take(firing("new"), NOW + MINUTE)
    for posted in (alerts.news(NOW + MINUTE), alerts.everything(firing("new"), NOW + MINUTE)):
        [one] = posted
        assert parse_iso(one["endsAt"]) > NOW + MINUTE


async def test_while_nothing_fires_it_is_only_asked_once_whether_they_take_anything(autojump_clock: object) -> None:
    stage, client, outbox = Stage(), Took(Retry("it is not there")), Outbox()
    with trio.move_on_after(600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
            await trio.sleep(0.1)
            assert outbox.accepted_channels == set(), (
                "where nobody has answered it is not known that somebody takes anything"
            )
            assert outbox.failing["pager", "alertmanager/0"].why == "it is not there"
    assert ends(client.posts) == [[], []]
    assert (outbox.accepted_channels, outbox.failing) == ({("pager", "alertmanager/0")}, {})


async def test_thousands_of_alerts_hold_up_nobody(autojump_clock: object) -> None:
    turns, seen = 0, set[int]()

    def made() -> AlertView:
        seen.add(turns)
        return rate()

    async def firing() -> list[FiringAlert]:
        return [FiringAlert(str(number), "critical", False, cache(made)) for number in range(1_000)]

    stage, client = Stage(), Took()
    stage.firing = firing  # type: ignore[method-assign]  # a thousand of them, made when they are asked for
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pusher(stage, client, TrioClock(NOW)).run, stage.news)
            while not client.posts:
                turns += 1
                await trio.lowlevel.checkpoint()
    assert len(client.posts[0][1]) == 1_000
    assert len(seen) >= 5


async def test_an_empty_post_asks_every_alertmanager() -> None:
    bodies: list[bytes] = []

    async def take(asked: Asked) -> Answer:
        bodies.append(asked.body)
        return Answer()

    async with serving(take) as url:
        assert await AlertmanagerClient([url], clock=SystemClock()).post([]) == Sent()
    assert bodies == [b"[]"]


def test_after_the_clock_was_set_back_nothing_begins_after_it_ends_or_ends_in_the_future() -> None:
    known_alerts, view = KnownAlerts(lambda _: 30 * SECOND), rate(starts_at=NOW + 2 * HOUR)
    fires = {
        (view.fingerprint, view.severity): FiringAlert(view.fingerprint, view.severity, False, partial(_same, view))
    }
    known_alerts.take(fires, NOW + 2 * HOUR)
    [firing] = known_alerts.everything(fires, NOW)
    assert firing["startsAt"] == firing["endsAt"] == iso(NOW + 4 * MINUTE)
    known_alerts.take({}, NOW + 2 * HOUR)
    [over] = known_alerts.news(NOW)
    assert over["startsAt"] == over["endsAt"] == iso(NOW)


async def test_an_escalation_ends_the_old_severity_and_begins_the_new_one_in_one_post(autojump_clock: object) -> None:
    stage, client = Stage(), Took()
    warned = rate(severity="warning", labels={"alertname": "OperatorFailureRate", "severity": "warning"})
    worse = change(warned, severity="critical", labels=warned.labels | {"severity": "critical"})
    stage.show(warned)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW)).run, stage.news)
        await trio.sleep(10)
        stage.show(worse)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    (_, alerts) = client.posts[1]
    told = {alert["labels"]["severity"]: (parse_iso(alert["endsAt"]) - NOW) // SECOND for alert in alerts}
    assert told == {"warning": 10, "critical": 250}


async def test_what_is_silenced_is_told_only_if_it_was_told_before(autojump_clock: object) -> None:
    stage, client = Stage(), Took()
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW)).run, stage.news)
        await trio.sleep(30)
        stage.quiet = {"OperatorFailureRate", "UndeliveredSpike"}
        stage.show(rate(), spike())
        await trio.sleep(85)
        stage.show(spike())
        await trio.sleep(1)
        stage.quiet = set()
        stage.show(spike())
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert ends(client.posts) == [
        [("OperatorFailureRate", 240)],
        [("OperatorFailureRate", 300)],
        [("OperatorFailureRate", 115)],
        [("UndeliveredSpike", 116 + 480)],
    ]


async def test_a_failure_is_shown_and_what_was_missed_is_told_afterwards(autojump_clock: object) -> None:
    stage, outbox = Stage(), Outbox()
    client = Took(Retry("it is not there"), Rejected("it says no"), Retry("slow down", 20 * SECOND))
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(0.1)
        assert outbox.failing["pager", "alertmanager/0"].why == "it is not there"
        stage.show()
        await trio.sleep(60)
        assert outbox.failing == {}
        assert outbox.accepted_channels == {("pager", "alertmanager/0")}
        nursery.cancel_scope.cancel()
    assert [len(alerts) for _, alerts in client.posts] == [1, 1, 1, 1]
    assert client.posts[3][0] - client.posts[2][0] >= 20
    assert ends(client.posts)[3][0][1] < 5, "it was over when it ended, not when that could be told"


async def test_a_refusal_is_told_at_once_and_until_they_take_something(autojump_clock: object) -> None:
    stage, outbox = Stage(), Outbox()
    client = Took(Rejected("it says no"))
    stage.show(rate())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pusher(stage, client, TrioClock(NOW), outbox).run, stage.news)
        await trio.sleep(0.1)
        assert outbox.failing["pager", "alertmanager/0"].refused
        await trio.sleep(60)
        assert outbox.failing == {}
        nursery.cancel_scope.cancel()


async def test_the_log_and_the_repr_show_no_secret() -> None:
    client = AlertmanagerClient(["http://127.0.0.1:9/very-secret"], clock=SystemClock(), login=Login("canary-token"))
    assert "secret" not in repr(client)
    assert "canary" not in repr(Login("canary-token", "me", "canary-word"))


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        (Login(), ""),
        (Login(token="t0ken"), "Bearer t0ken"),
        (Login(username="me", password="pass"), "Basic bWU6cGFzcw=="),
    ],
)
async def test_a_login_is_shown_to_each_alertmanager_of_a_cluster(login: Login, sent: str) -> None:
    asked: list[Asked] = []

    async def take(one: Asked) -> Answer:
        asked.append(one)
        return Answer()

    async with serving(take) as first, serving(take) as second:
        client = AlertmanagerClient([first, f"{second}/prefix/"], clock=SystemClock(), login=login)
        assert await client.post([{"labels": {"alertname": "A"}}]) == Sent()
        assert await client.check() == ""
    assert {one.headers.get("authorization", "") for one in asked} == {sent}
    assert {one.target for one in asked} == {
        *("/api/v2/alerts", "/prefix/api/v2/alerts", "/api/v2/status", "/prefix/api/v2/status")
    }


async def test_one_alertmanager_of_a_cluster_is_enough_and_the_check_names_the_other() -> None:
    async def take(_: Asked) -> Answer:
        return Answer()

    async with serving(take) as url:
        client = AlertmanagerClient(["http://127.0.0.1:9", url], clock=SystemClock(), timeout=5.0)
        assert await client.post([{"labels": {"alertname": "A"}}]) == Sent()
        assert "127.0.0.1" in await client.check()


async def test_many_alerts_go_in_several_requests() -> None:
    sizes: list[int] = []

    async def take(asked: Asked) -> Answer:
        sizes.append(len(json.loads(asked.body)))
        return Answer()

    async with serving(take) as url:
        await AlertmanagerClient([url], clock=SystemClock()).post([{"labels": {"alertname": "A"}}] * 2_500)
    assert sizes == [1_000, 1_000, 500]


async def test_the_real_alertmanager_shows_the_alert_tells_its_receiver_and_sees_it_end(tmp_path: Path) -> None:
    clock, stage = SystemClock(), Stage()
    async with webhook() as hook, alertmanager(tmp_path, hook.url) as real:
        client = AlertmanagerClient([real.url], clock=clock)
        assert await client.check() == ""
        fires = rate(starts_at=clock.now() - MINUTE, as_of=clock.now())
        stage.show(fires)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pusher(stage, client, clock).run, stage.news)
            await until(lambda: hook.asked, "Alertmanager to tell its receiver")
            (shown,) = await real.alerts()
            assert shown["labels"] == fires.labels
            assert parse_iso(shown["startsAt"]) == fires.starts_at // 1_000 * 1_000
            assert 3 * MINUTE < parse_iso(shown["endsAt"]) - clock.now() <= 4 * MINUTE
            stage.show()
            await until(lambda: hook.asked[-1].json["status"] == "resolved", "Alertmanager to tell that it is over")
            nursery.cancel_scope.cancel()
        assert hook.asked[0].json["status"] == "firing"
        assert hook.asked[0].json["alerts"][0]["generatorURL"] == fires.links[0].url
        assert await real.alerts() == []
