"""The budget of a rendering: whatever a template does, it ends soon, in little memory, and the alert goes on."""

import subprocess
import sys

import pytest

from monitor.notify.render import TemplateProblem, Templates, alert_context
from monitor.notify.render.budget import MOST_UNITS, Budget, Exhausted, OversizedValue, budgeted, size_of, spend
from monitor.notify.render.escape import Escape
from tests.fakes.alerts import rate

DEAR = {
    "macros that call themselves twice": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "text doubled with ~": "{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "text doubled with +": "{% set ns = namespace(x='aa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "lists doubled with +": "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "lists in lists": "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "tuples in tuples": "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ ns.x }}",
    "dictionaries": "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}{{ ns.x }}",
    "sorted in loops": "{% for i in range(99999) %}{% set x = range(20000) | sort %}{% endfor %}",
    "mapped in loops": "{% for i in range(99999) %}{% set x = range(20000) | map('string') | list %}{% endfor %}",
    "selected in loops": "{% set a = range(9999) | list %}{{ range(99999) | select('in', a) | list | length }}",
    "compared in loops": "{% set a = range(9999) | list %}{% for i in range(99999) %}{% if a == a | list %}{% endif %}{% endfor %}",
    "a block in a loop": "{% set x %}{% for i in range(99999) %}" + "a" * 50_000 + "{% endfor %}{% endset %}",
    "a filter block": "{% filter upper %}{% for i in range(99999) %}{{ 'b' * 90000 }}{% endfor %}{% endfilter %}",
    "a block that is called": "{% block a %}"
    + "a" * 50_000
    + "{% endblock %}{% set x %}{% for i in range(99999) %}{{ self.a() }}{% endfor %}{% endset %}",
    "a file in a loop": "{% set x %}{% for i in range(99999) %}{% include 'long.j2' %}{% endfor %}{% endset %}",
    "many texts": "".join(f"{{% set x{i} = 'a' * 99999 %}}" for i in range(500)),
    "slices": "{% set a = 'a' * 99999 %}{% for i in range(99999) %}{% for j in range(99) %}{% set b = a[1:] %}{% endfor %}{% endfor %}",
}


REPEATED = "{% set whole %}{% for i in range(5000) %}<part>{% endfor %}{% endset %}{{ whole | length }}"
REPEATING = {
    "a set block": "{% set part %}{{ fields.half }}{% endset %}" + REPEATED.replace("<part>", "{{ part }}"),
    "a file's text": "{% import 'half.j2' as part with context %}" + REPEATED.replace("<part>", "{{ part }}"),
    "a file's text, trimmed": "{% import 'half.j2' as part with context %}"
    + REPEATED.replace("<part>", "{{ (part | trim)[:1] }}"),
    "a macro": "{% macro part() %}{{ fields.half }}{% endmacro %}" + REPEATED.replace("<part>", "{{ part() }}"),
    "a call block": "{% macro part() %}{{ caller() }}{% endmacro %}"
    + REPEATED.replace("<part>", "{% call part() %}{{ fields.half }}{% endcall %}"),
    "a filter block": REPEATED.replace("<part>", "{% filter upper %}{{ fields.half }}{% endfilter %}"),
    "a block": "{% if false %}{% block part %}{{ fields.half }}{% endblock %}{% endif %}"
    + REPEATED.replace("<part>", "{{ self.part() }}"),
    "escaped text": "{% set part = fields.half | html %}" + REPEATED.replace("<part>", "{{ part }}"),
    "JSON": "{% set part = fields.half | tojson %}" + REPEATED.replace("<part>", "{{ part }}"),
}


@pytest.mark.parametrize("form", ["none", "slack", "json", "html", "form"])
@pytest.mark.parametrize("text", REPEATING.values(), ids=REPEATING)
def test_all_text_counts_however_it_was_made_and_escaped(text: str, form: Escape) -> None:
    templates = Templates({"half.j2": "{{ fields.half }}"})
    with pytest.raises(TemplateProblem, match="does more work"):
        templates.compile(text, form=form).render({"fields": {"half": "a" * 500_000}})


@pytest.mark.parametrize(
    "text",
    [
        "{% set part %}{{ fields.half }}{{ fields.half }}{% endset %}",
        "{% set part | length %}{{ fields.half }}{{ fields.half }}{% endset %}",
        "{% filter string %}{{ fields.half }}{{ fields.half }}{% endfilter %}",
        "{% macro part() %}{{ fields.half }}{{ fields.half }}{% endmacro %}{% set x = part() %}",
        "{% macro part() %}{% set x = caller() %}{% endmacro %}{% call part() %}{{ fields.half }}{{ fields.half }}{% endcall %}",
        "{% import 'both.j2' as part with context %}{{ part }}",
    ],
)
@pytest.mark.parametrize("form", ["none", "json", "html"])
def test_no_text_that_a_template_makes_is_longer_than_one_value_may_be(text: str, form: Escape) -> None:
    templates = Templates({"both.j2": "{{ fields.half }}{{ fields.half }}"})
    with pytest.raises(TemplateProblem, match="a value of more than 1,048,576 characters"):
        templates.compile(text, form=form).render({"fields": {"half": "a" * 600_000}})


@pytest.mark.parametrize("text", DEAR.values(), ids=DEAR)
def test_a_dear_template_is_stopped_and_says_so(text: str) -> None:
    templates = Templates({"long.j2": "a" * 50_000})
    with pytest.raises(TemplateProblem, match=r"does more work|took longer|makes a value of more than"):
        templates.compile(text).render(alert_context(rate()))


PROGRAM = """
import resource
from monitor.notify.render import TemplateProblem, Templates, alert_context
from tests.fakes.alerts import rate
from tests.notify.render.test_render_budget import DEAR
resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))
for text in DEAR.values():
    try:
        Templates({"long.j2": "a" * 50_000}).compile(text).render(alert_context(rate()))
    except TemplateProblem as problem:
        assert "MemoryError" not in str(problem), problem
print(f"ended {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f}")
"""


def test_dear_templates_fill_no_memory() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ended ")


def test_the_budget_is_one_for_all_that_a_rendering_includes() -> None:
    files = {"loop.j2": "{% for i in range(30000) %}{{ i }}{% endfor %}", "all.j2": "{% include 'loop.j2' %}" * 400}
    with pytest.raises(TemplateProblem, match=r"does more work|took longer"):
        Templates(files).named("all.j2").render({}, 10**9)


STORM = [
    rate(labels={"operator": f"Operator {i}"}, annotations={"summary": "Too many messages fail. " * 60})
    for i in range(1000)
]
"""As many alerts as one notification can have; together their texts are longer than one value may be."""


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("alerts | selectattr('status', 'equalto', 'firing') | list | length", "1000"),
        ("alerts | rejectattr('status', 'equalto', 'firing') | list | length", "0"),
        ("alerts | reverse | list | length", "1000"),
        ("alerts | list | length", "1000"),
        ("nothing | default(alerts) | length", "1000"),
        ("(alerts + alerts) | length", "2000"),
        ("alerts[1:] | length", "999"),
        ("[alerts, alerts] | length", "2"),
        ("(alerts | sort(attribute='annotations.summary') | first).name", "OperatorFailureRate"),
        ("alerts | groupby('annotations.summary') | length", "1"),
        ("alerts | groupby('labels.operator') | list | length", "1000"),
        ("alerts | unique(attribute='annotations.summary') | list | length", "1"),
        ("alerts | map(attribute='annotations') | list | length", "1000"),
        ("alerts | map(attribute='annotations.summary') | unique | list | length", "1"),
        ("(alerts | map(attribute='annotations.summary') | list)[1:] | length", "999"),
        ("(alerts | max(attribute='annotations.summary')).name", "OperatorFailureRate"),
        ("alerts | sum(attribute='messages')", "1204000"),
        ("({'all': alerts} | items | list)[0][1] | length", "1000"),
        ("({'all': alerts} | dictsort)[0][1] | length", "1000"),
        ("alerts[0] is in(alerts)", "True"),
        ("alerts[0] is in(seq=alerts)", "True"),
        ("alerts | select('in', alerts[:3]) | list | length", "3"),
        ("alerts.index(alerts[7])", "7"),
        ("alerts.count(alerts[7])", "1"),
        ("alerts == alerts[:]", "True"),
    ],
)
def test_selecting_and_ordering_cost_by_the_number_of_alerts_not_by_their_texts(expression: str, shown: str) -> None:
    assert Templates().compile(f"{{{{ {expression} }}}}").render({"alerts": STORM}) == shown


def test_a_named_argument_of_a_test_is_counted_too() -> None:
    text = "{% for i in range(9999) %}{% if 1.5 is in(seq=fields.many) %}{% endif %}{% endfor %}"
    with pytest.raises(TemplateProblem, match=r"does more work|took longer"):
        Templates().compile(text).render({"fields": {"many": list(range(9999))}})


def test_a_template_that_was_stopped_three_times_is_not_tried_again() -> None:
    template = Templates().compile(DEAR["sorted in loops"])
    said = []
    for _ in range(4):
        with pytest.raises(TemplateProblem) as raised:
            template.render({})
        said.append(raised.value.message)
    assert said[0] == said[1] == said[2] != said[3]
    assert "not used again" in said[3]


def test_a_template_that_a_storm_stopped_is_used_again_for_fewer_alerts() -> None:
    template = Templates().compile(
        "{% for a in alerts %}{% for b in alerts %}{{ a.name ~ b.name }}{% endfor %}{% endfor %}"
    )
    for _ in range(3):
        with pytest.raises(TemplateProblem, match=r"does more work|took longer"):
            template.render({"alerts": STORM}, 10**9)
    with pytest.raises(TemplateProblem, match="not used again for more than 500 alerts"):
        template.render({"alerts": STORM[:501]})
    assert template.render({"alerts": STORM[:5]})


@pytest.mark.parametrize(
    "text",
    ["{{ labels.nope }}", "{{ '12345678901234567890' | int }}", DEAR["lists in lists"], DEAR["text doubled with ~"]],
)
def test_a_mistake_is_tried_again_each_time(text: str) -> None:
    template = Templates().compile(text)
    said = set()
    for _ in range(5):
        with pytest.raises(TemplateProblem) as raised:
            template.render({"labels": {}})
        said.add(raised.value.message)
    (only,) = said
    assert any(part in only for part in ("there is no 'nope' here", "a whole number beyond", "a value of more than"))


def test_an_alert_is_told_with_the_built_in_sentence_where_its_template_is_stopped() -> None:
    texts, (error,) = Templates().render_annotations({"summary": DEAR["text doubled with ~"]}, rate())
    assert texts["summary"].startswith("OperatorFailureRate: 34.2% of 1,204 messages")
    assert "makes a value of more than 1,048,576 characters" in error


def test_a_usual_message_of_a_thousand_alerts_is_far_from_the_bounds() -> None:
    text = "[{% for one in alerts %}{{ {'text': one.labels.operator ~ ' ' ~ one.value | percent, 'all': one.labels} | tojson }},{% endfor %}0]"
    context = {"alerts": [rate(labels={"operator": f"Operator {i}", "country": "GR"}) for i in range(1000)]}
    template = Templates().compile(text, form="json")
    with budgeted(Budget(MOST_UNITS)):
        assert len(template.render(context, 10**6, whole=True)) > 50_000


def test_spending_more_than_there_is_is_an_error_that_says_what_to_do() -> None:
    with budgeted(Budget(10)):
        spend(10)
        with pytest.raises(Exhausted, match="make its loops and texts smaller"):
            spend()
    spend(10**9)  # outside of a rendering nothing is counted


def test_the_clock_ends_what_the_units_do_not() -> None:
    with budgeted(Budget(MOST_UNITS, seconds=-1.0)), pytest.raises(Exhausted, match="took longer than"):
        spend()


@pytest.mark.parametrize("value", ["a" * 2_000_000, ["a"] * 200_000, {"a": "b" * 2_000_000}, [[["a" * 1_100_000]]]])
def test_what_is_too_large_is_found_at_any_depth(value: object) -> None:
    with pytest.raises(OversizedValue, match="a value of more than 1,048,576 characters"):
        size_of(value)


def test_what_stands_in_a_value_twice_counts_twice() -> None:
    inner = ["abcd"]
    assert size_of([inner, inner]) == size_of([["abcd"], ["abcd"]])


def test_variables_are_not_written_out() -> None:
    assert Templates().compile("{{ namespace(a=1) }}").render({}) == "<namespace>"


def test_a_name_of_whole_messages_is_answered_with_where_it_is() -> None:
    assert (
        Templates().check("{{ alerts | length }}", rate())
        == "line 1: there is no 'alerts' here: only the template of a whole message has it"
    )
