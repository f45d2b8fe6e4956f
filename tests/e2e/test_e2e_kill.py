"""kill -9 at any instant: no firing is lost, each is resolved, none falsely, and the window is exact."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from e2e_folder import account, write
from e2e_folder import hook as receivers
from e2e_hook import Hook, Labels, hook
from e2e_process import daemon
from e2e_store import as_of, counted, transitions, waiting, window
from e2e_turns import COUNTRIES, Turns, recount

from monitor.model.alert import Transition, fingerprint
from monitor.runtime.clock import SECOND, Duration, Instant, SystemClock
from monitor.simulation.sandbox import Sandbox, serve
from tests.fakes.http import Answer, Asked
from tests.fakes.rounds import rounds
from tests.fakes.waiting import until

pytestmark = pytest.mark.e2e

KILLS = rounds(52, else_=18)
KILLS_ON_POSTGRESQL = rounds(17, else_=8)
SEED = 20261121
NOTICED: Duration = SECOND
"""So long after the instant that it judges may a poll read what it judges: to the next poll at most."""

SHARE = {"kind": "rate", "where": {"country": {"is_not": "DE"}}, "by": ["operator"], "window": "6h", "above": "20%"}
RULES = [
    SHARE | {"name": "Failing"},
    SHARE | {"name": "FailingOn", "for": "2s"},
    SHARE
    | {
        "name": "FailedIn",
        "kind": "count",
        "match": {"status": ["Failed", "Undelivered"]},
        "by": ["country"],
        "above": 5,
    },
]
SEARCH = {"name": "all", "every": "1s", "resweep": [{"back": "5m", "every": "1s"}, {"back": "1h", "every": "3s"}]}
ROUTE = {"group_by": ["alertname", "operator", "country"], "group_interval": "1s"}
"""Each alert by itself: in a group with others one that begins has to wait for the group's interval, and may be over by then."""


class Lives:
    """The daemon's lives, one after the other on the same store. Each posts to a path of its own, so that they can be told apart."""

    def __init__(self, folder: Path, url: str, told: Hook, luck: random.Random, store_in: dict[str, Any]) -> None:
        self._folder, self._url, self._told, self._luck, self._store_in = folder, url, told, luck, store_in
        self._number = 0

    def config(self) -> Path:
        """The configuration of the next life."""
        self._number += 1
        where = receivers(f"{self._told.url}/life-{self._number}")
        return write(
            *(self._folder, RULES),
            accounts=[account(self._url)],
            searches=[SEARCH],
            receivers=where,
            route=ROUTE,
            flapping="off",
            **self._store_in,
        )

    async def short(self, *, in_start_up: bool) -> None:
        """Start it and kill it: so soon that it may not even have started, or a little later."""
        async with daemon(self.config()) as life:
            if in_start_up:
                await trio.sleep(self._luck.uniform(0.02, 0.9))
            else:
                await life.watching()
                if self._store_in:  # the leases of the life before have to lapse
                    await until(lambda: life.said("was taken"), "the account to be taken")
                await trio.sleep(self._luck.choice([self._luck.uniform(0.02, 0.3), self._luck.uniform(0.3, 1.5)]))
            await life.kill()
        assert not life.noise, life.noise

    async def run_until(self, believed: set[Labels], *, then_kill: bool) -> Path:
        """A life that lasts until the webhook's owner believes exactly this, and nothing more waits to be told."""
        config = self.config()
        async with daemon(config) as life:

            def settled() -> bool:
                return self._told.firing() == believed and not waiting(config)

            def unsettled() -> str:
                wrong = [dict(alert) for alert in self._told.firing() ^ believed]
                late = [outbox_row.notification.key for outbox_row in waiting(config)]
                said = [f"{entry['time']} {entry['message']}" for entry in life.logged]
                return "\n".join([f"these to be told otherwise: {wrong}", f"waiting: {late}", *said])

            await until(settled, unsettled, 120)  # an alert that flapped is over after one of its rounds
            if then_kill:
                await life.kill()
            else:
                assert await life.stop() == 0
        return config


@pytest.mark.timeout(420)
async def test_kills_lose_no_firing_and_no_resolve_and_end_in_exact_values(
    tmp_path: Path, store_in: dict[str, Any]
) -> None:
    kills = KILLS_ON_POSTGRESQL if store_in else KILLS
    luck = random.Random(SEED)
    sandbox = Sandbox(SystemClock())
    turns = Turns(sandbox, luck)
    turns.begin()
    async with trio.open_nursery() as nursery, hook() as told:
        url: str = await nursery.start(serve, sandbox)
        told.answer = _moody(luck)
        lives = Lives(tmp_path, url, told, luck, store_in)
        async with trio.open_nursery() as traffic:
            traffic.start_soon(turns.go_on)
            for number in range(kills):
                await lives.short(in_start_up=number % 5 == 0)
            traffic.cancel_scope.cancel()
        told.answer = lambda asked: Answer()
        turns.turn_all(bad=True)
        await lives.run_until(_everything(), then_kill=True)
        turns.turn_all(bad=False)
        config = await lives.run_until(set(), then_kill=False)
        nursery.cancel_scope.cancel()
    _nothing_was_told_twice_in_one_life(told)
    _what_was_resolved_was_over(told, turns)
    _every_firing_was_told(told, transitions(config), kills)
    end = as_of(config)
    assert counted(window(config), end) == recount(sandbox, end)


def _moody(luck: random.Random) -> Callable[[Asked], Answer]:
    """Fails a third of the time, and is sometimes late."""

    def answer(asked: Asked) -> Answer:
        late = luck.uniform(0.1, 0.7) if luck.random() < 0.2 else 0.0
        return Answer(500 if luck.random() < 1 / 3 else 200, delay=late)

    return answer


def _everything() -> set[Labels]:
    """Every alert that there can be."""
    per_operator = [("Failing", operator) for operator in COUNTRIES] + [("FailingOn", name) for name in COUNTRIES]
    alerts = [{"alertname": rule, "operator": operator} for rule, operator in per_operator]
    alerts += [{"alertname": "FailedIn", "country": country} for country in COUNTRIES.values()]
    return {frozenset((alert | {"severity": "warning"}).items()) for alert in alerts}


def _nothing_was_told_twice_in_one_life(told: Hook) -> None:
    """What was taken is told again only after a kill, under the same id and in the same words."""
    assert all(times == 1 for times in Counter((each.id, each.path) for each in told.taken).values())
    bodies = defaultdict(set)
    for each in told.taken:
        bodies[each.id].add(each.body)
    assert all(len(different) == 1 for different in bodies.values())


def _what_was_resolved_was_over(told: Hook, turns: Turns) -> None:
    for episode in told.episodes():
        assert episode.end is not None, f"{dict(episode.labels)} was never resolved"
        over = [turns.was_good(name, episode.end, episode.end + NOTICED) for name in _operators(episode.labels)]
        assert all(over), f"{dict(episode.labels)} was resolved at {episode.end} in {episode.told}"


def _every_firing_was_told(told: Hook, happened: list[Transition], kills: int) -> None:
    """Each time an alert fired lies within a span during which its receiver was told that it fires."""
    spans: dict[str, list[tuple[Instant, Instant]]] = defaultdict(list)
    for episode in told.episodes():
        assert episode.end is not None
        spans[_fingerprint(episode.labels)].append((episode.start, episode.end))
    fired = [each for each in happened if each.what == "fired"]
    assert len(fired) > kills / 2
    for each in fired:
        assert any(start <= each.at <= end for start, end in spans[each.fingerprint]), each


def _operators(labels: Labels) -> list[str]:
    known = dict(labels)
    return [
        name for name, country in COUNTRIES.items() if name == known.get("operator") or country == known.get("country")
    ]


def _fingerprint(labels: Labels) -> str:
    known = dict(labels)
    field = "operator" if "operator" in known else "country"
    return fingerprint("main", known["alertname"], ((field, known[field]),))
