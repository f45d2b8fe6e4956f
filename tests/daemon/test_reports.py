"""A campaign's end is a report: people are told of it once, never again and of no end; programs get its end."""

import httpx
import pytest
from starlette.applications import Starlette

from monitor.daemon.http import alertmanager_json as v2_shapes
from monitor.daemon.http.alert_pages import AlertPages
from monitor.model.notification import Notification
from monitor.notify.channels.slack.block_kit import message, reply
from monitor.notify.render.alertmanager_payload import alertmanager
from monitor.notify.render.notification_text import heading, push
from monitor.notify.render.templates import Templates
from monitor.notify.render.text import plain_text
from monitor.routing.matchers import parse_matchers
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE
from tests.fakes.hand_clock import HandClock
from tests.fakes.pipeline_harness import PipelineHarness, traffic
from tests.fakes.written import CONFIG, settings

RULES = """
rules:
  - {name: Ended, kind: campaign, ended: report, min_messages: 10}
  - {name: Failing, kind: rate, by: [operator], window: 1m, above: 20%, severity: critical}
"""
PEOPLE = CONFIG.replace("group_wait: 10s", "group_wait: 0s").replace("repeat_interval: 4h", "repeat_interval: 10m")
BOTH = PEOPLE.replace(
    "console: [{}]", "console: [{}], slack: [{channel: '#ops', token: xoxb-1}], webhook: [{url: 'http://127.0.0.1:9/'}]"
)
TOGETHER = BOTH.replace("group_by: [alertname]", "group_by: []")


class World:
    """Campaigns that end 15 minutes after all of their messages are delivered."""

    def __init__(self, config: str = BOTH, most_groups: int = 20) -> None:
        self.config = config
        self.clock = HandClock()
        self.harness = PipelineHarness(settings(RULES, config), self.clock, most_groups=most_groups)

    async def send(self, *names: str, failing: int = 0) -> None:
        rows = [row for name in names for row in traffic(0, of=20, campaign=name, campaignTrackingId=name)]
        await self.harness.poll([*rows, *traffic(failing, operator="Cosmote")])

    async def wait(self, minutes: int, failing: int | None = None) -> None:
        for _ in range(minutes):
            self.clock.at += MINUTE
            await self.harness.poll([] if failing is None else traffic(failing, operator="Cosmote"))

    async def restart(self) -> None:
        await self.harness.restart(settings(RULES, self.config))

    async def silence(self, matchers: str, lasts: int) -> None:
        now = self.clock.at
        made = Silence("s", parse_matchers(matchers), now, now + lasts, "Ann", "why", now)
        await self.harness.actions.put_silence(made)

    def to(self, channel: str) -> list[Notification]:
        return [one.notification for one in self.harness.store.outbox if one.channel == channel]

    def read(self, channel: str = "slack/0") -> list[list[tuple[str, str]]]:
        """Of each message to that channel: the campaigns (or names) in it, and their status."""
        return [
            [(view.labels.get("campaign", view.name), view.status) for view in one.alerts] for one in self.to(channel)
        ]

    @property
    def fingerprint(self) -> str:
        [alert] = self.harness.pipeline.accounts["main"].evaluator.alerts["Ended"].values()
        return alert.fingerprint


async def two_campaigns(world: World) -> None:
    await world.send("Sale")
    await world.wait(10)
    await world.send("News")
    await world.wait(90)


async def test_two_ends_are_two_messages_that_are_never_repeated_nor_resolved() -> None:
    world = World()
    await two_campaigns(world)
    for channel in ("slack/0", "console/0"):
        assert world.read(channel) == [[("Sale", "firing")], [("News", "firing")]]
    sale, news = world.to("slack/0")
    assert sale.episode != news.episode, "Slack would write the second over the first"
    assert 9 * MINUTE <= news.created_at - sale.created_at <= 11 * MINUTE
    assert world.harness.pipeline.dispatcher.groups == {}


async def test_a_program_gets_each_end_in_the_episode_of_its_beginning() -> None:
    world = World()
    await two_campaigns(world)
    told = [(one.episode, alertmanager(one)["status"]) for one in world.to("webhook/0")]
    first, second = (one.episode for one in world.to("webhook/0")[:2])
    assert told == [(first, "firing"), (second, "firing"), (first, "resolved"), (second, "resolved")]
    assert world.to("webhook/0")[0].key == world.to("slack/0")[0].key


async def test_reports_stand_in_no_message_of_alerts_and_those_are_repeated_and_resolved_as_ever() -> None:
    world = World(TOGETHER)
    await world.send("Sale", failing=5)
    await world.wait(40, failing=5)
    await world.wait(60, failing=0)
    assert world.read().count([("Sale", "firing")]) == 1
    alerts = [one for one in world.to("slack/0") if not one.is_report]
    assert [one.reason for one in alerts] == ["first", "repeat", "repeat", "repeat", "repeat", "all resolved"]
    assert {view.name for one in alerts for view in one.alerts} == {"Failing"}


async def test_nothing_is_told_again_after_a_restart() -> None:
    world = World()
    await world.send("Sale")
    await world.wait(20)
    await world.restart()
    await world.wait(60)
    assert world.read() == [[("Sale", "firing")]]
    assert world.read("webhook/0") == [[("Sale", "firing")], [("Sale", "resolved")]]


async def test_a_report_that_is_routed_elsewhere_is_not_told_again() -> None:
    world = World()
    await world.send("Sale")
    await world.wait(20)
    world.config = BOTH.replace(
        "repeat_interval: 10m", "repeat_interval: 10m, routes: [{matchers: ['severity=\"info\"']}]"
    )
    await world.harness.reload(settings(RULES, world.config))
    await world.wait(60)
    assert world.read() == [[("Sale", "firing")]]
    assert world.read("webhook/0") == [[("Sale", "firing")], [("Sale", "resolved")]]


@pytest.mark.parametrize("lasts", [20 * MINUTE, 3 * HOUR])
async def test_a_silenced_report_is_not_told_later_either(lasts: int) -> None:
    world = World()
    await world.send("Sale")
    await world.silence("campaign=Sale", lasts)
    await world.wait(100)
    assert world.harness.told == []


async def test_a_report_after_the_silence_is_told() -> None:
    world = World()
    await world.send("Sale")
    await world.silence("campaign=Sale", 5 * MINUTE)
    await world.wait(100)
    assert world.read() == [[("Sale", "firing")]]


async def test_many_ends_at_once_are_few_messages_each_told_once() -> None:
    world = World(most_groups=3)
    names = [f"c{number}" for number in range(8)]
    await world.send(*names)
    await world.wait(120)
    told = [name for one in world.read() for name, status in one if status == "firing"]
    assert sorted(told) == names
    assert len(world.to("slack/0")) == 3
    assert {status for one in world.read() for _, status in one} == {"firing"}
    assert push(world.to("slack/0")[-1]) == "INFO report: 6 more reports, in one message: 6 Ended"
    ends = [name for one in world.read("webhook/0") for name, status in one if status == "resolved"]
    assert sorted(ends) == names


async def test_a_storm_of_reports_hides_no_alert() -> None:
    world = World(BOTH.replace("group_by: [alertname]", "group_by: [...]"), most_groups=3)
    await world.send(*(f"c{number}" for number in range(8)))
    await world.wait(14)
    await world.wait(3, failing=5)
    assert [("Failing", "firing")] in world.read()


async def test_what_people_read_says_neither_firing_nor_resolved() -> None:
    world = World()
    await world.send("Sale")
    await world.wait(90)
    [told] = world.to("slack/0")
    made = message(told, None, "", pressable=True)
    shown = f"{made}{reply(told)}{plain_text(told)}".lower()
    assert heading(told) == "INFO report"
    assert made["text"].startswith("INFO report: Ended: Sale has ended: 20 messages")
    for word in ("firing", "resolved", "acknowledge", "silence", "since"):
        assert word not in shown, word


@pytest.mark.parametrize("service", ["teams", "discord", "telegram"])
async def test_chats_behind_a_webhook_are_for_people_too(service: str) -> None:
    fields = ", fields: {chat_id: '1'}" if service == "telegram" else ""
    world = World(BOTH.replace("9/'}]", f"9/', template: {service}{fields}}}]"))
    await world.send("Sale")
    await world.wait(90)
    [told] = world.to("webhook/0")
    body = Templates().body(f"{service}.json.j2", "application/json", told, {"chat_id": "1"})
    assert "Reported at" in body
    for word in ("Since", "firing", "resolved"):
        assert word not in body, word


async def test_a_report_is_not_acknowledged() -> None:
    world = World()
    await world.send("Sale")
    await world.wait(20)
    with pytest.raises(ValueError, match="a report cannot be acknowledged"):
        await world.harness.actions.acknowledge(world.fingerprint, "Ann", "", None)


async def test_whoever_asks_sees_a_report_that_can_be_neither_acknowledged_nor_is_said_to_last() -> None:
    world = World()
    await world.send("Sale")
    await world.wait(20)
    found = (await world.harness.actions.status()).find(world.fingerprint)
    assert found is not None
    assert v2_shapes.alert(found, "", {}, world.clock.at)["report"] is True
    app = Starlette(routes=AlertPages(world.harness.actions, world.clock).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        page = (await client.get(f"/alerts/{world.fingerprint}")).text.partition("<main")[2]
        form = await client.get(f"/alerts/{world.fingerprint}/acknowledge")
    assert "report · info" in page
    assert "Reported" in page
    for word in ("firing", "Acknowledge", "Silence"):
        assert word not in page, word
    assert form.status_code == 400
    assert "a report cannot be acknowledged" in form.text
