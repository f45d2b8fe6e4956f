"""docs/faults.md and the tests are held to each other: every row names a test that there is, every case of the matrix has a row."""

import re
from pathlib import Path

from tests.faults import test_fault_matrix_further as further
from tests.faults import test_fault_matrix_routee as routee
from tests.faults import test_receiver_faults as receiver

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/faults.md").read_text("utf-8").partition("## Fuzzing")[0]
ROW = re.compile(
    r"^\| (?P<what>.+?) \| (?P<does>.+?) \| `(?P<file>\S+?\.py)::(?P<test>\w+)(?:\[(?P<case>.+)\])?` \|$", re.MULTILINE
)
ROWS = [found.groupdict() for found in ROW.finditer(TABLE)]
CASES = {
    "test_what_nobody_can_see_through_is_told_as_blindness_and_nothing_else": set(routee.BLINDING),
    "test_what_can_be_seen_through_is_not_even_noticed": set(routee.SEEN_THROUGH),
    "test_an_address_that_leads_nowhere_is_told_and_the_daemon_stays": set(further.NOWHERE),
    "test_a_clock_that_is_set_tells_nothing_false_and_stops_nothing": {str(step) for step in further.STEPS},
    "test_ten_minutes_of_trouble_lose_nothing_keep_the_order_and_delay_nobody_else": set(receiver.TROUBLES),
}


def test_the_table_has_more_than_thirty_faults_each_once() -> None:
    lines = [line for line in TABLE.splitlines() if line.startswith("| ")]
    assert len(ROWS) == len([line for line in lines if not line.startswith("| what ")]), "every row can be read"
    assert len(ROWS) > 30
    assert len({row["what"] for row in ROWS}) == len(ROWS)


def test_every_row_names_a_test_that_there_is() -> None:
    for row in ROWS:
        text = (ROOT / row["file"]).read_text("utf-8")
        assert re.search(rf"^(async )?def {row['test']}\(", text, re.MULTILINE), row


def test_every_case_of_the_matrix_has_its_row() -> None:
    for test, cases in CASES.items():
        assert {row["case"] for row in ROWS if row["test"] == test} == cases


def test_every_test_of_the_matrix_has_a_row() -> None:
    here = sorted((ROOT / "tests/faults").glob("test_fault_matrix_*.py"))
    written = {
        name
        for file in here
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    }
    assert written <= {row["test"] for row in ROWS}
