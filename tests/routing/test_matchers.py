"""Matchers: read and written as Alertmanager does, and linear in time whoever wrote them."""

import contextlib
import resource
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.routing.matcher_syntax import Written
from monitor.routing.matchers import (
    Matcher,
    check_ready,
    check_written,
    in_order,
    matches,
    parse_matcher,
    parse_matchers,
    show,
)

LABELS = {"severity": "critical", "operator": "Cosmote", "country": "GR", "empty": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('severity="critical"', True),
        ('severity="crit"', False),
        ('severity!="critical"', False),
        ('severity=~"crit"', False),
        ('severity=~"crit.*"', True),
        ('severity=~"warning|critical"', True),
        ('severity!~"warn.*"', True),
        ('country=~"G|R"', False),
        ('country=~"g."', False),
        ('country=~"(?i)g."', True),
        ('missing=""', True),
        ('missing!=""', False),
        ('missing=~".*"', True),
        ('missing=~".+"', False),
        ('missing!~".+"', True),
        ('missing!="x"', True),
        ('empty=""', True),
        ('empty=~""', True),
    ],
)
def test_a_condition_is_met_by_the_whole_value_and_a_missing_label_is_empty(text: str, expected: bool) -> None:
    assert parse_matcher(text).matches(LABELS) is expected


def test_all_conditions_have_to_be_met() -> None:
    assert matches(parse_matchers('severity="critical",country=~"GR|CY"'), LABELS)
    assert not matches(parse_matchers('severity="critical",country="CY"'), LABELS)
    assert matches((), LABELS)


def test_a_line_break_is_no_character_for_the_dot() -> None:
    labels = {"a": "foo\nbar"}
    assert not parse_matcher('a=~"foo.bar"').matches(labels)
    assert parse_matcher('a=~"(?s)foo.bar"').matches(labels)


LISTS = [
    ("", []),
    ("{}", []),
    ("{foo=bar}", ['foo="bar"']),
    ("{foo=bar,}", ['foo="bar"']),
    ('foo=bar, dings!="bums" , ', ['foo="bar"', 'dings!="bums"']),
    ('{ foo = "bar" , dings !~ "b.*s" }', ['foo="bar"', 'dings!~"b.*s"']),
    ("foo=~[a-z]+", ['foo=~"[a-z]+"']),
    ('foo="a,b",bar=~"c{2,3}"', ['foo="a,b"', 'bar=~"c{2,3}"']),
    ("foo=two words", ['foo="two words"']),
    ("foo=", ['foo=""']),
    ("{foo=,bar=}}", ['foo=""', 'bar="}"']),
    ("{foo=}b", ['foo="}b"']),
    ("tricky=~~~", ['tricky=~"~~"']),
    (r"trickier==\\=\=\"", [r'trickier="=\\=\\=\""']),
    (r"{foo=bar\}", [r'foo="bar\\"']),
    (r'foo="say \"yes\", then\nno\t"', [r'foo="say \"yes\", then\nno\\t"']),
    (r'path=~"C:\\\\.+\.exe"', [r'path=~"C:\\\\.+\\.exe"']),
    ("name:with_colon=1", ['name:with_colon="1"']),
    # what only the newer way can read
    ('{"foo"="bar"}', ['foo="bar"']),
    ('"a b"=c,d!="e"', ['"a b"="c"', 'd!="e"']),
    ("{with-dashes=bar}", ['with-dashes="bar"']),
    ("λ=~🙂.*", ['λ=~"🙂.*"']),
    (r'{"foo"="\xf0\x9f\x99\x82 \u00e9 \U0001f642 \t \101"}', ['foo="🙂 é 🙂 \t A"']),
]


@pytest.mark.parametrize(("text", "expected"), LISTS)
def test_lists_are_read_as_alertmanager_reads_them(text: str, expected: list[str]) -> None:
    assert [str(matcher) for matcher in parse_matchers(text)] == expected


@pytest.mark.parametrize(
    ("text", "said", "character"),
    [
        (",", "a matcher is missing", 1),
        ("a=b,,c=d", "a matcher is missing", 5),
        ("severity", "after the name 'severity' should come =, !=, =~ or !~", 9),
        ('severity "critical"', "should come =", 10),
        ("a=b, c", "after the name 'c'", 7),
        ("=b", "begins with the name of a label", 1),
        ('a="b', "the quote that begins the value is never closed", 3),
        ('a=b"c', "a quote stands within the value", 4),
        ('a="b"c"', "a quote is never closed", 7),
        ('{"a"="b"', "the brace { is never closed", 9),
        ('"a"="b"}', "a brace } has no matching brace", 8),
        ('{"a"="b"} c', "nothing can stand behind the brace", 11),
        ('"a"="b" "c"="d"', "a comma should stand here", 9),
        ('"a"=', "a value should stand here", 5),
        (r'"a"="\d+"', "there is no escape", 6),
        (r'"a"="\ud800"', "is no character", 6),
        (r'"a"="\xf0\x9f"', "not UTF-8", 5),
        ('"a"="b', "a quote is never closed", 5),
        ("é='x'", "cannot stand outside of quotes", 3),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, said: str, character: int) -> None:
    with pytest.raises(ValueError) as caught:
        parse_matchers(text)
    assert said in str(caught.value)
    assert str(caught.value).endswith(f"(character {character})")


def test_one_matcher_is_one_and_has_no_braces() -> None:
    assert parse_matcher(" foo = bar ") == Matcher("foo", "=", "bar")
    assert parse_matcher("foo=a,b") == Matcher("foo", "=", "a,b")
    assert parse_matcher('foo=~"a{2}"') == Matcher("foo", "=~", "a{2}")
    for text, said in (
        ("{foo=bar}", "no braces"),
        ("foo=~a{2}", "no braces"),
        ("", "expected one matcher, not 0"),
        ("a=b,c=d", "expected one matcher, not 2"),
    ):
        with pytest.raises(ValueError, match=said):
            parse_matcher(text)


@pytest.mark.parametrize("pattern", ["(", "a)(b", "[a", "a**", "(?=x)", r"(a)\1", "a{1001}", r"\Z"])
def test_what_is_no_regular_expression_is_refused_when_it_is_written(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        Matcher("a", "=~", pattern)
    assert Matcher("a", "=", pattern).matches({"a": pattern})


def test_a_matcher_needs_a_name() -> None:
    with pytest.raises(ValueError, match="needs the name of a label"):
        parse_matcher('""="x"')


def test_a_wrong_matcher_that_was_stored_is_an_error_of_reading() -> None:
    with pytest.raises(msgspec.ValidationError, match="is not a regular expression"):
        msgspec.json.decode(b'{"name": "a", "op": "=~", "value": "("}', type=Matcher)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a*)*c", "(.*)(.*)(.*)(.*)(.*)[^a]"])
def test_an_expression_that_python_would_need_hours_for_is_answered(pattern: str) -> None:
    matcher = Matcher("a", "=~", pattern)
    assert not matcher.matches({"a": "a" * 50_000 + "!" * ("[^" not in pattern)})


@pytest.mark.parametrize(
    "text",
    [
        "a=" + "x" * 199_000,
        ",".join(f'"a {number}"=b' for number in range(12_000)),
        'a="' + '\\"' * 99_000 + '"',
        '"a b"="' + "x" * 190_000,
        "," * 199_000,
        "a=~" + "(x|y)" * 1_999,
        r"a=~" + r"\pL" * 3_000,
        "a=~" + "(" * 9_000,
        "a=b," * 10**6,
        "a=~" + "x" * 10_001,
    ],
    ids=lambda text: text[:8],
)
def test_whatever_a_stranger_writes_is_read_or_refused(text: str) -> None:
    for parse in (parse_matchers, parse_matcher):
        with contextlib.suppress(ValueError):
            parse(text)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 200000 characters"):
        parse_matchers("a=b," * 10**5)
    with pytest.raises(ValueError, match="longer than 200000 characters"):
        parse_matcher("a=" + "b" * 10**6)
    with pytest.raises(ValueError, match="at most 10000 characters"):
        Matcher("a", "=~", "x" * 10_001)


def test_an_expression_that_needs_much_memory_is_refused_and_nothing_is_written_beside(capfd) -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        Matcher("a", "=~", "((a{100}){9}b?c{1,800}|x{900}y{900}z{900}){1,1}|" + r"\pL{1000}" * 5)
    assert capfd.readouterr() == ("", "")


def test_half_a_character_in_a_value_harms_nothing() -> None:
    assert Matcher("a", "=~", "x.").matches({"a": "x\ud800"})
    assert not Matcher("a", "=~", "[a-z]+").matches({"a": "x\ud800"})


def test_the_order_is_alertmanagers_whatever_was_written() -> None:
    assert show(in_order(parse_matchers("b=2,a!=1,a=1,a=0"))) == '{a="0",a="1",a!="1",b="2"}'
    assert show(()) == "{}"


names = st.text(min_size=1, max_size=5).filter(str.isprintable) | st.sampled_from(
    ["a b", 'a"b', "a=b", "é", "x{}", "\t"]
)
values = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8) | st.text('\\"n\n,{}=a \t', max_size=8)
written = st.builds(Matcher, names, st.sampled_from(["=", "!="]), values)


@given(st.lists(written, max_size=4))
def test_what_is_written_is_read_back(matchers: list[Matcher]) -> None:
    assert parse_matchers(show(matchers)) == tuple(matchers)
    for matcher in matchers:
        assert parse_matcher(str(matcher)) == matcher


@given(st.text('ab=!~"\\,{}() \n*+.é', max_size=20) | st.text(max_size=20))
def test_whatever_is_written_either_is_read_or_refused_in_a_sentence(text: str) -> None:
    for parse in (parse_matchers, lambda one: (parse_matcher(one),)):
        try:
            found = parse(text)
        except ValueError as error:
            said = str(error)
        else:
            said = ""
            assert all(matches([matcher], {matcher.name: ""}) in (True, False) for matcher in found)
        assert said.isprintable()


@given(st.sampled_from(["=~", "!~"]), st.text("ab.*|[]^", max_size=6), st.text("ab", max_size=4))
def test_expressions_mean_what_they_mean_to_python_where_both_take_them(op: str, pattern: str, value: str) -> None:
    import re
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nested sets, which Python means to change one day
        try:
            expected = re.fullmatch(pattern, value) is not None
            matcher = Matcher("x", op, pattern)  # type: ignore[arg-type]  # it is one of the two
        except (re.error, ValueError):
            return
    assert matcher.matches({"x": value}) is (expected == (op == "=~"))


def test_ever_new_expressions_of_strangers_take_bounded_memory() -> None:
    usual = [Matcher("operator", "=~", f"Operator{number}|Other{number}") for number in range(2_000)]
    before = resident_megabytes()
    for number in range(150):
        largest = f"(?i){number}" + "".join(chr(0x100 + (position * 7 + number) % 2_000) for position in range(2_500))
        assert not Matcher("operator", "=~", largest).accepts("Cosmote")
    assert resident_megabytes() - before < 60
    assert all(matcher.accepts(f"Other{number}") for number, matcher in enumerate(usual))


def resident_megabytes() -> float:
    """The memory that this process takes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


DEAR = r"(?i)(?:\pL\PL){12}"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([("a", "=~", DEAR)] * 2_000, "at most 50 matchers"),
        ([("a", "=", "b")] * 51, "at most 50 matchers"),
        ([("a", "=~", DEAR)] * 50, "too many classes"),
        ([("a", "=", "b" * 1_001)], "at most 1000 characters"),
        ([("a" * 1_001, "!=", "b")], "at most 1000 characters"),
        ([("a", "=~", "b" * 1_000)] * 5, "more than 4096 characters"),
        ([("a", "=~", "a{0,1000}" * 30)], "repetitions"),
        ([("a", "=~", r"\pL" * 300)], "too many classes"),
    ],
)
def test_what_is_dear_is_refused_before_anything_is_made_of_it(written: list[Written], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_written(written)


def test_expressions_that_are_too_large_together_are_refused() -> None:
    usual = [parse_matcher(f'a=~"(?i)x{number}.*|.*[a-zα-ω]{{1,3}}y"') for number in range(50)]
    check_ready(usual)
    large = [Matcher("a", "=~", f".{{1,200}}{number}") for number in range(5)]
    check_ready(large[:4])
    with pytest.raises(ValueError, match="too large"):
        check_ready(large)


@pytest.mark.parametrize(
    "pattern",
    [
        "|".join(f"Operator number {number}" for number in range(40)),
        r"(?i)\s*[\p{L}\p{N} .'-]+\s*",
        "(?i).*(payment|invoice|receipt).*failed.*",
        "[^,]{1,100},[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        r"\p{Greek}+ .{1,200}",
        "^.+$",
    ],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    check_written([("a", "=~", pattern)])
    check_ready([Matcher("a", "=~", pattern)])


@pytest.mark.parametrize("pattern", [DEAR, r"\pL" * 300, "a{0,1000}" * 20, r"(?i)[\p{Lu}\p{Ll}]" * 40])
def test_a_single_expression_that_is_too_dear_is_refused_wherever_it_stands(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"takes too long to compile|too large"):
        Matcher("a", "=~", pattern)
