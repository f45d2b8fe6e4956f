"""The worst that each filter, test, method and function can be given: all of it is refused before it is done, or is done in time."""

import json
import subprocess
import sys
from typing import Any, Final

import pytest

from monitor.notify.render import TemplateProblem, Templates
from monitor.notify.render.jinja_sandbox import FILTERS, METHODS, Variables, sandbox
from tests.fakes.alerts import rate

WIDE: Final = "ā" * 1_000_000
WORDS: Final = "a b" * 300_000
HALF: Final = "a" * 49_999 + "b"
SAME: Final = ["a"] * 50_000
OWN: Final = Variables(x=WIDE)
LARGE: Final[dict[str, Any]] = {
    "wide": WIDE,
    "chars": "ƀȁ" * 250_000 + "ā",
    "text": HALF * 2,
    "part": "a" * 25_000 + "b" + "a" * 24_999,
    "words": WORDS,
    "marks": "_*" * 400_000,
    "same": SAME,
    "digits": "1" * 99_999,
    "own": OWN,
    "owners": [OWN] * 60_000,
    "paths": "0," * 9_999 + "0",
    "dots": "0." * 9_999 + "0",
    "numbers": range(99_999),
    "views": [rate()] * 60_000,
}
CONTEXT: Final[dict[str, Any]] = {"fields": LARGE, "labels": rate().labels, "alerts": [rate()]}
SETUP: Final = "".join(f"{{% set {name} = fields.{name} %}}" for name in LARGE)
"""Values as large as a template can make them, each bad for something."""

MANY: Final = "{% for i in range(200) %}"
END: Final = "{% endfor %}"


def _again(expression: str) -> str:
    return f"{MANY}{{% set y = {expression} %}}{END}"


_ASKING: Final = [
    name for name in dir(str) if name.startswith("is") and name not in ("isidentifier", "isprintable", "istitle")
]
_METHODS: Final = {
    **{
        f"str.{name}": [f"{{% set y = wide.{name}() %}}", _again(f"wide.{name}()"), _again(f"words.{name}()")]
        for name in [*["capitalize", "casefold", "lower", "upper", "swapcase", "title"], *_ASKING]
    },
    **{
        f"str.{name}": [
            f"{{{{ wide.{name}(chars) | length }}}}",
            f"{{{{ text.{name}(part) }}}}",
            _again(f"text.{name}(part)"),
        ]
        for name in [
            "count",
            "find",
            "index",
            "lstrip",
            "partition",
            "rfind",
            "rindex",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "strip",
        ]
    },
    **{
        f"str.{name}": [_again(f"wide.{name}(wide)"), _again(f"wide.{name}(chars)")]
        for name in ["startswith", "endswith", "removeprefix", "removesuffix"]
    },
    "str.splitlines": [_again("wide.splitlines()"), "{% set y = ('\\n' * 99999).splitlines() %}"],
    "dict.get": [_again("labels.get(wide)")],
    "dict.items": [_again("labels.items() | list")],
    "dict.keys": [_again("labels.keys() | list")],
    "dict.values": [_again("labels.values() | list")],
    "list.count": [_again("same.count('b')"), _again("[same, same].count(same | list)")],
    "list.index": [_again("same.index('b')"), "{{ same.index('b') }}", _again("numbers.index(99998.0)")],
    "tuple.count": [_again("(same, 1).count(same | list)")],
    "tuple.index": [_again("(1, same).index(same)")],
    "range.count": [_again("numbers.count(1.5)")],
    "range.index": [_again("numbers.index(99998.0)")],
}
_FUNCTIONS: Final = {
    "range": [
        "{{ range(0, 2305843009213693951 * 20000, 2305843009213693951) | list | unique | list }}",
        "{{ range(0, 2 ** 60, 2 ** 45) | list | unique | list | length }}",
        _again("1.5 in numbers"),
        "{{ range(10 ** 15) | list }}",
    ],
    "dict": ["{{ dict([[(1, 2), 3]]) }}", "{{ {(1, 2): 3} }}", _again("dict(a=same)"), "{{ dict.fromkeys(numbers) }}"],
    "namespace": [_again("namespace(a=same)"), "{{ namespace([[(1, 2), 3]]) }}"],
    "joiner": [_again("joiner(wide)()")],
    "cycler": ["{% set c = cycler(*numbers) %}" + _again("c.next()"), _again("cycler(*numbers)")],
    "loop.changed": [f"{MANY}{{% set y = loop.changed(same | list) %}}{END}"],
    "loop.cycle": [f"{MANY}{{% set y = loop.cycle(*numbers) %}}{END}"],
    "loop as a value": [f"{MANY}{{% set y = loop | sort %}}{END}", f"{MANY}{{% set y = loop | list %}}{END}"],
}
_FILTERS: Final = {
    **{
        name: [_again(f"wide | {name}"), _again(f"same | {name}")]
        for name in ["capitalize", "lower", "upper", "string", "list", "reverse"]
    },
    **{
        name: [_again(f"same | {name}"), _again(f"numbers | {name}")]
        for name in ["count", "length", "first", "last", "default", "d"]
    },
    **{name: [_again(f"digits | {name}"), _again(f"wide | {name}")] for name in ("float", "abs", "round")},
    **{
        name: [_again(f"1e300 | {name}"), _again(f"wide | {name}")]
        for name in ["percent", "number", "duration", "datetime"]
    },
    "int": [_again("digits | int"), _again("digits | int(0, 32)"), "{{ digits | int(0, 32) }}", "{{ 1e300 | int }}"],
    "title": [_again("words | title"), "{% set y = words | title %}"],
    "trim": ["{{ wide | trim(chars) | length }}", "{{ wide | trim(chars=chars) | length }}", _again("wide | trim")],
    "truncate": [_again("words | truncate(10)"), _again("words | truncate(300000, end=words)")],
    "replace": [_again("text | replace(part, 'b')"), "{{ text | replace('a', text) }}"],
    "html": [_again("marks | html"), "{% set y = wide | html %}"],
    "markdown": [_again("marks | markdown"), "{% set y = marks | markdown %}"],
    "clip": ["{% set y = ('\u202e ' * 49999) | clip(9999999) %}", _again("('\u202e ' * 49999) | clip(9999999)")],
    "mask": [_again("digits | mask")],
    "notes": [_again("alerts[0] | notes(10 ** 9)"), "{{ own | notes }}"],
    "sentence": [_again("alerts[0] | sentence"), "{{ own | sentence }}"],
    "sparkline": [_again("numbers | sparkline(200)"), "{{ numbers | sparkline(200) }}"],
    "dictsort": [_again("dict(a=same, b=same) | dictsort(by='value')"), _again("labels | dictsort")],
    "groupby": [_again("owners | groupby('x')"), "{{ owners | groupby('x') }}", "{{ same | groupby(dots) }}"],
    "items": [_again("labels | items")],
    "join": [
        _again("numbers | join"),
        "{{ owners | join(attribute='x') }}",
        "{{ views | join | length }}",
        "{{ same | join(wide) }}",
    ],
    "map": [
        "{{ owners | map('upper') | list }}",
        "{{ owners | map(attribute='x') | map('upper') | list }}",
        "{{ same | map(attribute=dots) | list }}",
        _again("numbers | map('string')"),
        _again("owners | map(attribute='x')"),
    ],
    "max": [_again("numbers | max"), "{{ owners | max(attribute='x') }}", "{{ [same, same | list] | max }}"],
    "min": [_again("numbers | min"), "{{ owners | min(attribute='x') }}", "{{ same | min(attribute=dots) }}"],
    "reject": [_again("numbers | reject('integer')"), "{{ numbers | reject('in', same) | list }}"],
    "rejectattr": [_again("owners | rejectattr('x')"), "{{ owners | rejectattr('x', 'lower') | list }}"],
    "select": [_again("numbers | select('odd')"), "{{ numbers | map('float') | select('in', range(99999)) | list }}"],
    "selectattr": [_again("owners | selectattr('x')"), "{{ owners | selectattr('x', 'eq', wide ~ '') | list }}"],
    "sort": [
        "{{ same | sort(attribute=paths) }}",
        "{{ owners | sort(attribute='x') }}",
        "{{ numbers | sort }}",
        _again("same | sort"),
        _again("[same, same | list, same] | sort"),
        _again("numbers | sort(false, false, '0')"),
    ],
    "sum": [_again("numbers | sum"), "{{ owners | sum(attribute='x') }}"],
    "tojson": [
        "{{ views | tojson | length }}",
        _again("numbers | tojson(8)"),
        "{% set n = namespace(l=same) %}{% for i in range(200) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l | tojson(8) | length }}",
    ],
    "unique": [
        _again("numbers | unique"),
        "{{ owners | unique(attribute='x') }}",
        "{{ [(1, 2), (3, 4)] | unique }}",
        f"{{{{ [{', '.join(str(i * 2305843009213693951) for i in range(2, 450))}] | unique }}}}",
    ],
}
_OPERATORS: Final = {
    "~": ["{{ (views ~ '') | length }}", _again("wide ~ ''"), "{{ (owners ~ '') | length }}"],
    "+": [_again("same + same"), _again("wide + wide")],
    "-": [_again("labels.keys() - labels.keys()")],
    "*": [_again("'a' * 99999"), "{{ 2 ** 40 * 2 ** 40 }}"],
    "//, %": ["{{ (digits | int(0, 32)) // 7 }}", "{{ (digits | int(0, 32)) % 7 }}"],
    "**": ["{{ 9 ** 64 }}", _again("2 ** 60")],
    "==": [_again("same == same | list"), _again("wide == wide ~ ''"), "{{ views == views | list }}"],
    "in": [_again("part in text"), _again("1.5 in numbers"), _again("'b' in same")],
    "[]": [_again("wide[::-1]"), _again("same[1:]"), "{{ {chars[:99999] ~ 'a': 1}[chars[:99999] ~ 'b'] }}"],
    "{{ }}": ["{{ views }}", MANY + "{{ numbers }}" + END, MANY + "{{ marks }}" + END],
    "*args": [_again("cycler(*wide)"), "{{ range(*wide) }}"],
    "blocks": [
        "{% set y %}" + MANY + "{{ marks }}" + END + "{% endset %}",
        "{% filter title %}{{ words }}{% endfilter %}",
    ],
}
_TWO: Final = frozenset({"eq", "equalto", "ge", "greaterthan", "gt", "in", "le", "lessthan", "lt", "ne", "sameas"})
_NAMES: Final = [name for name in sandbox({}, "none").tests if name.isalpha()]
_TESTS: Final = {
    f"is {name}": [
        f"{{{{ {value} is {name}({'same' if name in _TWO else 7 if name == 'divisibleby' else ''}) }}}}"
        for value in ("wide", "same", "numbers", "views")
    ]
    for name in _NAMES
}
WORST: Final = {
    **_METHODS,
    **_FUNCTIONS,
    **{f"| {name}": texts for name, texts in _FILTERS.items()},
    **_OPERATORS,
    **_TESTS,
}


def test_the_table_holds_everything_that_a_template_can_reach() -> None:
    kinds = {str: "str", dict: "dict", list: "list", tuple: "tuple", range: "range"}
    methods = {
        f"{kinds[kind]}.{name}"
        for some, names in METHODS
        for kind in (some if isinstance(some, tuple) else (some,))
        for name in names
    }
    assert methods | {f"| {name}" for name in FILTERS} | set(sandbox({}, "none").globals) <= set(WORST)


PROGRAM: Final = """
import json, resource, sys
from monitor.notify.render import TemplateProblem, Templates
from tests.notify.render.test_render_work import CONTEXT, SETUP, WORST

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
begun = resource.getrusage(resource.RUSAGE_SELF).ru_utime
sum(number % 7 for number in range(2_000_000))
yardstick = resource.getrusage(resource.RUSAGE_SELF).ru_utime - begun
seen = {}
for name in json.loads(sys.argv[1]):
    for text in WORST[name]:
        for form in ("none", "slack", "form") if name == "{{ }}" else ("none",):
            used = resource.getrusage(resource.RUSAGE_SELF)
            spent = used.ru_utime + used.ru_stime
            resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + 10, resource.RLIM_INFINITY))
            try:
                Templates().compile(SETUP + text, "worst", form).render(CONTEXT)
                said = ""
            except TemplateProblem as problem:
                said = str(problem)
            now = resource.getrusage(resource.RUSAGE_SELF)
            seen[f"{name} {form} {text}"] = (said, (now.ru_utime + now.ru_stime - spent) / yardstick)
print(json.dumps(seen))
"""


@pytest.mark.parametrize("part", range(4))
def test_the_worst_of_each_ends_within_the_budget(part: int) -> None:
    """Counts processor time, in units of a plain loop in the same process, so that a slow machine changes nothing."""
    names = list(WORST)[part::4]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(names)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    for text, (said, loops) in json.loads(done.stdout).items():
        assert "MemoryError" not in said, text
        assert loops < 20, (text, loops)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n" + "{% for a in [1] %}" * 25 + "{% endfor %}" * 25, "line 2: a loop can stand in 14 others at most"),
        ("a\n{{ " + "9" * 5_000 + " }}", "line 2: the number 99999999999999999999… is too large"),
        ("a\n{{ 0x" + "f" * 5_000 + " }}", "line 2: the number 0xffffffffffffffffff… is too large"),
        ("a\n{{ 1e999 }}", "line 2: the number 1e999 is too large"),
        ("a\n{{ " + "1 or " * 60_000 + "1 }}", "line 2: one expression can have 1,000 names, values and signs at most"),
        ("a\n{{ 1" + "| abs" * 60_000 + " }}", "line 2: one expression can have 1,000 names, values and signs at most"),
        ("a\n" + "{{ value }}" * 10_000, "line 2: a template can have 20,000 names, values and signs at most"),
        ("a\n{{ (" + "-" * 900 + "1) }}", "line 1: the template is nested too deeply"),
    ],
)
def test_what_cannot_be_compiled_or_takes_long_is_an_error_with_its_line(text: str, said: str) -> None:
    with pytest.raises(TemplateProblem) as raised:
        Templates().compile(text)
    assert str(raised.value) == said


def test_a_template_changes_nothing_of_what_is_told() -> None:
    view = rate()
    with pytest.raises(TemplateProblem, match="access to attribute 'clear' of 'type' object is unsafe"):
        Templates().compile("{{ dict.clear(labels) }}").render({"labels": view.labels})
    assert view.labels


def test_a_name_as_long_as_a_page_is_not_compared_with_others() -> None:
    name = "".join(map(chr, range(300, 50_000)))
    with pytest.raises(TemplateProblem, match="there is no"):
        Templates().compile("{{ fields[fields.a ~ 'x'] }}").render({"fields": {"a": name, name: 1}})
