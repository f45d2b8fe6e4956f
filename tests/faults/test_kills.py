"""kill -9 at many random instants: of five hundred alerts no firing and no resolve is lost; what is told twice has the same id."""

import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import trio
from e2e_hook import Episode, Hook, hook

from monitor.store.open import open_store
from tests.fakes.http import Answer
from tests.fakes.rounds import rounds
from tests.fakes.written import settings
from tests.faults.many_alerts import ALERTS, RULES, config

KILLS = rounds(200, else_=70)
KILLS_ON_POSTGRESQL = rounds(50, else_=25)
SEED = 20261122


@pytest.mark.timeout(300)
async def test_kills_lose_no_firing_and_no_resolve(tmp_path: Path, store_in: dict[str, Any]) -> None:
    kills = KILLS_ON_POSTGRESQL if store_in else KILLS
    luck = random.Random(SEED)
    keys = store_in or {"store": f"sqlite://{tmp_path}/monitor.db"}
    async with hook() as told:
        told.answer = lambda asked: Answer(500 if luck.random() < 1 / 3 else 200)
        done = await trio.run_process(_command(keys, told.url, kills), capture_stdout=True, capture_stderr=True)
    outcome = json.loads(done.stdout)
    assert (outcome["code"], done.stderr) == (0, b"")
    assert outcome["early"] < kills / 3, "most lives have begun their work"
    assert told.refused > len(told.taken) / 4
    assert sum(not each.path.endswith(f"life-{kills}") for each in told.told) > kills, "much is told between kills"
    assert _happened(keys, "fired") == _happened(keys, "resolved") == ALERTS
    assert Counter(_operator(each) for each in told.episodes()) == Counter(range(ALERTS)), "each is told once"
    assert all(each.end is not None for each in told.episodes()), "and so is its end"
    _duplicates_have_one_id_and_are_few(told, kills)


def _command(keys: dict[str, str], url: str, kills: int) -> list[str]:
    return [sys.executable, "-m", "tests.faults.kill_stack", json.dumps(keys), url, str(kills), str(SEED)]


def _happened(keys: dict[str, str], what: str) -> int:
    location = settings(RULES, config("http://127.0.0.1", keys)).config.store_location
    with open_store(location, read_only=True) as store:
        return sum(one.what == what for one in store.transitions(1_000_000))


def _operator(episode: Episode) -> int:
    return int(dict(episode.labels)["operator"].removeprefix("op-"))


def _duplicates_have_one_id_and_are_few(told: Hook, kills: int) -> None:
    """What was taken is told again only in another life, with the same id and in the same words; never more often than was killed."""
    bodies = defaultdict(set)
    for each in told.taken:
        bodies[each.id].add(each.body)
    assert all(len(different) == 1 for different in bodies.values())
    assert all(times == 1 for times in Counter((each.id, each.path) for each in told.taken).values())
    unwritten: Counter[str] = Counter()
    lives = defaultdict(list)
    for each in told.taken:
        lives[each.id].append(each.path)
    for paths in lives.values():
        unwritten.update(paths[:-1])  # each of these lives was killed between the sending and its receipt
    assert sum(unwritten.values()) <= kills
    assert max(unwritten.values(), default=0) <= 1, "what was under way; a later life may repeat what two had under way"
