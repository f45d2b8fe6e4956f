"""What a customer plans a machine with: the formula, the tables of docs/scale.md, and that both say the same."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.fleet.fleet import Outcome
from benchmarks.fleet.needs import Customer, formula_lines, lines
from monitor.runtime.clock import DAY, MINUTE

DOCS = Path(__file__).parents[3] / "docs"
MEASURED = msgspec.json.decode((DOCS / "images" / "fleet.json").read_bytes(), type=Outcome).costs
ROUND = msgspec.structs.replace(MEASURED, memory_bytes=100, database_bytes=50, restore_seconds=1e-6)


def customer(accounts: int, machines: int, messages_a_day: int = 1_000_000) -> Customer:
    return Customer(ROUND, accounts, messages_a_day, machines, kept=10)


@pytest.mark.parametrize(
    ("accounts", "machines", "held"), [(1, 1, 1), (1, 3, 1), (5, 1, 5), (5, 2, 5), (5, 3, 3), (20, 3, 10)]
)
def test_a_machine_can_hold_its_share_of_all_accounts_once_another_one_is_gone(
    accounts: int, machines: int, held: int
) -> None:
    assert customer(accounts, machines).held == held
    assert customer(accounts, machines).memory == 99e6 + held * 10_000_000 * 100


def test_a_take_over_takes_the_lease_and_the_windows_that_one_survivor_reads() -> None:
    assert customer(5, 1).taken_over == pytest.approx(5 * 10)
    assert customer(5, 2).taken_over == pytest.approx(6 + 3 * 10)  # of three accounts of the dead one
    assert customer(5, 3).taken_over == pytest.approx(6 + 1 * 10)  # two, by two survivors


def test_the_first_read_takes_as_long_as_requests_or_as_the_core_takes() -> None:
    days = (7 * DAY - 5 * MINUTE) / DAY
    assert customer(1, 1).first_read == pytest.approx(days * 1_000_000 / 2_000 / 5)
    assert customer(100, 1).first_read == pytest.approx(100 * days * 1_000_000 * MEASURED.new_seconds)


def test_postgresql_needs_room_for_all_messages_twice_however_many_machines() -> None:
    assert customer(5, 1).database == customer(5, 3).database == 2 * 5 * 10_000_000 * 50


def test_the_formula_comes_to_what_the_tables_say() -> None:
    core = next(line for line in formula_lines(MEASURED) if "of a core" in line)
    each, account, window = (float(word.rstrip("%")) for word in core.split() if word.endswith("%"))
    for accounts, messages, kept in ((5, 3, 8), (5, 3, 30), (20, 1, 8)):
        said = accounts * (each * messages + account + window * messages * kept)
        assert 100 * Customer(MEASURED, accounts, messages * 1_000_000, 1, kept).cores == pytest.approx(said, rel=0.02)


def test_the_document_shows_the_formula_and_the_tables() -> None:
    document = (DOCS / "scale.md").read_text("utf-8").splitlines()
    assert [line for line in lines(MEASURED) if line not in document] == [], "run python -m benchmarks.fleet.needs"
