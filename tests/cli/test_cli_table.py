"""Tables: full length for programs, wrapped for terminals."""

import json

import pytest

from monitor.cli.table import Column, print_json, print_table, table_lines
from monitor.runtime.terminal_width import cells

COLUMNS = ("STATE", "GROUP", "WHY")
ROWS = [("firing", "operator=Cosmote", "40% (40 of 100 messages) is above 20%"), ("inactive", "all", "")]


def test_columns_line_up_and_nothing_is_cut() -> None:
    assert table_lines(COLUMNS, ROWS) == [
        "STATE     GROUP             WHY",
        "firing    operator=Cosmote  40% (40 of 100 messages) is above 20%",
        "inactive  all",
    ]


def test_the_last_column_is_wrapped_below_itself() -> None:
    assert table_lines(COLUMNS, ROWS, 60)[1].splitlines() == [
        "firing    operator=Cosmote  40% (40 of 100 messages) is",
        "                            above 20%",
    ]


def test_a_narrow_terminal_gets_it_on_lines_of_its_own() -> None:
    assert table_lines(COLUMNS, ROWS, 50)[1].splitlines() == [
        "firing    operator=Cosmote",
        "    40% (40 of 100 messages) is above 20%",
    ]


LONG = "Failures to Cosmote (GR) rose from 5% to 20% at 10:00 (60 of 300 messages since; one false alarm in 30d)"
NUMBERS = ("STATE", "GROUP", "VALUE", Column("THRESHOLD", 1), Column("BASELINE", 2), "WHY")
GROUPS = [
    ("firing", "country=GR, operator=Cosmote", "20%", "14%", "5%", LONG),
    ("inactive", "country=GR, operator=Nova", "4%", "12%", "4%", "evidence for a change: 12%"),
]


def test_a_long_sentence_goes_below_its_row_rather_than_into_a_narrow_column() -> None:
    assert table_lines(NUMBERS, GROUPS, 80) == [
        "STATE     GROUP                         VALUE  THRESHOLD  BASELINE",
        (
            "firing    country=GR, operator=Cosmote  20%    14%        5%\n"
            "    Failures to Cosmote (GR) rose from 5% to 20% at 10:00 (60 of 300 messages\n"
            "    since; one false alarm in 30d)"
        ),
        "inactive  country=GR, operator=Nova     4%     12%        4%\n    evidence for a change: 12%",
    ]


def test_a_long_sentence_stays_beside_its_row_where_there_is_room() -> None:
    head, first, second = table_lines(NUMBERS, GROUPS, 130)
    assert head.endswith("BASELINE  WHY")
    assert "5%        Failures to Cosmote" in first
    assert len(first.splitlines()) == 2
    assert second.endswith("4%        evidence for a change: 12%")


def test_one_column_is_a_table_too() -> None:
    assert table_lines(("A",), [("b",)], 10) == ["A", "b"]


def test_no_cell_steers_the_terminal_or_forges_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A\x1b[2J", "B"), [("x\ny\x9b1m", "\u202eevil\u200b")])
    assert capsys.readouterr().out == "A\ufffd[2J   B\nx y\ufffd1m  \ufffdevil\ufffd\n"


def test_json_says_what_was_written_with_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"by": "Ann \x1b]0;x\x07\x9b\u202e\u200b\U000e0041 Ä中"}
    print_json(data)
    said = capsys.readouterr().out
    assert json.loads(said) == data
    assert all(char.isprintable() or char == "\n" for char in said)
    assert "Ä中" in said


def test_the_least_telling_columns_are_left_out_and_named() -> None:
    columns = ("STATE", Column("MESSAGES", 2), Column("TREND", 1), "WHY")
    rows = [("firing", "1,234", "▁▂▃▄▅▆▇█▁▂▃▄", "40% (40 of 100 messages) is above 20%")]
    assert table_lines(columns, rows, 50) == [
        "STATE   TREND         WHY",
        "firing  ▁▂▃▄▅▆▇█▁▂▃▄  40% (40 of 100 messages) is\n                      above 20%",
        "Not shown for lack of space: MESSAGES (--wide shows all)",
    ]
    assert len(table_lines(columns, rows)) == 2


def test_a_wide_name_lines_up() -> None:
    lines = table_lines(("NAME", "WHY"), [("中国移动 📱", "a"), ("Cosmote", "b")], 40)
    assert [cells(line) for line in lines] == [16, 14, 14]


@pytest.mark.parametrize("width", range(20, 130, 7))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = [
        "OperatorFailureRate",
        "operator=中国移动通信, country=GR, campaignTrackingId=182d20da-3f6f-4d4a-9d5e-111111111111",
        "x" * 90,
    ]
    found = table_lines(("ALERT", "GROUP", Column("ID", 1), "WHY IT IS SO"), [(*long, "words " * 20)], width)
    assert max(cells(row) for line in found[:-1] for row in line.split("\n")) <= width


def test_the_first_rows_stay_where_not_all_fit(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [(str(number), "b") for number in range(30)], height=10)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert (lines[1], lines[-1]) == ("0   b", "22 more of 30, less urgent: --all shows them")


ID = "182d20da-3f6f-4d4a-9d5e-111111111111"


@pytest.mark.parametrize("width", range(44, 130, 5))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_id_stays_whole_in_any_column(place: int, width: int) -> None:
    row = ["firing", "operator=Cosmote", "40% (40 of 100 messages) is above 20%"]
    row[place] = ID
    assert ID in table_lines(COLUMNS, [tuple(row)], width)[1]


def test_a_column_whose_cells_all_stand_below_has_no_head() -> None:
    rows = [("firing", f"campaign={ID}", "40% (40 of 100 messages) is above 20%, for the third time today")]
    assert table_lines(COLUMNS, rows, 50) == [
        "STATE   WHY",
        f"firing  40% (40 of 100 messages) is above 20%, for\n        the third time today\n    campaign={ID}",
    ]
    assert table_lines(COLUMNS, [("firing", "operator=Cosmote", "words " * 20)], 40)[0] == "STATE   GROUP"


def test_a_whole_column_keeps_its_width_while_others_are_left_out_or_wrapped() -> None:
    columns = ("STATE", "GROUP", Column("SINCE", whole=True), Column("FOR", drop=1, whole=True), "WHY")
    row = ("firing", "operator=Cosmote, country=GR", "11-29 08:10:59", "1h12m59s", LONG)
    assert table_lines(columns, [row], 44) == [
        "STATE   GROUP              SINCE",
        (
            "firing  operator=Cosmote,  11-29 08:10:59\n        country=GR\n"
            "    Failures to Cosmote (GR) rose from 5% to\n    20% at 10:00 (60 of 300 messages since;\n"
            "    one false alarm in 30d)"
        ),
        "Not shown for lack of space: FOR (--wide shows all)",
    ]
