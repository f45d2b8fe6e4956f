"""A new kind is one model and one Kind object: what is registered so goes all the way, and what lacks a part is refused."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from click.testing import CliRunner

from monitor.alerts.evaluator import RuleEvaluator
from monitor.alerts.explain import breakdown, samples
from monitor.alerts.kinds import evaluate
from monitor.alerts.kinds.kind import Example, Kind, PastEvaluation, Wording
from monitor.alerts.kinds.registry import KINDS, register
from monitor.alerts.view import Views
from monitor.cli import cli
from monitor.cli.json_schema import rules_schema
from monitor.config.rules import load_rules
from monitor.config.rules.kinds import MODELS
from monitor.config.rules.model import Rule, Windowed
from monitor.model.batch import batch_of
from monitor.notify.render import Templates, sample_view, sentence
from monitor.runtime.clock import DAY, MINUTE, SECOND
from monitor.runtime.errors import InputError
from monitor.simulation.backtest.step_size import choose_step
from monitor.simulation.ruletest import load_suites, run_test
from monitor.store.protocol import Cursor
from monitor.window import Window, WindowReader
from tests.fakes.toy_kind import CROWD, Crowd, registered

RULE = "rules: [{name: Hall, kind: crowd, by: [operator], window: 5m, seats: 4}]\n"
NOW = 20_000 * DAY
COSMOTE = (("operator", "Cosmote"),)


class Mute(Windowed):
    """Leaves out what its value is held against."""

    kind: Literal["mute"]
    """No kind."""


class Twin(Crowd):
    """Takes the name of another."""

    kind: Literal["rate"]  # type: ignore[assignment]  # another name than the toy's
    """No kind."""


@pytest.fixture(autouse=True)
def crowd() -> Iterator[None]:
    with registered(CROWD):
        yield
    assert "crowd" not in KINDS
    assert "crowd" not in MODELS


@pytest.fixture
def rule(tmp_path: Path) -> Rule:
    (tmp_path / "rules.yaml").write_text(RULE, "utf-8")
    (found,) = load_rules([tmp_path / "rules.yaml"], {})
    return found


def evaluated(rule: Rule, messages: int) -> RuleEvaluator:
    window = Window("main")
    fields = {"operator": "Cosmote", "from": "Shop", "status": "Delivered"}
    rows = [{"messageId": f"m{i}", "date": NOW - MINUTE} | fields for i in range(messages)]
    window.upsert(batch_of(rows), "all")
    evaluator, cursor = RuleEvaluator(window, [rule], ["all"]), Cursor("main", "all", NOW, 0)
    evaluator.apply(evaluator.evaluate(cursor), cursor)
    return evaluator


def test_it_is_loaded_and_what_is_wrong_with_it_is_told(tmp_path: Path, rule: Rule) -> None:
    assert rule.kind == "crowd"
    (tmp_path / "wrong.yaml").write_text(RULE.replace("seats: 4", "seats: 0, sets: 1"), "utf-8")
    with pytest.raises(InputError, match="did you mean 'seats'"):
        load_rules([tmp_path / "wrong.yaml"], {})


def test_it_stands_in_the_schema() -> None:
    assert "seats" in rules_schema()["$defs"]["Crowd"]["properties"]


def test_check_shows_when_it_fires(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULE, "utf-8")
    (tmp_path / "monitor.yaml").write_text(
        "accounts: [{name: main, application_id: some-application, application_secret: some-secret}]\n"
        "searches: [{name: outbound}]\nrules: [rules.yaml]\nreceivers: [{name: ops, console: [{}]}]\nroute: {receiver: ops}\n",
        "utf-8",
    )
    outcome = CliRunner().invoke(cli, ["check", "--config", str(tmp_path / "monitor.yaml")])
    assert outcome.exit_code == 0, outcome.output
    assert "more than 4 seats" in outcome.output


def test_it_is_judged_told_and_explained(rule: Rule) -> None:
    evaluator = evaluated(rule, 6)
    (alert,) = evaluator.alerts["Hall"].values()
    assert (alert.state, alert.value) == ("firing", 1.5)
    view = Views(evaluator, Templates()).view(alert, deep=True)
    assert view.unit == "share"
    assert sentence(view) == "Hall: The hall to Cosmote is 150% full in 5m"
    assert len(view.samples) == 5
    over = msgspec.structs.replace(view, status="resolved", ends_at=view.as_of, value=0.5, peak=1.5)
    assert sentence(over).endswith("is 50% full in 5m, at worst 150%")


def test_what_is_said_of_a_group_and_which_messages_it_shows(rule: Rule) -> None:
    evaluator = evaluated(rule, 6)
    inputs = evaluator.input_for(rule, WindowReader(evaluator.window), NOW, 0)
    assert evaluate(rule, inputs).of(COSMOTE).why == "6 of 4 seats are taken"
    assert len(samples(rule, inputs, COSMOTE)) == 5
    assert [cause.value for cause in breakdown(rule, inputs, COSMOTE)] == []


def test_rule_tests_run_it(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULE, "utf-8")
    (tmp_path / "test.yaml").write_text(
        json.dumps(
            {
                "rules": ["rules.yaml"],
                "tests": [
                    {
                        "name": "six come to four seats",
                        "messages": [{"at": "0s", "count": 6, "operator": "Cosmote"}],
                        "expect": [
                            {
                                "at": "1m",
                                "rule": "Hall",
                                "alerts": [{"labels": {"operator": "Cosmote"}, "value": "> 100%"}],
                            }
                        ],
                    }
                ],
            }
        ),
        "utf-8",
    )
    (suite,) = load_suites([str(tmp_path / "test.yaml")], {})
    assert run_test(suite, 0).message == ""


def test_a_backtest_knows_what_it_costs(rule: Rule) -> None:
    assert choose_step(30 * SECOND, DAY, [rule], 1000).seconds > 0


def test_templates_are_tried_with_an_alert_of_it() -> None:
    assert "hall" in sentence(sample_view("Hall", "crowd"))


@pytest.mark.parametrize("made", [Kind, Wording, PastEvaluation])
def test_each_part_must_be_given(made: type) -> None:
    of = {Kind: CROWD, Wording: CROWD.wording, PastEvaluation: CROWD.past}[made]
    parts = {field.name: getattr(of, field.name) for field in fields(made)}
    assert made(**parts) == of
    for name in parts:
        with pytest.raises(TypeError, match=name):
            made(**{key: value for key, value in parts.items() if key != name})


def test_a_made_up_alert_must_have_a_unit() -> None:
    with pytest.raises(TypeError, match="unit"):
        Example()  # type: ignore[call-arg]  # that it is refused is the point


def test_a_model_that_leaves_out_what_its_value_is_held_against_is_refused() -> None:
    with pytest.raises(TypeError, match="measured_against"):
        register(replace(CROWD, model=Mute))


def test_a_model_of_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(TypeError, match="two models"):
        register(replace(CROWD, model=Twin))
