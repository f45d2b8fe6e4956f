"""The simulation of a fleet loses no message and judges none twice; docs/scale.md and its picture show what it gave."""

import runpy
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from benchmarks.fleet.costs import Costs, EvaluationCost
from benchmarks.fleet.day import day_lines
from benchmarks.fleet.fleet import Outcome
from benchmarks.fleet.simulation import BEAT, TTL, Course, Fleet, Simulation
from benchmarks.fleet.tables import document_lines
from monitor.runtime.clock import HOUR, MINUTE, SECOND

DOCS = Path(__file__).parents[3] / "docs"
FOUND = msgspec.json.decode((DOCS / "images" / "fleet.json").read_bytes(), type=Outcome)
SMALL = Fleet(workers=4, accounts=13, messages_a_day=200_000, kept=3)


def lived(fleet: Fleet, deaths: int = 0, costs: Costs = FOUND.costs) -> Course:
    return Simulation(costs, fleet, 14 * HOUR, 15 * HOUR).run(deaths, 14 * HOUR + 10 * MINUTE + 345_678)


@pytest.mark.parametrize("deaths", [0, 1, 3])
@pytest.mark.parametrize("slower", [1, 100, 5_000])
@pytest.mark.parametrize("rate", [5, 0.05])
def test_all_messages_that_are_sent_are_judged_once_whoever_dies_and_however_slow(
    deaths: int, slower: int, rate: float
) -> None:
    costs = msgspec.structs.replace(FOUND.costs, again_seconds=FOUND.costs.again_seconds * slower)
    course = lived(replace(SMALL, rate=rate), deaths, costs)
    sent = FOUND.costs.sent(SMALL.messages_a_day, 15 * HOUR) - FOUND.costs.sent(SMALL.messages_a_day, 14 * HOUR)
    assert course.judged == course.sent == 13 * sent > 0


def test_accounts_of_a_dead_worker_are_held_again_once_its_leases_have_lapsed_one_each_beat() -> None:
    one, three = lived(SMALL, 1), lived(SMALL, 3)
    assert TTL - BEAT <= one.held_again <= TTL + BEAT + BEAT  # four accounts, three workers that beat
    assert three.held_again >= TTL + 8 * BEAT  # ten accounts, one worker
    assert one.judged_again > one.held_again


def test_polls_wait_for_each_other_only_where_a_core_is_busy() -> None:
    assert max(lived(replace(SMALL, workers=13)).delays) == 0
    busy = msgspec.structs.replace(FOUND.costs, evaluations=[EvaluationCost(1, 9), EvaluationCost(10**9, 9)])
    assert max(lived(SMALL, costs=busy).delays) > 9 * SECOND
    assert max(lived(SMALL, costs=busy).worked) <= HOUR


def test_the_cost_of_an_evaluation_lies_on_the_line_between_what_was_measured() -> None:
    costs = msgspec.structs.replace(
        FOUND.costs, evaluations=[EvaluationCost(10, 1), EvaluationCost(20, 3), EvaluationCost(40, 4)]
    )
    assert [costs.evaluation(n) for n in (10, 15, 20, 30, 40, 80)] == pytest.approx([1, 2, 3, 3.5, 4, 6])


def test_the_document_and_the_picture_show_what_came_out() -> None:
    document = (DOCS / "scale.md").read_text("utf-8").splitlines()
    assert [line for line in document_lines(FOUND) if line not in document] == [], (
        "run python -m benchmarks.fleet.tables"
    )
    drawn = runpy.run_path(str(DOCS / "images" / "draw_fleet.py"))["picture"](FOUND.rows)
    assert drawn == (DOCS / "images" / "fleet.svg").read_text("utf-8"), "run python docs/images/draw_fleet.py"


def test_what_a_day_takes_follows_from_the_same_costs() -> None:
    document = (DOCS / "performance.md").read_text("utf-8").splitlines()
    assert [line for line in day_lines(FOUND.costs) if line not in document] == []
