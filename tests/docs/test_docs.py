"""The documentation is true: what it shows can be loaded, what it lists is all there is, what it links to exists."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from standardwebhooks import Webhook

from monitor.config.monitor.account import Account, Resweep, Search, SearchFilter
from monitor.config.monitor.channels import Alertmanager, Apprise, Slack
from monitor.config.monitor.channels import Webhook as WebhookEntry
from monitor.config.monitor.interval import Interval, TimeIntervals, TimeRange
from monitor.config.monitor.model import Config
from monitor.config.monitor.receiver import Receiver
from monitor.config.monitor.route import InhibitRule, RootRoute, Subroute
from monitor.config.monitor.sections import Flapping, Log, Privacy, Reload, Watchdog, Web
from monitor.config.rules import Rule, load_rules
from monitor.config.rules.count import Count
from monitor.config.rules.rate import Rate
from monitor.config.rules.spike import Spike
from monitor.config.yaml import YamlModel
from monitor.daemon.validate import load, sample_of
from monitor.notify.channels.webhook.notifier import key_of
from monitor.notify.render import Templates
from monitor.notify.render.context import NAMES, notification_context, sample_notification, sample_view
from monitor.notify.render.jinja_sandbox import FILTERS
from monitor.runtime.clock import SECOND, to_datetime

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
FOREIGN = {"scrape_configs", "tests"}
"""Top-level keys of YAML that is not looked at here: Prometheus' configuration, and rule tests, which run with their pages."""
STARTER_RULES = sorted((ROOT / "rules").glob("*.yaml"))
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> Iterator[Any]:
    for page in PAGES:
        for number, (name, text) in enumerate(_FENCE.findall(page.read_text("utf-8"))):
            if name == language:
                yield pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")


def is_rules(data: Any) -> bool:
    return isinstance(data.get("rules"), list) and all(isinstance(rule, dict) for rule in data["rules"])


_SECRETS = {
    "headers": "Authorization: GenieKey secret",
    "fields": "routing_key: secret",
    "app": "xapp-secret",
    "ntfy": "ntfy://topic",
    "mail": "mailto://user:password@example.org?to=ops@example.org",
}
"""What stands in files whose names end so; in others it is an address, which passes for anything."""


def surroundings(folder: Path, text: str) -> dict[str, str]:
    """What a configuration needs around it: rules, templates, secret files; gives the environment."""
    (folder / "rules").mkdir()
    for path in STARTER_RULES:
        (folder / "rules" / path.name).write_bytes(path.read_bytes())
    (folder / "templates").mkdir()
    (folder / "templates" / "own.j2").write_text("{{ sentence }}", "utf-8")
    for name in re.findall(r"_file: ([\w./-]+)", text):
        kind = "app" if "app_token" in name else name.rpartition("_")[2]
        (folder / name).write_text(_SECRETS.get(kind, "https://example.org/secret"), "utf-8")
    return dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "https://example.org/secret")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise imports it
@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_yaml_that_is_shown_is_accepted(text: str, tmp_path: Path) -> None:
    if "apprise:" in text:
        pytest.importorskip("apprise", reason="the extra apprise is not installed")
    data = yaml.safe_load(text)
    if data.keys() & FOREIGN or "tests" in data:
        return  # rule tests are run in tests/ruletest
    if is_rules(data):
        (tmp_path / "rules.yaml").write_text(text, "utf-8")
        text = "accounts: [{name: main, application_id: a, application_secret: b}]\nrules: [rules.yaml]\n"
    elif "accounts" not in data:
        text += "accounts: [{name: main, application_id: a, application_secret: b}]\n"
    environ = surroundings(tmp_path, text)
    (tmp_path / "monitor.yaml").write_text(text, "utf-8")
    loaded = load(tmp_path / "monitor.yaml", environ)
    for rule in loaded.settings.rules:
        view = sample_of(rule)
        for annotation in rule.annotations.values():
            assert loaded.templates.check(annotation, view) is None


@pytest.mark.parametrize("text", blocks("jinja"))
def test_every_template_that_is_shown_can_be_rendered(text: str) -> None:
    name = "shown.json.j2" if text.startswith("{\n") else "shown.j2"
    view = sample_view("OperatorFailureRate", "rate", ["operator", "country"])
    templates = Templates({name: text})
    shown = templates.named(name).render(notification_context(sample_notification([view])))
    if "json" in name:
        json.loads(shown)


@pytest.mark.parametrize("text", blocks("json"))
def test_every_json_that_is_shown_is_json(text: str) -> None:
    json.loads(text)


def test_the_signature_check_that_is_shown_accepts_ours_and_nothing_else() -> None:
    (param,) = blocks("python")
    shown: dict[str, Any] = {}
    exec(param.values[0], shown)
    body, secret = b'{"status": "firing"}', "whsec_c29tZSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcw=="
    now = to_datetime(int(time.time()) * SECOND)
    signature = Webhook(key_of(secret)).sign("key-1", now, body.decode())
    headers = {"webhook-id": "key-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    assert shown["genuine"](secret, headers, body)
    assert not shown["genuine"](secret, headers, body + b" ")
    assert not shown["genuine"](secret, headers | {"webhook-id": "key-2"}, body)
    assert not shown["genuine"](secret, headers | {"webhook-timestamp": str(int(now.timestamp()) - 3600)}, body)


def table_under(heading: str, page: str) -> set[str]:
    """The names in the first column of the first table below a heading."""
    text = (DOCS / page).read_text("utf-8")
    section = text[text.index(f"\n{heading}\n") :].split("\n\n|", 1)[1].split("\n\n", 1)[0]
    cells = [line.split("|")[0 if place == 0 else 1] for place, line in enumerate(section.splitlines())][2:]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


SECTIONS: list[tuple[str, type[BaseModel]]] = [
    ("## Top level", Config),
    ("## `accounts`", Account),
    ("## `searches`", Search),
    ("### `filters`", SearchFilter),
    ("### `resweep`", Resweep),
    ("## `receivers`", Receiver),
    ("### `slack`", Slack),
    ("### `webhook`", WebhookEntry),
    ("### `alertmanager`", Alertmanager),
    ("### `apprise`", Apprise),
    ("## `route`", RootRoute),
    ("### `routes`", Subroute),
    ("## `inhibit_rules`", InhibitRule),
    ("## `time_intervals`", TimeIntervals),
    ("### A time interval", Interval),
    ("### `times`", TimeRange),
    ("## `watchdog`", Watchdog),
    ("## `flapping`", Flapping),
    ("## `web`", Web),
    ("## `privacy`", Privacy),
    ("## `log`", Log),
    ("## `reload`", Reload),
]


@pytest.mark.parametrize(("heading", "model"), SECTIONS, ids=[heading for heading, _ in SECTIONS])
def test_configuration_lists_exactly_the_keys_there_are(heading: str, model: type[YamlModel]) -> None:
    assert table_under(heading, "configuration.md") == set(model.keys())


@pytest.mark.parametrize("kind", [Rate, Count, Spike])
def test_rules_lists_exactly_the_keys_of_each_kind(kind: type[Rule]) -> None:
    everywhere = table_under("## What every rule has", "rules.md")
    assert everywhere == set(Rule.keys())
    own = table_under(f"## `{kind.__name__.lower()}`", "rules.md")
    assert own == set(kind.keys()) - everywhere - {"window", "levels"}


def test_templates_lists_exactly_the_names_and_filters_there_are() -> None:
    text = (DOCS / "templates.md").read_text("utf-8")
    listed = table_under("## Names", "templates.md") | set(
        re.findall(r"`(\w+)`", text[text.index("In a template of a whole") :].split("## Filters")[0])
    )
    assert set(NAMES) - {"notification"} <= listed
    own = text[text.index("Of Jinja2's own") :].split("`")[1].split()
    assert set(own) | table_under("## Filters", "templates.md") >= FILTERS - {"d"}
    assert set(own) <= FILTERS


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def test_starter_rules_say_what_they_are_for_and_how_to_tune_them() -> None:
    for rule in load_rules(STARTER_RULES):
        text = Path(rule.source[0]).read_text("utf-8")
        assert text.startswith("# yaml-language-server: $schema=../monitor-rules.schema.json\n")
        assert all(word in text for word in ("# What it measures", "# Why these numbers", "# What to tune"))
        assert rule.description
        assert {"summary", "description"} <= rule.annotations.keys()
        view = sample_of(rule)
        for annotation in rule.annotations.values():
            assert Templates().check(annotation, view) is None


def test_what_the_readme_and_the_demo_say_to_copy_is_the_same() -> None:
    readme = next(yaml.safe_load(param.values[0]) for param in blocks("yaml") if str(param.id).startswith("README"))
    assert readme == yaml.safe_load((ROOT / "monitor" / "simulation" / "demo" / "yours.yaml").read_text("utf-8"))
