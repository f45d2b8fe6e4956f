"""The pages that links in messages lead to."""

import re
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from plain_client import served

from monitor.daemon.health import Health
from monitor.daemon.http.alert_pages import AlertPages
from monitor.daemon.http.app import make_app
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.silence_pages import SilencePages
from monitor.daemon.metrics import Metrics
from monitor.model.label_fingerprint import label_fingerprint
from monitor.notify.render.links import acknowledge_url, page_url, silence_url
from monitor.runtime.clock import HOUR, MINUTE, SystemClock
from tests.fakes.alert_actions import FakeAlertActions
from tests.fakes.alerts import change, rate
from tests.fakes.forms import submit

TOKEN = "a-web-token"
HTML = {"Accept": "text/html"}


@asynccontextmanager
async def browsing(actions: FakeAlertActions, token: str = "", external_url: str = ""):
    html = HtmlPages(urlsplit(external_url).path.rstrip("/"))
    pages = AlertPages(actions, actions.clock, token, external_url, html=html)
    silences = SilencePages(actions, actions.clock, token, external_url, html=html)
    routes = [*html.routes(), *pages.routes(), *silences.routes()]
    app = make_app(Health(), Metrics(SystemClock()), token=token, hosts=["sms.example.org"], apis=routes)
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers=HTML) as client:
        yield client


@pytest.fixture
def actions() -> FakeAlertActions:
    now = SystemClock().now()
    hostile = {"alertname": "OperatorFailureRate", "operator": "<script>alert(1)</script>", "severity": "critical"}
    return FakeAlertActions([rate(labels=hostile, starts_at=now - 5 * MINUTE, as_of=now)])


def here(url: str) -> str:
    """Path and query of a link, as a browser asks for them."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def test_the_links_in_messages_lead_to_pages(actions):
    view = actions.views[0]
    base = "https://sms.example.org"
    links = [page_url(base, view.fingerprint), acknowledge_url(base, view.fingerprint), silence_url(base, view.labels)]
    async with browsing(actions) as browser:
        for link in links:
            answer = await browser.get(here(link))
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert "<script>" not in answer.text, "data of messages is data"
        style = await browser.get("/page.css")
    assert style.headers["content-type"].startswith("text/css")


async def test_an_alerts_page_says_what_its_message_says(actions):
    view = actions.views[0]
    async with browsing(actions, external_url="https://example.org/sms/") as browser:
        page = (await browser.get(f"/alerts/{view.fingerprint}")).text
    assert "of messages failed" in page or "34.2%" in page
    assert "firing · critical" in page
    assert "5m" in page
    assert page.count("UTC") == 2, "since when the threshold is crossed, and since when it fires"
    assert 'href="/sms/page.css"' in page, "behind a proxy the pages may have a path before theirs"
    assert f'href="/sms/alerts/{view.fingerprint}/acknowledge"' in page


async def test_an_alerts_page_has_both_fingerprints_and_is_found_by_the_beginning_of_either(actions):
    view = actions.views[0]
    of_labels = label_fingerprint(view.labels)
    async with browsing(actions) as browser:
        for name in (of_labels, of_labels[:4], view.fingerprint[:4]):
            page = (await browser.get(f"/alerts/{name}")).text
            assert f"<td>{view.fingerprint}</td>" in page
            assert f"<td>{of_labels} " in page


async def test_what_begins_the_fingerprints_of_several_alerts_is_no_address(actions):
    actions.views = [change(actions.views[0], fingerprint=f"abcd{number}" * 3) for number in (1, 2)]
    async with browsing(actions) as browser:
        answers = [await browser.get("/alerts/abcd"), await browser.get("/alerts/abcd/acknowledge")]
    for answer in answers:
        assert answer.status_code == 400
        assert "2 alerts begin with abcd" in answer.text


async def test_an_alert_that_is_over_is_said_to_be(actions):
    async with browsing(actions) as browser:
        answer = await browser.get("/alerts/0000")
        plain = await browser.get("/alerts/0000", headers={"Accept": "application/json"})
    assert answer.status_code == plain.status_code == 404
    assert "There is no such alert now" in answer.text
    assert "there is no such alert now" in plain.json()["error"]


async def test_an_alerts_page_explains_it_as_slack_does(actions):
    advice = "Look at the operator first:\n- ask them\n- reroute\nThen wait."
    actions.views = [
        change(
            actions.views[0],
            annotations={"description": advice},
            acknowledged_by="Ann",
            acknowledged_comment="rerouting",
        )
    ]
    async with browsing(actions) as browser:
        page = (await browser.get(f"/alerts/{actions.views[0].fingerprint}")).text
    assert "<p>Look at the operator first:</p>" in page
    assert "<ul><li>ask them</li><li>reroute</li></ul>" in page
    assert "<li>92% Carrier Violation</li>" in page
    assert "a6b62347-51c0-4d0e-8a35-6f5cf0c6e0d1  +30691•••••78" in page
    assert "threshold 20%</text>" in page, "its course is drawn"
    assert "acknowledged by Ann: rerouting" in page


async def test_an_alert_is_acknowledged_by_its_form(actions):
    view = actions.views[0]
    path = f"/alerts/{view.fingerprint}/acknowledge"
    async with browsing(actions) as browser:
        done = await submit(browser, path, data={"by": "Ann", "comment": "", "for": ""})
        assert done.status_code == 200
        assert "Ann takes care of it until it resolves." in done.text
        assert actions.acknowledged[view.fingerprint] == ("Ann", "", None)
        await submit(browser, path, data={"by": "Ann", "for": "4h"})
    _, _, until = actions.acknowledged[view.fingerprint]
    assert until is not None
    assert 0 <= actions.clock.now() + 4 * HOUR - until < MINUTE


async def test_the_form_names_the_alert_in_a_sentence_of_its_own(actions):
    async with browsing(actions) as browser:
        page = (await browser.get(f"/alerts/{actions.views[0].fingerprint}/acknowledge")).text
    assert ". It is not repeated" in page
    assert ".. It" not in page


async def test_a_silence_is_made_of_the_matchers_in_the_link(actions):
    view = actions.views[0]
    link = here(silence_url("", view.labels))
    async with browsing(actions) as browser:
        form = (await browser.get(link)).text
        assert "operator=&#34;&lt;script&gt;" in form
        matchers = "\n".join(f'{name}="{value}"' for name, value in view.labels.items())
        done = await submit(browser, link, data={"matchers": matchers, "for": "2h", "by": "Ann", "comment": "known"})
    assert "Silenced" in done.text
    (kept,) = actions.kept.all()
    assert actions.kept.silencing(view.labels, actions.clock.now()) == (kept.id,)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"for": "soon"}, "is not a duration"),
        ({"matchers": ""}, "at least one matcher"),
        ({"matchers": "operator"}, "operator"),
        ({"by": ""}, "who asks for it"),
        ({"comment": " "}, "why"),
    ],
)
async def test_what_is_wrong_is_said_in_the_form_and_what_was_filled_in_stays(actions, wrong, says):
    given = {"matchers": "operator=Nova", "for": "2h", "by": "Ann", "comment": "known"} | wrong
    async with browsing(actions) as browser:
        answer = await submit(browser, "/silences/new", data=given)
    assert answer.status_code == 400
    assert says in answer.text
    assert 'value="Ann"' in answer.text or "by" in wrong
    assert actions.kept.all() == ()


async def test_a_store_that_cannot_be_written_is_said_in_the_form(actions):
    actions.broken = True
    async with browsing(actions) as browser:
        answer = await submit(browser, f"/alerts/{actions.views[0].fingerprint}/acknowledge", data={"by": "Ann"})
    assert "the disk is full" in answer.text


async def test_with_a_token_the_form_asks_for_it(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    async with browsing(actions, TOKEN) as browser:
        assert 'type="password"' in (await browser.get(path)).text
        wrong = await submit(browser, path, data={"by": "Ann", "token": "guess"})
        assert (wrong.status_code, actions.acknowledged) == (403, {})
        assert "guess" not in wrong.text
        right = await submit(browser, path, data={"by": "Ann", "token": TOKEN}, headers={"Host": "sms.example.org"})
        assert right.status_code == 200
        assert TOKEN not in right.text
    assert actions.acknowledged != {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "rebound.example.org"},
    ],
)
async def test_a_form_of_another_site_changes_nothing(actions, headers):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    async with browsing(actions, external_url="https://sms.example.org") as browser:
        answer = await submit(browser, path, data={"by": "Ann"}, headers=headers)
    assert (answer.status_code, actions.acknowledged) == (403, {})


async def test_a_form_comes_through_a_proxy_that_names_another_host(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    browsers = {"Origin": "https://sms.example.org", "Sec-Fetch-Site": "same-origin", "X-Forwarded-For": "203.0.113.7"}
    async with browsing(actions, TOKEN, "https://sms.example.org/monitor/") as browser:
        answer = await submit(browser, path, data={"by": "Ann", "token": TOKEN}, headers=browsers)
    assert answer.status_code == 200
    assert actions.acknowledged != {}


async def test_what_is_no_form_is_refused(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    async with browsing(actions) as browser:
        many = await browser.post(path, data={f"field{number}": "x" for number in range(50)})
        raw = await browser.post(path, content=b"\xff\xfe")
    assert (many.status_code, raw.status_code, actions.acknowledged) == (400, 400, {})


async def test_what_is_acknowledged_and_silenced_offers_neither_again(actions):
    view = change(actions.views[0], acknowledged_by="Ann")
    actions.views = [view]
    async with browsing(actions) as browser:
        page = (await browser.get(f"/alerts/{view.fingerprint}")).text
    assert ">Acknowledge<" not in page
    assert "acknowledged by Ann" in page


async def test_an_alert_that_is_evaluated_only_when_it_changes_lasts_all_the_same(actions):
    began = actions.clock.now() - 7 * MINUTE
    blind = change(actions.views[0], kind="builtin", starts_at=began, began_at=began, as_of=began)
    actions.views = [blind]
    async with browsing(actions) as browser:
        page = (await browser.get(f"/alerts/{blind.fingerprint}")).text
    assert re.search(r"UTC[^<]* \(7m\d*s?\)</td>", page)


async def test_what_stands_between_backticks_is_code_and_still_text(actions):
    view = change(actions.views[0], annotations={"description": "See `explain <b>` and `alerts`.\n- `one`"})
    actions.views = [view]
    async with browsing(actions) as browser:
        page = (await browser.get(f"/alerts/{view.fingerprint}")).text
    assert "See <code>explain &lt;b&gt;</code> and <code>alerts</code>." in page
    assert "<li><code>one</code></li>" in page
