"""YAML read strictly, with places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.yaml.document import Document, parse_document, show_path


def read(text: str | bytes, **environ: str) -> Document:
    return parse_document(text.encode() if isinstance(text, str) else text, "f.yaml", environ)


def said(text: str | bytes, **environ: str) -> list[str]:
    return [str(problem) for problem in read(text, **environ).problems]


def test_the_surprises_of_yaml_1_1_are_text_or_plain_numbers() -> None:
    data = read("[NO, yes, on, 22:30, 012, 0x1f, 0o17, 1e3, 1_000, ~, null, true, 2026-11-21, '5']").data
    assert data == ["NO", "yes", "on", "22:30", 12, 31, 15, 1000.0, "1_000", None, None, True, "2026-11-21", "5"]


def test_places_of_keys_and_values_are_known() -> None:
    document = read("a: 1\nb:\n  - x\n  - {c: d}\n")
    assert document.location(("b", 1, "c")) == ("f.yaml", 4, 9)
    assert document.location(("b", 1, "c"), key=True) == ("f.yaml", 4, 6)
    assert document.location(("b", 7, "x")) == ("f.yaml", 3, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\n", "f.yaml:1:4: a: anchors"),
        ("a: *x\n", "f.yaml:1:4: a: aliases"),
        ("a: !!python/object:os.system 1\n", "f.yaml:1:4: a: tags"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: a: the key 'a' is written twice: first at line 1, column 1"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document"),
        (b"a: \xff\n", "f.yaml:1:4: is not UTF-8"),
        ("a:\n\t- b\n", "there is a tab here"),
        ("a: [1\nb: 2\n", "f.yaml:2:2: is not valid YAML"),
        ("a: {b: ${X}}\n", 'a variable needs quotes: "${NAME}"'),
        ("a: @b\n", "put it in quotes"),
        (
            'a: [{b: #c-d, e: "f"}]\ng: h\n',
            'after a blank, # begins a comment (line 1): put text with # in quotes: "#c-d"',
        ),
        ("a: [\n  {b: 'x # y'}, # note\n  c\nd: e\n", "check the indentation, brackets and quotes"),
        ("a: {{ b }} c\n", 'text with {{ }} needs quotes: "{{ … }}"'),
        ("a:\n  b: {{ c.d | e }}: f\n", 'f.yaml:2:7: a.b: text with {{ }} needs quotes: "{{ … }}"'),
        ("a: b: c\n", "a colon stands where none can"),
        ("a: \x01\n", "U+0001"),
        ('a: "\\0"\n', "\\0 is not allowed"),
        ("? [a]\n: 1\n", "a key must be one word"),
        ("a: ${X}\n", "f.yaml:1:4: a: the environment variable X is not set"),
        ("a: ${X\n", "f.yaml:1:4: a: ${ begins a variable"),
        ("store: sqlite:a.db\n  - bad\nb: 1\n", "f.yaml:2:3: store: this looks like an entry of a list"),
        (
            "a:\n  - b\n\n    c\n    - d\n",
            "f.yaml:5:5: a[0]: this looks like an entry of a list, but continues the text of line 2",
        ),
    ],
)
def test_what_is_refused_has_its_place(text: str | bytes, message: str) -> None:
    (problem,) = said(text)
    assert message in problem


def test_text_of_several_lines_may_hold_dashes_where_it_is_clear() -> None:
    text = 'a: b\n  c - d\nb: |\n  - e\nc: >\n  - f\nd: "g\n  - h"\ne: i\n  # - j\nf:\n  - -2\n  - k\n'
    assert said(text) == []
    found = {"a": "b c - d", "b": "- e\n", "c": "- f\n", "d": "g - h", "e": "i", "f": [-2, "k"]}
    assert read(text).data == found


def test_a_nest_of_200_000_levels_and_a_bomb_of_aliases_end_at_once() -> None:
    assert "deeper than 50" in said("[" * 200_000)[0]
    assert "deeper than 50" in said("{a: " * 200_000)[0]
    assert "deeper than 50" in said("- " * 200_000)[0]
    bomb = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a, *a]\n" for i in range(1000))
    assert len(said(bomb)) == 100


def test_what_is_too_large_is_not_parsed() -> None:
    assert said(b"#" * (4 * 1024 * 1024 + 1)) == ["f.yaml:1:1: is larger than 4 MiB; split it into several files"]


def test_variables_are_filled_in_everywhere_and_resolved_again_where_they_stood_plain() -> None:
    data = read('a: ${P}\nb: "${P}"\nc: x-${P}-${Q:-d}\nd: $${P}\ne: ${E:-7}\n${P}: k\nf: ${Q:-}\n', P="80", E="").data
    assert data == {"a": 80, "b": "80", "c": "x-80-d", "d": "${P}", "e": 7, "80": "k", "f": None}


def test_a_variable_that_holds_no_text_is_a_problem_and_its_value_is_not_shown() -> None:
    (problem,) = said("a: ${X}", X="s3cret\udcff")
    assert "X holds bytes" in problem
    assert "s3cret" not in problem


def test_several_problems_are_all_reported() -> None:
    assert len(said("a: ${X}\nb: ${Y}-${Z}\na: 2\n")) == 4


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_reading_never_raises(content: bytes) -> None:
    document = read(content)
    assert document.readable or document.problems


def test_paths_are_shown_as_people_write_them() -> None:
    assert show_path(("rules", 2, "window")) == "rules[2].window"
