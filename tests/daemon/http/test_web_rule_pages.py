"""The pages of rules say of each group how it stands, in words that are true whatever the reason is."""

import re
from pathlib import Path

import httpx
from plain_client import served

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from tests.fakes.daemon_reading import AT_ONCE, Reading

SEVERAL = AT_ONCE.replace(
    "searches:",
    "  - {name: otp, application_id: two, application_secret: two}\nsearches:\n  - {name: otps, account: otp}",
)
LEARNING = "rules: [{name: Shift, kind: shift, by: [operator], to: 3x, learn: 72h, receipts_within: 60s}]"


async def test_a_group_that_is_still_learning_does_not_have_too_few_messages(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", LEARNING)
    await reading.fail()
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        pages = [(await browser.get(path)).text for path in ("/rules", "/rules/Shift")]
    harness.store.close()
    assert "not enough data: learning" in pages[1]
    assert ["</svg>not enough data</span>" in page for page in pages] == [True, True]
    assert ["too few" in page for page in pages] == [False, False]


async def test_with_several_accounts_the_card_of_a_group_names_its_own(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "monitor.db", config=SEVERAL)
    await reading.fail()
    harness = reading.harness
    app = ReloadableApp(Web(), harness.settings.config, harness.pipeline, harness.front, reading.reader)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}) as browser:
        page = (await browser.get("/rules/Failing")).text
    harness.store.close()
    [heading] = re.findall('<h2 id="course">(.*?)</h2>', page)
    assert heading == 'Cosmote <span class="soft">main</span>'
