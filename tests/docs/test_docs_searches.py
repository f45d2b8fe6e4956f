"""What docs/searches.md says of searches: their rules go with them, the error is the one that is shown, and they cost what it says."""

import re
from pathlib import Path

import pytest
import yaml
from trio.testing import MockClock

from monitor.runtime.clock import DAY, HOUR
from monitor.runtime.errors import InputError
from monitor.simulation.sandbox import Traffic
from tests.fakes.watched import watched, written

PAGE = (Path(__file__).parents[2] / "docs" / "searches.md").read_text("utf-8")
SECTIONS = {
    title: [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
SHOWN = {title: blocks for title, blocks in SECTIONS.items() if blocks}


def lines(blocks: list[dict[str, list[object]]], key: str) -> str:
    """What stands under a key, one entry a line."""
    return "\n".join(
        yaml.safe_dump(entry, default_flow_style=True, width=10_000, sort_keys=False).strip()
        for block in blocks
        for entry in block.get(key, [])
    )


@pytest.mark.parametrize("title", SHOWN)
def test_the_rules_of_a_section_go_with_its_searches(title: str) -> None:
    assert lines(SHOWN[title], "searches")
    written(lines(SHOWN[title], "searches"), lines(SHOWN[title], "rules"))


def test_the_error_is_the_one_that_is_shown() -> None:
    [searches] = [block for block in SHOWN["Failures only"] if "searches" in block]
    with pytest.raises(InputError) as raised:
        written(
            lines([{"searches": searches["searches"][:1]}], "searches"),
            "{name: R, kind: rate, match: {status: Undelivered}, of: {status: [Delivered, Undelivered, Failed]}, window: 5m, above: 20%}",
        )
    [problem] = raised.value.problems
    shown = re.search(r"^    rules\.yaml:\d+:\d+: (.*)$", PAGE, re.MULTILINE)
    assert shown is not None
    assert f"{problem.path}: {problem.message}" == shown[1]


@pytest.mark.parametrize("filters", ["", ", filters: [{field: status, is: Queued}]", ", campaign: true"])
async def test_a_search_of_a_quiet_account_costs_a_request_an_interval(filters: str, autojump_clock: MockClock) -> None:
    async with watched(f"{{name: one{filters}}}", traffic=Traffic(rate=1), history=DAY) as one:
        await one.pass_(HOUR)
        before = one.requests["one"]
        await one.pass_(2 * HOUR)
        assert one.requests["one"] - before == 2 * HOUR // (30 * 1_000_000)
