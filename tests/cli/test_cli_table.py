"""Tables: full length for programs, wrapped for terminals."""

from monitor.cli.table import table_lines

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


def test_one_column_is_a_table_too() -> None:
    assert table_lines(("A",), [("b",)], 10) == ["A", "b"]
