"""Templates: the sandbox, its errors, and that none of them loses an alert."""

import json

import pytest

from monitor.notify.render import TemplateProblem, Templates, alert_context, notification_context, sample_notification
from monitor.notify.render.escape import slack
from tests.fakes.alerts import notification_of, over, rate, spike

ALL_FILTERS = """{{ value | percent }} {{ messages | number }} {{ window | duration }} {{ starts_at | datetime }}
{{ history | sparkline }} {{ "+306912345678" | mask }} {{ labels.operator }} {{ breakdown[0].value }} {{ samples | join(", ") }}
{{ threshold | percent }} {{ baseline | percent }} {{ duration | duration }} {{ links[0].url }} {{ matching }} {{ ends_at | datetime }}"""


def test_everything_that_the_documentation_names_can_be_used() -> None:
    assert Templates().check(ALL_FILTERS, rate()) is None
    text = Templates().compile(ALL_FILTERS).render(alert_context(rate()))
    assert text.startswith(
        "34.2% 1,204 15m 2026-11-21 17:02:04 UTC\n▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▃▄▅▆▇██ +30691•••••78 Cosmote Carrier Violation a6b62347-"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\n\n{{ valeu }}", "line 3: there is no 'valeu' here; did you mean 'value'?"),
        ("{{ labels.opertor }}", "line 1: there is no 'opertor' here; did you mean 'operator'?"),
        ("{{ labels['nothing'] }}", "line 1: there is no 'nothing' here"),
        ("{{ labels.operator } fails", "line 1: unexpected '}'; {{ needs }} at its end"),
        ("{{ value | percnt }}", "line 1: there is no filter 'percnt'; did you mean 'percent'?"),
        ("a\n{{ value | }}", "line 2: expected token 'name'"),
        ("{% if value %}", "line 1: Unexpected end of template"),
        ("{% if false %}{{ valeu }}{% endif %}", "line 1: there is no 'valeu' here"),
        ("{% if status == 'resolved' %}{{ labels.nope }}{% endif %}", "line 1: there is no 'nope' here"),
        ("\n{{ 1 / 0 }}", "line 2: ZeroDivisionError"),
        ("{{ baseline * 2 }}", "line 1: TypeError"),
        ("{% include 'other' %}", "line 1: there is no template 'other' to include"),
        ("{{ " + "(" * 300, "line 1: the template is nested too deeply"),
    ],
)
def test_a_mistake_is_found_at_load_with_its_line_and_the_nearest_right_name(text: str, problem: str) -> None:
    assert (Templates().check(text, rate()) or "").startswith(problem)


@pytest.mark.parametrize(
    "text",
    [
        "{{ value.__class__.__mro__ }}",
        "{{ labels._dict }}",
        "{{ self.__init__.__globals__ }}",
        "{{ labels.update({'a': 'b'}) }}",
        "{{ lipsum(n=9999999) }}",
        "{{ value | attr('__class__') }}",
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [1] * 10**9 }}",
        "{{ 2 ** 9999999999 }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ 'a'.center(9999999999) }}",
        "{{ '{:>9999999999}'.format(1) }}",
        "{{ 'a'.replace('', 'b') }}",
        "{{ ('a' * 9999) | replace('a', 'b' * 9999) }}",
        "{{ range(999999999) | list }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ ('a' * 99999).translate({97: 'b' * 99999}) }}",
        "{{ ('b' * 99999).join(['a'] * 99999) }}",
        "{{ range(99999) | join('b' * 99999) }}",
        "{{ (1).to_bytes(9999999999) }}",
        "{{ 3 | round(999999999, 'ceil') }}",
        "{{ [[1]] | sum(start=[]) }}",
        "{{ ((9 ** 64) ** 64) ** 64 }}",
        "{% for i in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
    ],
)
def test_the_sandbox_refuses(text: str) -> None:
    assert Templates().check(text, rate()) is not None


def test_long_texts_are_cut_and_long_bodies_are_refused() -> None:
    template = Templates().compile("{% for a in range(9999) %}0123456789{% endfor %}")
    assert len(template.render({}, 500)) == 500
    with pytest.raises(TemplateProblem, match="longer than 500"):
        template.render({}, 500, whole=True)


def test_what_a_template_asks_for_may_be_missing() -> None:
    assert Templates().check("{{ foo | default('–') }}{% if bar is defined %}{{ bar }}{% endif %}", rate()) is None


def test_a_label_is_found_under_the_name_of_a_dictionarys_method() -> None:
    view = rate(labels={"items": "three", "count": "7"})
    assert Templates().compile("{{ labels.items }} {{ labels.count }}").render(alert_context(view)) == "three 7"


def test_message_data_is_never_a_template() -> None:
    view = rate(labels={"operator": "{{ value }}{% for x in y %}"})
    assert Templates().compile("{{ labels.operator }}").render(alert_context(view)) == "{{ value }}{% for x in y %}"


def test_an_annotation_that_fails_becomes_the_sentence_with_the_error_named() -> None:
    texts, errors = Templates().render_annotations(
        {"summary": "{{ labels.nope }}", "team": "sms", "share": "{{ value | percent }}"}, rate()
    )
    assert texts["summary"].startswith("OperatorFailureRate: 34.2% of 1,204 messages")
    assert "line 1: there is no 'nope' here" in texts["summary"]
    assert (texts["team"], texts["share"]) == ("sms", "34.2%")
    assert errors == ["annotation 'summary' of rule 'OperatorFailureRate': line 1: there is no 'nope' here"]


def test_files_include_each_other_and_an_error_in_one_is_found() -> None:
    files = Templates(
        {"a.j2": "{% include 'b.j2' %}!", "b.j2": "{{ labels.operator }}", "c.j2": "{{ alerts[0].valeu }}"}
    )
    assert files.named("a.j2").render(notification_context(notification_of())) == "Cosmote!"
    with pytest.raises(TemplateProblem, match=r"line 1: there is no 'valeu' here; did you mean 'value'\?"):
        files.named("c.j2").render(notification_context(notification_of()))
    with pytest.raises(TemplateProblem, match=r"line 1: there is no template 'bb.j2'; did you mean 'b.j2'\?"):
        files.named("bb.j2")


def test_whole_messages_see_all_alerts_and_the_worst_ones_names() -> None:
    text = "{{ name }} {{ alerts | length }} {{ group_labels.alertname | default('-') }} {{ reason }} {{ receiver }} {{ status }} "
    text += "{{ firing | length }}"
    told = sample_notification([over(spike()), rate()])
    assert Templates().compile(text).render(notification_context(told)) == "OperatorFailureRate 2 - first ops firing 1"


def test_json_templates_cannot_be_broken_by_data() -> None:
    view = rate(labels={"operator": 'A"B\\\n', "alertname": "x"})
    source = '{"operator": "{{ labels.operator }}", "value": {{ value }}, "none": {{ baseline }}, '
    source += '"all": {{ labels | tojson }}, "alerts": {{ alerts | tojson }}}'
    body = json.loads(
        Templates({"body.json.j2": source}).named("body.json.j2").render(notification_context(notification_of(view)))
    )
    assert (body["operator"], body["value"], body["none"]) == ('A"B\\\n', 0.342, None)
    assert body["all"] == view.labels
    assert body["alerts"][0]["samples"][0]["to"] == "+30691•••••78"


@pytest.mark.parametrize("text", ["{{ alerts[0].valeu | tojson }}", "{{ {'a': [alerts[0].valeu]} | tojson(2) }}"])
def test_an_unknown_name_in_json_is_named(text: str) -> None:
    with pytest.raises(TemplateProblem, match=r"line 1: there is no 'valeu' here; did you mean 'value'\?"):
        Templates({"body.json.j2": text}).named("body.json.j2").render(notification_context(notification_of(rate())))


def test_a_condition_without_an_else_is_nothing_in_json() -> None:
    text = "[{% for one in alerts %}{{ one.value }}{{ ',' if not loop.last }}{% endfor %}]"
    found = (
        Templates({"body.json.j2": text}).named("body.json.j2").render(notification_context(notification_of(rate())))
    )
    assert json.loads(found) == [0.342]


def test_slack_templates_keep_their_own_markup_and_escape_data_once() -> None:
    source = "<!here> *{{ labels.operator }}* {% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(labels.operator) }}"
    source += " {% set s %}{{ labels.operator }}{% endset %}{{ s }}"
    view = rate(labels={"operator": "<!channel> & co"})
    text = Templates().compile(source, form="slack").render(alert_context(view))
    assert text == "<!here> *&lt;!channel&gt; &amp; co* <&lt;!channel&gt; &amp; co> &lt;!channel&gt; &amp; co"


@pytest.mark.parametrize(
    "text",
    ["<!channel>", "<@U123>", "@here", "@Channel", "@everyone", "*b*", "~s~", "`c`", "_i_", ":smile:", "<http://x|y>"],
)
def test_slack_escaping_takes_the_meaning_and_leaves_the_look(text: str) -> None:
    safe = slack(text)
    assert text not in safe
    assert not set("<>*~`") & set(safe)


def test_slack_escaping_leaves_names_to_be_copied() -> None:
    assert slack("promo_2026_11 by shop@example.org") == "promo_2026_11 by shop@example.org"
