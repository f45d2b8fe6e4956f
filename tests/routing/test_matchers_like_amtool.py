"""The real amtool, where it is installed, sends alerts through the same tree to the same receivers and reads the same matchers."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from monitor.config.monitor import load_config
from monitor.routing.matchers import parse_matchers
from monitor.routing.route import routes_for

AMTOOL = shutil.which("amtool")
pytestmark = pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed (Debian: prometheus-alertmanager)")

ACCOUNT = "accounts: [{name: main, application_id: a, application_secret: b}]\n"
MATCHERS = ["a=1", 'a="2"', "b!=1", 'b=~"1|2"', "c!~2", 'c=""', "a=~.+", '{a="1", b="2"}', "b=~[12]", 'c=~"(?i)X"']
LABELS = [{}, {"a": "1"}, {"a": "2", "b": "1"}, {"b": "2", "c": "x"}, {"a": "1", "b": "2", "c": "2"}]


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(AMTOOL), *arguments], capture_output=True, text=True, timeout=30, check=False)


def a_tree(chance: random.Random, receivers: list[str], depth: int) -> str:
    """The routes below one, as YAML in one line; each has a receiver of its own."""
    routes = []
    for _ in range(chance.randint(1, 3) if depth else 0):
        receivers.append(f"r{len(receivers)}")
        matchers = ", ".join(f"'{one}'" for one in chance.sample(MATCHERS, chance.randint(1, 2)))
        goes_on = chance.choice(["true", "false"])
        head = f"receiver: {receivers[-1]}, matchers: [{matchers}], continue: {goes_on}"
        routes.append(f"{{{head}, routes: [{a_tree(chance, receivers, depth - 1)}]}}")
    return ", ".join(routes)


@pytest.mark.parametrize("seed", range(6))
def test_alerts_go_to_the_same_receivers_in_the_same_order(tmp_path: Path, seed: int) -> None:
    receivers = ["root"]
    routes = a_tree(random.Random(seed), receivers, 3)
    names = ", ".join(f"{{name: {name}}}" for name in receivers)
    routing = f"receivers: [{names}]\nroute: {{receiver: root, routes: [{routes}]}}\n"
    (tmp_path / "alertmanager.yml").write_text(routing)
    (tmp_path / "monitor.yaml").write_text(ACCOUNT + routing)
    root = load_config(tmp_path / "monitor.yaml", {}).route_tree()
    for labels in LABELS:
        pairs = [f"{name}={value}" for name, value in labels.items()]
        done = amtool("config", "routes", "test", f"--config.file={tmp_path / 'alertmanager.yml'}", *pairs)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().split(",") == [route.receiver for route in routes_for(root, labels)], labels


@pytest.mark.parametrize(
    "text",
    [
        "foo=two words",
        "{foo=}b",
        r"trickier==\\=\=\"",
        "foo='x'",
        r'foo="say \"yes\", then\nno\t"',
        "{foo=,bar=}}",
        "a=b,,c=d",
        'foo=b"ar',
        'foo="b',
        "foo=~[a",
        "foo",
        "=x",
    ],
)
def test_lists_of_matchers_are_read_alike(tmp_path: Path, text: str) -> None:
    written = "'" + text.replace("'", "''") + "'"
    (tmp_path / "alertmanager.yml").write_text(
        f"receivers: [{{name: root}}]\nroute: {{receiver: root, routes: [{{matchers: [{written}]}}]}}\n"
    )
    shown = amtool("config", "routes", "show", f"--config.file={tmp_path / 'alertmanager.yml'}")
    try:
        expected = [str(matcher) for matcher in parse_matchers(text)]
    except ValueError:
        assert shown.returncode != 0
        return
    assert shown.returncode == 0, shown.stderr
    assert all(one in shown.stdout for one in expected), shown.stdout
