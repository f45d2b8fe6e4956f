"""The parts of a backtest: the past told again, steps, values over time, variants, drawings."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from monitor.alerts.kinds import EvaluationInput, evaluate
from monitor.config.rules import Rule, load_rules, rule_of
from monitor.model.batch import batch_of
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, parse_iso
from monitor.simulation.backtest import EvaluationSpan, choose_step, run
from monitor.simulation.backtest.chart import WIDTH, figure
from monitor.simulation.backtest.export import MOST_GROUPS as SHOWN
from monitor.simulation.backtest.export import rule_charts
from monitor.simulation.backtest.page import page
from monitor.simulation.backtest.report import as_json
from monitor.simulation.backtest.run import AccountMessages, Backtest, Subject
from monitor.simulation.backtest.series import MOST_GROUPS, RuleSeries
from monitor.simulation.backtest.step_size import PATIENT_SECONDS, QUICK_SECONDS
from monitor.simulation.backtest.timeline import lines
from monitor.simulation.backtest.variant import BadChange, variants
from monitor.window import Query, Window, WindowReader
from monitor.window.recorded_messages import RecordedMessages

NOW = parse_iso("2026-11-21T10:00:00Z")
HOURLY = EvaluationSpan(NOW, NOW + HOUR, 30 * MINUTE)
RATE = {"name": "R", "kind": "rate", "by": ["operator"], "window": "10m", "above": "20%", "min_messages": 5}


def row(name: str, at: int, **more: object) -> dict[str, object]:
    return {"messageId": name, "date": at, "status": "Delivered", "operator": "A"} | more


def statuses(window: Window) -> dict[str, int]:
    reading = WindowReader(window)
    return reading.split(reading.rows(Query(0, NOW + DAY)), "status")


def test_the_past_is_told_as_sent_and_then_as_reported() -> None:
    known = Window("main")
    known.upsert(batch_of([row("a", NOW, status="Sent")]), "all")
    known.upsert(batch_of([row("a", NOW + MINUTE, status="Failed", operator="B"), row("b", NOW + 2 * MINUTE)]), "all")
    past = RecordedMessages(known)
    assert (len(past), past.begins, past.count(NOW, NOW + MINUTE)) == (2, NOW, 1)
    seen = []
    for at in (NOW - SECOND, NOW, NOW + MINUTE, NOW + 2 * MINUTE):
        past.feed(at)
        seen.append(statuses(past.window))
    assert seen == [{}, {"Sent": 1}, {"Failed": 1}, {"Delivered": 1, "Failed": 1}]
    assert statuses(known) == seen[-1], "what is known stays as it is"


def test_what_was_missed_on_its_way_is_told_as_its_latency_says() -> None:
    known = Window("main")
    known.upsert(batch_of([row("a", NOW + 5 * MINUTE, latency=300), row("b", NOW + 5 * MINUTE, latency=20)]), "all")
    past = RecordedMessages(known, slack=MINUTE)
    past.feed(NOW)
    assert statuses(past.window) == {"Sent": 1}
    past.feed(NOW + 5 * MINUTE)
    assert statuses(past.window) == {"Delivered": 2}


def test_parts_of_long_messages_are_told_each_at_its_time() -> None:
    known = Window("main")
    known.upsert(batch_of([row("a", NOW + i * MINUTE, part=i, parts=3) for i in (1, 2, 3)]), "all")
    past = RecordedMessages(known)
    past.feed(NOW + 2 * MINUTE)
    assert statuses(past.window) == {"Sent": 1}
    past.feed(NOW + 3 * MINUTE)
    assert statuses(past.window) == {"Delivered": 1}


def test_the_step_is_that_of_the_searches_unless_it_would_take_long() -> None:
    rules = [rule_of(RATE | {"name": f"R{number}", "for": 0}) for number in range(12)]
    assert choose_step(30 * SECOND, DAY, rules, 100_000).length == 30 * SECOND
    assert choose_step(30 * SECOND, 7 * DAY, rules, 1_000_000).length == 2 * MINUTE
    assert choose_step(10 * MINUTE, 7 * DAY, rules, 1_000).length == 10 * MINUTE
    assert choose_step(30 * SECOND, 7 * DAY, rules * 300, 1_000_000).length >= HOUR


def test_no_rule_looks_at_more_than_there_is() -> None:
    """A busy hour of an account that is two hours old is no busy week."""
    rules = [
        rule_of({"name": f"R{days}", "kind": "new_value", "field": "country", "window": "1h", "seen_in": f"{days}d"})
        for days in (5, 6)
    ]
    assert choose_step(30 * SECOND, HOUR, rules, 200_000).length > 30 * SECOND
    assert choose_step(30 * SECOND, HOUR, rules, 200_000, 2 * HOUR).length == 30 * SECOND


def test_the_step_sees_the_for_of_every_rule_while_that_takes_minutes_and_else_says_which_it_does_not_see() -> None:
    long = [rule_of(LATENCY | {"name": f"L{number}"}) for number in range(3)]
    brief = rule_of(RATE | {"name": "Brief", "for": "2m"})
    coarse = choose_step(30 * SECOND, 7 * DAY, long, 1_000_000)
    assert (coarse.length, coarse.unseen) == (5 * MINUTE, ())
    seeing = choose_step(30 * SECOND, 7 * DAY, [*long, brief], 1_000_000)
    assert (seeing.length, seeing.unseen) == (2 * MINUTE, ())
    assert QUICK_SECONDS < seeing.seconds < PATIENT_SECONDS
    blind = choose_step(30 * SECOND, 7 * DAY, [*(rule_of(CAMPAIGN | {"name": "C"}),), brief], 10_000_000)
    assert blind.length > 2 * MINUTE
    assert blind.unseen == (brief,)


def test_what_the_daemon_itself_would_not_see_is_not_asked_of_the_step() -> None:
    brief = rule_of(RATE | {"name": "Brief", "for": "10s"})
    step = choose_step(30 * SECOND, DAY, [brief], 1_000)
    assert (step.length, step.unseen) == (30 * SECOND, ())


SLO = {"name": "S", "kind": "slo", "objective": "98%", "period": "30d"}
ABSENCE = {"name": "A", "kind": "absence", "window": "15m", "active_in": "1h", "by": ["operator"]}
CAMPAIGN = {"name": "C", "kind": "campaign", "stalled_for": "30m"}
LATENCY = {"name": "L", "kind": "latency", "window": "1d", "above": "30s"}


@pytest.mark.parametrize(
    ("rule", "step"),
    [(RATE, 30 * SECOND), (SLO, MINUTE), (ABSENCE, MINUTE), (LATENCY, 5 * MINUTE), (CAMPAIGN, 30 * MINUTE)],
)
def test_the_step_follows_from_what_a_rule_looks_at_not_from_how_far_back(rule: dict[str, object], step: int) -> None:
    assert choose_step(30 * SECOND, 7 * DAY, [rule_of(rule | {"for": 0})], 1_000_000).length == step


def test_what_rules_look_at_together_is_looked_at_once() -> None:
    rules = [rule_of(CAMPAIGN | {"name": name}) for name in "ABCDEFGH"]
    assert choose_step(30 * SECOND, 7 * DAY, rules, 1_000_000).length == 30 * MINUTE


def test_a_course_keeps_the_worst_value_of_each_moment_and_the_worst_groups() -> None:
    window, rule = Window("main"), rule_of(RATE | {"min_messages": 1})
    rows = [
        row(f"{n}-{i}", NOW, operator=f"op{n}", status="Failed" if i < n % 10 else "Delivered")
        for n in range(400)
        for i in range(10)
    ]
    window.upsert(batch_of(rows), "all")
    series = RuleSeries(EvaluationSpan(NOW, NOW + 4000 * SECOND, SECOND), below=False)
    for at in (0, 1, 2, 3999):
        series.take(NOW + at * SECOND, evaluate(rule, EvaluationInput(WindowReader(window), NOW, 0)))
    found = series.lines()
    assert len(found) <= MOST_GROUPS
    assert all(line.values[0] == 0.9 for line in found[:40])
    assert int((~np.isnan(found[0].values)).sum()) == 2


def _unheard(done: float) -> None:
    """Progress that nobody looks at."""


def rules_at(folder: Path) -> list[Rule]:
    file = folder / "rules.yaml"
    file.write_text(
        "rules:\n"
        "  - {name: R, kind: rate, by: [operator], window: 10m, above: 20%, min_messages: 5, for: 1m}\n"
        "  - {name: S, kind: spike, window: 10m, baseline: {window: 1h, ago: 10m}, above: 3x}\n"
        "  - {name: L, kind: rate, window: 10m, levels: [{above: 20%, severity: info}, {above: 50%, severity: critical}]}\n"
    )
    return load_rules([file], {})


def test_a_variant_is_the_rule_with_some_of_its_fields_changed(tmp_path: Path) -> None:
    rules = rules_at(tmp_path)
    r, s, lv = variants(["R.above=15%", "R.for=5m", "S.baseline.ago=30m", "L.levels.0.above=10%"], rules)
    assert (r.name, r.variant, r.rule.levels_[0].limit, r.rule.for_) == ("R", "above=15%, for=5m", 0.15, 5 * MINUTE)
    assert s.rule.reach == 90 * MINUTE
    assert [level.limit for level in lv.rule.levels_] == [0.1, 0.5]
    assert [rule.name for rule in rules] == ["R", "S", "L"], "the rules themselves stay as they are"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("R.above=15", "a share is written in percent: 15%, not 15"),
        ("R.abve=15%", "unknown key; did you mean 'above'?"),
        ("R=15%", "is not a change of a rule"),
        ("Q.above=15%", "there is no rule 'Q'"),
        ("R.below=15%", "only one of above, below and levels can be written"),
        ("R.levels=[", "is not valid YAML"),
        ("L.levels.7.above=1%", "the rule has no levels.7.above"),
        ("R.window.x=1%", "the rule has no window.x"),
        ("R.name=Other", "the name of a rule cannot be changed"),
        ("R.kind=shifted", "'shifted' is not one of rate, count"),
    ],
)
def test_a_wrong_change_is_told_in_a_sentence(change: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadChange, match="--set") as caught:
        variants([change], rules_at(tmp_path))
    assert message in str(caught.value)
    assert caught.value.exit_code == 65


def small_backtest(folder: Path) -> Backtest:
    """An hour in which operator A fails for twenty minutes, beside nine good ones with names that need escaping."""
    known = Window("main")
    rows = []
    for minute in range(-60, 60):
        for n in range(10):
            bad = n == 0 and 20 <= minute < 40
            at, operator = NOW + minute * MINUTE, "A" if n == 0 else f"<{n}> & Söhne"
            rows += [
                row(f"{minute}-{n}-{i}", at, operator=operator, status="Failed" if bad else "Delivered")
                for i in range(3)
            ]
    known.upsert(batch_of(rows), "all")
    rules = rules_at(folder)
    subjects = [Subject(rules[0], "R"), *variants(["R.above=90%"], rules), Subject(rules[1], "S")]
    span = EvaluationSpan(NOW, NOW + HOUR, 30 * SECOND)
    done: list[float] = []
    found = run([AccountMessages(known, ["all"], NOW - HOUR)], subjects, span, done.append)
    assert done == sorted(done)
    assert done[-1] <= 1
    return found


def test_a_rule_and_its_variant_are_judged_side_by_side(tmp_path: Path) -> None:
    present, variant, spike = small_backtest(tmp_path).trials
    (alert,) = present.alerts
    assert (alert.group, alert.severity, alert.peak) == ((("operator", "A"),), "warning", 1.0)
    assert (alert.pending_at, alert.firing_at) == (NOW + 22 * MINUTE, NOW + 23 * MINUTE)
    assert alert.resolved_at == NOW + 47 * MINUTE
    (later,) = variant.alerts
    assert later.firing_at is not None
    assert later.firing_at > NOW + 23 * MINUTE
    assert spike.alerts == []


def test_the_drawings_are_sound_and_show_values_thresholds_and_alerts(tmp_path: Path) -> None:
    found = small_backtest(tmp_path)
    first, second = rule_charts(found)
    assert (first.name, second.name) == ("R", "S")
    assert first.panels[0].labels == {"operator": "A"}
    assert (len(first.panels), first.more) == (SHOWN, 10 - SHOWN)
    drawing = ElementTree.fromstring(figure(found))
    texts = ["".join(text.itertext()) for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "above 20% — 1 alert, firing for 24m in all, 24m at the longest" in texts
    assert "with above=90%: above 90% — 1 alert, firing for 10m in all, 10m at the longest" in texts
    assert "A" in texts
    assert any("Söhne" in text for text in texts)
    titles = ["".join(title.itertext()) for title in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "warning: fired 2026-11-21 10:23, resolved 2026-11-21 10:47, peak 100%"
    assert all(float(text.get("x", "0")) < WIDTH for text in drawing.iter("{http://www.w3.org/2000/svg}text"))
    assert max(map(len, texts)) <= 140, "a sentence that is longer would be cut off at the right edge"
    whole = page(found, "From a <test>.")
    assert "From a &lt;test&gt;." in whole
    assert "&gt; &amp; Söhne</text>" in whole
    assert "<script" not in whole
    assert "http" not in whole.replace("http://www.w3.org/2000/svg", ""), "the page needs nothing else"


def test_a_rule_that_is_tried_with_changes_is_drawn_first(tmp_path: Path) -> None:
    found = small_backtest(tmp_path)
    found.trials.insert(0, found.trials.pop())
    assert [trial.subject.name for trial in found.trials] == ["S", "R", "R"]
    assert [one.name for one in rule_charts(found)] == ["R", "S"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Last Minute 665, 2b176da6-9300-ed31-be6b-8a1de96ab4a2", ["Last Minute 665,", "2b176da6-9300-ed…"]),
        ("Cosmote, GR", ["Cosmote, GR"]),
        ("seventeen letters", ["seventeen letters"]),
    ],
)
def test_the_name_of_a_group_ends_before_the_labels_of_its_axis(name: str, lines: list[str]) -> None:
    known = Window("main")
    known.upsert(batch_of([row(str(n), NOW, operator=name, status="Failed") for n in range(5)]), "all")
    found = run([AccountMessages(known, ["all"], NOW)], [Subject(rule_of(RATE), "R")], HOURLY, _unheard)
    drawing = ElementTree.fromstring(figure(found))
    texts = ["".join(text.itertext()) for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[texts.index(lines[0]) :][: len(lines)] == lines
    assert not any(len(text) > 17 and text[:17] in name for text in texts)


def test_what_the_past_does_not_tell_is_said(tmp_path: Path) -> None:
    rules = [
        rule_of({"name": "Low", "kind": "balance", "below": 50}),
        rule_of({"name": "Watch", "kind": "campaign", "stalled_for": "30m", "short_below": "95%"}),
        rule_of({"name": "Failing", "kind": "campaign", "failure_above": "20%", "where": {"country": "GR"}}),
    ]
    found = run(
        [AccountMessages(Window("main"), ["all"], NOW)], [Subject(rule, rule.name) for rule in rules], HOURLY, _unheard
    )
    low = "not judged, because past balances are not known"
    watch = "judged by messages only, because Routee's past answers about campaigns are not known"
    said = [one["unknown"] for one in as_json(found)["rules"]]
    assert said[0] == low
    assert said[1].startswith(f"{watch} (no campaign is found to have ended short; ")
    assert said[2] is None, "a rule that takes only some messages of campaigns asks Routee nothing"
    text = "\n".join(lines(found, 72))
    assert f"Low (below 50): {low}" in text
    assert f"Watch (stalled for 30m, short below 95%): no alerts\n  {said[1]}" in text
    whole = page(found)
    assert "Not judged, because past balances" in whole
    assert "No group of Low" not in whole
    assert "No group of Watch" in whole


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_scale_is_as_wide_as_the_bars_below_it(tmp_path: Path, width: int) -> None:
    scale, *others = lines(small_backtest(tmp_path), width)
    (bar,) = [line for line in others if line.startswith("  A  ")]
    assert len(scale) <= len(bar)
    assert scale.endswith(" UTC") == (width >= 80)


def test_the_timeline_shows_when_each_group_fired(tmp_path: Path) -> None:
    text = list(lines(small_backtest(tmp_path), 72))
    assert text[2] == "R (above 20%): 1 alert, firing for 24m in all, 24m at the longest"
    (bar,) = [line for line in text if line.startswith("  A  ")]
    blocks = bar.split()[-1]
    assert len(blocks) == 40
    assert blocks.strip("·") == "░" * blocks.count("░") + "█" * blocks.count("█")
    assert 15 <= blocks.count("█") <= 18
    assert all(len(line) <= 110 for line in text)
    assert any("2026-11-21 10:23 to 11-21 10:47" in line and "peak 100%" in line for line in text)


def stalled_campaign() -> Backtest:
    """An hour in which a campaign waits for the reports of a third of its messages."""
    known = Window("main")
    told = {"campaign": "Sale", "campaignTrackingId": "c-1"}
    rows = [
        row(f"{n}", NOW - 20 * MINUTE + n * SECOND, status="Sent" if n % 3 == 0 else "Delivered", **told)
        for n in range(120)
    ]
    known.upsert(batch_of(rows), "all")
    stalls = rule_of({"name": "Stalls", "kind": "campaign", "stalled_for": "30m", "failure_above": "20%"})
    span = EvaluationSpan(NOW, NOW + HOUR, MINUTE)
    return run([AccountMessages(known, ["all"], NOW - DAY)], [Subject(stalls, "Stalls")], span, lambda done: None)


def test_each_problem_of_a_campaign_is_shown_in_its_own_unit() -> None:
    found = stalled_campaign()
    (text,) = [line for line in lines(found, 100) if "peak" in line]
    assert "peak 1h18m" in text
    drawing = figure(found)
    assert "peak 1h18m" in drawing
    marks = re.findall(r'text-anchor="end">([^<]*)<', drawing)
    assert [mark for mark in marks if "m" in mark or "h" in mark] == ["30m", "1h", "1h30m"]
    assert ">1h18m</td>" in page(found)


def test_a_report_is_listed_once_with_when_it_was_told_and_neither_its_end_nor_how_long_it_was() -> None:
    known = Window("main")
    told = {"campaign": "Sale", "campaignTrackingId": "c-1", "status": "Delivered"}
    known.upsert(batch_of([row(f"{n}", NOW - 20 * MINUTE + n * SECOND, **told) for n in range(120)]), "all")
    ended = rule_of({"name": "Ended", "kind": "campaign", "ended": "report", "min_messages": 10})
    span = EvaluationSpan(NOW, NOW + 12 * HOUR, MINUTE)
    found = run([AccountMessages(known, ["all"], NOW - DAY)], [Subject(ended, "Ended")], span, lambda done: None)
    [trial] = as_json(found)["rules"]
    assert (trial["total"], trial["firing_seconds"]) == (1, 0)
    drawn = page(found)
    assert "<summary>1 report</summary><table><thead><tr><th>reported (UTC)</th><th>severity</th>" in drawn
    assert "fired (UTC)" not in drawn


def test_no_alerts_and_never_enough_data_are_told_apart() -> None:
    known = Window("main")
    known.upsert(batch_of([row(f"{n}", NOW + n * MINUTE, price=0.05) for n in range(30)]), "all")
    rules = [
        {"name": "Few", "kind": "rate", "window": "10m", "above": "20%", "min_messages": 500},
        {"name": "Well", "kind": "rate", "window": "10m", "above": "20%"},
        {"name": "Nobody", "kind": "count", "match": {"country": "IR"}, "by": ["country"], "window": "10m", "above": 5},
    ]
    subjects = [Subject(rule_of(rule), str(rule["name"])) for rule in rules]
    span = EvaluationSpan(NOW, NOW + HOUR, MINUTE)
    found = run([AccountMessages(known, ["all"], NOW - DAY)], subjects, span, lambda done: None)
    said = [line for line in lines(found, 100) if line.startswith(("Few", "Well", "Nobody"))]
    assert said == [
        "Few (above 20%): never enough data to judge",
        "Well (above 20%): no alerts",
        "Nobody (above 5): no alerts",
    ]
    assert [one["enough_data"] for one in as_json(found)["rules"]] == [False, True, True]
    assert "No group of Few ever had enough data." in figure(found)
    assert "No group of Nobody ever had a value." in figure(found)
