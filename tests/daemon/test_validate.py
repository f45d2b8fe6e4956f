"""Loading: every problem of configuration, rules and templates at once, each at its place."""

from pathlib import Path

import pytest

from monitor.daemon.validate import load
from monitor.notify.render import awkward, sample_view
from monitor.runtime.errors import InputError

CONFIG = """\
accounts: [{name: main, application_id: a-test-id, application_secret: a-test-secret}]
rules: [rules.yaml]
templates: [templates]
receivers:
  - name: ops
    webhook: [{url: "http://127.0.0.1:1/hook", template: body.json.j2}]
    slack: [{webhook_url: "http://127.0.0.1:1/slack", template: "{{ name }} is {{ status }}"}]
"""
RULES = """\
rules:
  - name: Failing
    kind: rate
    by: [operator]
    window: 15m
    above: 20%
    annotations:
      summary: "{{ labels.operator }}: {{ value | percent }}"
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "monitor.yaml").write_text(CONFIG)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "templates" / "body.json.j2").write_text('{"text": {{ sentence | tojson }}}')
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def wrong(files: Path, exit_code: int = 78) -> list[str]:
    """The problems, without the folder."""
    with pytest.raises(InputError) as caught:
        load(files / "monitor.yaml", {})
    assert caught.value.exit_code == exit_code
    return str(caught.value).replace(f"{files}/", "").splitlines()


def test_what_is_right_comes_back_with_its_templates(files: Path) -> None:
    loaded = load(files / "monitor.yaml", {})
    assert loaded.templates.names == {"body.json.j2"}
    assert [rule.name for rule in loaded.settings.rules] == ["Failing"]


def test_an_annotation_is_tried_firing_and_over(files: Path) -> None:
    change(
        files / "rules.yaml", "{{ value | percent }}", "{% if status == 'resolved' %}{{ ends_at.nonsense }}{% endif %}"
    )
    (problem,) = wrong(files)
    assert problem.startswith("rules.yaml:8:16: rules[0].annotations.summary: ")
    assert "nonsense" in problem


def test_a_line_is_named_within_a_text_of_several(files: Path) -> None:
    change(
        files / "rules.yaml", '"{{ labels.operator }}: {{ value | percent }}"', "|\n        first\n        {{ valu }}"
    )
    (problem,) = wrong(files)
    assert problem.endswith("line 2: there is no 'valu' here; did you mean 'value'?")


def test_a_template_that_is_named_but_not_there(files: Path) -> None:
    change(files / "monitor.yaml", "template: body.json.j2", "template: bdy.json.j2")
    (problem,) = wrong(files)
    assert problem == (
        "monitor.yaml:6:58: receivers[0].webhook[0].template: there is no template file named 'bdy.json.j2' under templates; "
        "did you mean 'body.json.j2'?"
    )


def test_a_json_body_that_is_no_json(files: Path) -> None:
    (files / "templates" / "body.json.j2").write_text('{"text": {{ sentence }}')
    (problem,) = wrong(files)
    assert problem.startswith("templates/body.json.j2:1:1: the text is not JSON: ")
    assert problem.endswith("; if it should not be JSON, write its content_type")


def test_a_json_body_that_only_some_values_break(files: Path) -> None:
    (files / "templates" / "body.json.j2").write_text(
        '{"text": "{% if breakdown %}{{ breakdown[0].value | tojson }}{% endif %}"}'
    )
    (problem,) = wrong(files)
    assert problem.startswith("templates/body.json.j2:1:1: the text is not JSON: ")


def test_every_text_of_a_sample_holds_what_templates_stumble_over() -> None:
    view = awkward(sample_view("R", "rate", ("operator",)))
    texts = [
        view.labels["operator"],
        *view.annotations.values(),
        view.why,
        view.breakdown[0].value,
        str(view.samples[0]),
    ]
    assert all(mark in text for text in texts for mark in ('"', "\\", "\n", "<b>", "*", "&"))


def test_a_slack_template_in_place(files: Path) -> None:
    change(files / "monitor.yaml", "{{ status }}", "{{ statsu }}")
    (problem,) = wrong(files)
    assert problem.startswith("monitor.yaml:7:65: receivers[0].slack[0].template: there is no 'statsu' here")


def test_a_slack_template_that_looks_like_a_file(files: Path) -> None:
    change(files / "monitor.yaml", '"{{ name }} is {{ status }}"', "gone.j2")
    (problem,) = wrong(files)
    assert "there is no template file named 'gone.j2'" in problem


def test_a_file_that_is_only_included_may_use_names_of_others(files: Path) -> None:
    (files / "templates" / "part.j2").write_text("{{ given }}")
    (files / "templates" / "body.json.j2").write_text('{% set given = "x" %}{"text": "{% include "part.j2" %}"}')
    load(files / "monitor.yaml", {})
    (files / "templates" / "part.j2").write_text("a\n{{ given | nosuch }}")
    assert "templates/part.j2:2:1: there is no filter 'nosuch'" in wrong(files)


def test_files_that_are_no_templates(files: Path) -> None:
    (files / "templates" / "binary.j2").write_bytes(b"abc\xff")
    (files / "templates" / "large.j2").write_bytes(b"x" * 300_000)
    (files / "templates" / "more").mkdir()
    (files / "templates" / "more" / "body.json.j2").write_text("")
    problems = wrong(files)
    assert len(problems) == 3
    assert "have the same name" in problems[0]
    assert problems[1] == "templates/binary.j2:1:1: cannot be read as a template: it is not UTF-8 (byte 4)"
    assert "larger than 256 KiB" in problems[2]


def test_all_files_are_told_of_together(files: Path) -> None:
    change(files / "rules.yaml", "above: 20%", "above: lots")
    change(
        files / "rules.yaml",
        "rules:\n",
        "rules:\n  - {name: Other, kind: count, window: 1h, above: 1, annotations: {a: '{{ x }}'}}\n",
    )
    (files / "templates" / "body.json.j2").write_text("{{ y }}")
    assert [problem.split(":")[0] for problem in wrong(files)] == ["rules.yaml", "rules.yaml", "templates/body.json.j2"]


def test_rules_alone_are_65_and_a_wrong_configuration_hides_no_annotation(files: Path) -> None:
    change(files / "rules.yaml", "above: 20%", "above: lots")
    assert len(wrong(files, 65)) == 1
    (files / "rules.yaml").write_text(RULES.replace("value | percent", "vlue | percent"))
    change(files / "monitor.yaml", "receivers:", "recievers:")
    assert any("'vlue'" in problem for problem in wrong(files, 78))


def test_an_annotation_that_includes_waits_until_the_configuration_is_right(files: Path) -> None:
    change(files / "rules.yaml", "{{ value | percent }}", '{% include \\"body.json.j2\\" %}')
    load(files / "monitor.yaml", {})
    change(files / "monitor.yaml", "receivers:", "recievers:")
    assert not any("rules.yaml" in problem for problem in wrong(files, 78))
