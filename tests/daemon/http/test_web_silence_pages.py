"""The pages of silences, through the listener."""

import re
from contextlib import asynccontextmanager

import httpx
import pytest
from plain_client import served

from monitor.daemon.health import Health
from monitor.daemon.http.app import make_app
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.silence_pages import PER_PAGE, SilencePages
from monitor.daemon.metrics import Metrics
from monitor.routing.matchers import Matcher, parse_matchers
from monitor.routing.silences import Silence, new_silence
from monitor.routing.time_intervals import TimeInterval
from monitor.runtime.clock import DAY, HOUR, MINUTE, SECOND, SystemClock, iso
from tests.fakes.alert_actions import FakeAlertActions
from tests.fakes.alerts import rate
from tests.fakes.forms import hidden_fields, submit

HOSTILE = "</textarea><script>alert(1)</script>'\"&"


@pytest.fixture
def actions() -> FakeAlertActions:
    now = SystemClock().now()
    operators = ("Cosmote", "Nova", HOSTILE)
    return FakeAlertActions(
        [
            rate(
                fingerprint=f"{number:016x}",
                labels={"alertname": "OperatorFailureRate", "operator": operator, "severity": "critical"},
                starts_at=now - 5 * MINUTE,
                as_of=now,
            )
            for number, operator in enumerate(operators)
        ]
    )


@asynccontextmanager
async def browsing(actions: FakeAlertActions):
    html = HtmlPages()
    pages = SilencePages(actions, actions.clock, html=html)
    app = make_app(Health(), Metrics(SystemClock()), apis=[*html.routes(), *pages.routes()])
    async with (
        served(app) as url,
        httpx.AsyncClient(base_url=url, headers={"Accept": "text/html"}, follow_redirects=True, timeout=60) as browser,
    ):
        yield browser


def kept(
    actions: FakeAlertActions, text: str, *, lasts=HOUR, starts=0, name="one", during=None, comment="known"
) -> Silence:
    now = actions.clock.now()
    silence = new_silence(
        parse_matchers(text),
        starts_at=now + starts,
        ends_at=now + starts + lasts,
        created_by="Ann",
        comment=comment,
        now=now,
        id=name,
        during=during,
    )
    actions.kept.put(silence)
    return silence


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", page))


async def test_a_link_with_matchers_shows_at_once_what_the_silence_would_hide(actions):
    kept(actions, "operator=Nova")
    async with browsing(actions) as browser:
        some = text_of((await browser.get('/silences/new?matcher=operator%3D~"Cos.*|Nova"')).text)
        none = text_of((await browser.get("/silences/new?matcher=operator%3Dnobody")).text)
        empty = await browser.get("/silences/new")
    assert "Hides 2 firing alerts" in some
    assert "1 of them is silenced already." in some
    assert "OperatorFailureRate critical, operator=Cosmote" in some
    assert "Hides no alert that fires now" in none
    assert "Hides" not in text_of(empty.text).replace("Show what it hides", "")


async def test_a_preview_makes_nothing_and_keeps_what_was_filled_in(actions):
    given = {"matchers": "operator=Cosmote", "for": "2h", "by": HOSTILE, "comment": HOSTILE, "do": "preview"}
    async with browsing(actions) as browser:
        page = await submit(browser, "/silences/new", given)
        wrong = await submit(browser, "/silences/new", given | {"matchers": "operator"})
    assert page.status_code == 200
    assert "Hides 1 firing alert" in text_of(page.text)
    assert 'value="2h"' in page.text
    assert "<script>alert" not in page.text
    assert wrong.status_code == 400
    assert actions.kept.all() == ()


async def test_a_preview_needs_no_token_and_counts_as_no_wrong_one(actions):
    token = "a-token-of-many-letters"
    pages = SilencePages(actions, actions.clock, token)
    app = make_app(Health(), Metrics(SystemClock()), token=token, apis=pages.routes())
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers={"Accept": "text/html"}) as browser:
        for _ in range(25):
            page = await submit(browser, "/silences/new", {"matchers": "operator=Nova", "token": "", "do": "preview"})
            assert page.status_code == 200
        made = {"matchers": "operator=Nova", "for": "1h", "by": "Ann", "comment": "x", "token": token}
        assert (await submit(browser, "/silences/new", made)).status_code == 200


async def test_many_alerts_are_counted_and_only_some_named(actions):
    actions.views = [
        rate(fingerprint=f"{number:016x}", labels={"alertname": "A", "operator": f"o{number}", "severity": "info"})
        for number in range(1000)
    ]
    async with browsing(actions) as browser:
        page = (await browser.get("/silences/new?matcher=alertname%3DA")).text
    assert "Hides 1,000 firing alerts" in page
    assert "and 980 more" in page
    assert len(page) < 100_000


async def test_a_silence_may_begin_later_and_recur(actions):
    now = actions.clock.now()
    given = {"matchers": "operator=Cosmote", "for": "30d", "by": "Ann", "comment": "maintenance"}
    later = {"starts": "2h", "weekdays": "sunday, saturday", "times": "02:00-06:00", "location": "Europe/Athens"}
    async with browsing(actions) as browser:
        await submit(browser, "/silences/new", given | later)
        page = text_of((await browser.get("/silences")).text)
        for wrong, says in (
            ({"weekdays": "sunnday"}, "weekdays"),
            ({"times": "2-"}, "times"),
            ({"times": "02:00"}, "times"),
            ({"location": "Mars", "times": "02:00-03:00"}, "location"),
            ({"starts": "soon"}, "soon"),
            ({"for": "0001-01-01T00:00:00Z"}, "0001"),
        ):
            answer = await submit(browser, "/silences/new", given | wrong)
            assert (answer.status_code, says in answer.text) == (400, True), wrong
    (made,) = actions.kept.all()
    assert made.during == TimeInterval(times=((120, 360),), weekdays=((0, 0), (6, 6)), location="Europe/Athens")
    assert 0 <= made.starts_at - now - 2 * HOUR < MINUTE
    assert made.ends_at - made.starts_at == 30 * DAY
    assert "only" in page
    assert "02:00-06:00" in page
    assert "Europe/Athens" in page


async def test_the_list_shows_active_pending_and_expired_ones(actions):
    now = actions.clock.now()
    kept(actions, 'operator="Cosmote"', name="active", lasts=10 * MINUTE)
    kept(actions, 'operator="Nova"', name="pending", starts=HOUR)
    kept(actions, 'operator="Nova"', name="recurring", during=TimeInterval(years=((1990, 1991),)))
    actions.kept.put(Silence("over", parse_matchers("country=GR"), now - HOUR, now - MINUTE, "Bob", "done", now))
    async with browsing(actions) as browser:
        current = text_of((await browser.get("/silences")).text)
        expired = (await browser.get("/silences?show=expired")).text
    for said in ("active", "ends soon", "pending", "recurring", "Hides now 1 firing alert", "nothing; 1 would match"):
        assert said in current
    assert "Active and pending (3)" in current
    assert "Expired (1)" in current
    assert "country" not in current
    assert "Silence again" in expired
    assert "matcher=country%3D" in expired


async def test_a_silence_is_extended_and_ended_from_the_list(actions):
    before = kept(actions, "operator=Cosmote")
    async with browsing(actions) as browser:
        for by, extra in (("1h", HOUR), ("4h", 5 * HOUR)):
            page = await submit(browser, "/silences/one", {"do": by}, at="/silences")
            assert page.url.path == "/silences"
            assert "Saved: " in text_of(page.text)
            after = actions.kept.get("one")
            assert after is not None
            assert after.ends_at == before.ends_at + extra
        ended = await submit(browser, "/silences/one", {"do": "expire"}, at="/silences")
        assert "Ended: " in text_of(ended.text)
        again = await submit(browser, "/silences/one", {"do": "1h"}, at="/silences/new")
        assert (again.status_code, "has expired" in again.text) == (409, True)
        assert (await submit(browser, "/silences/none", {"do": "1h"}, at="/silences/new")).status_code == 404
        assert (await submit(browser, "/silences/one", {"do": "9999999d"}, at="/silences/new")).status_code == 400
    over = actions.kept.get("one")
    assert over is not None
    assert over.state(actions.clock.now()) == "expired"


async def test_an_edited_silence_keeps_its_id_its_start_and_its_recurrence(actions):
    during = TimeInterval(weekdays=((0, 6),))
    before = kept(actions, 'operator=Cosmote\ncountry=~"GR|CY"'.replace("\n", ","), during=during)
    async with browsing(actions) as browser:
        form = (await browser.get("/silences/one/edit")).text
        assert f'value="{iso(before.ends_at)}"' in form
        assert "That stays as it is." in text_of(form)
        given = {
            "matchers": "\n".join(map(str, before.matchers)),
            "for": iso(before.ends_at),
            "by": "Bob",
            "comment": "longer",
        }
        await submit(browser, "/silences/one/edit", given)
    (after,) = actions.kept.all()
    assert (after.id, after.created_by, after.comment, after.during) == ("one", "Bob", "longer", during)
    assert abs(after.starts_at - before.starts_at) < SECOND
    assert after.ends_at == before.ends_at
    assert set(after.matchers) == set(before.matchers)


async def test_with_other_matchers_the_old_silence_ends_and_a_new_one_begins(actions):
    kept(actions, "operator=Cosmote")
    async with browsing(actions) as browser:
        given = {"matchers": "operator=Nova", "for": "2h", "by": "Bob", "comment": "x"}
        await submit(browser, "/silences/one/edit", given)
    now = actions.clock.now()
    states = {str(one.matchers[0]): one.state(now) for one in actions.kept.all()}
    assert states == {'operator="Cosmote"': "expired", 'operator="Nova"': "active"}


async def test_a_silence_that_somebody_has_changed_or_ended_meanwhile_is_not_overwritten(actions):
    before = kept(actions, "operator=Cosmote")
    given = {"matchers": "operator=Cosmote", "for": "2h", "by": "Bob", "comment": "mine"}
    async with browsing(actions) as browser:
        form = hidden_fields((await browser.get("/silences/one/edit")).text)
        await submit(browser, "/silences/one", {"do": "1h"}, at="/silences")
        late = await browser.post("/silences/one/edit", data=form | given)
        assert (late.status_code, "changed meanwhile" in text_of(late.text)) == (409, True)
        assert 'value="Bob"' in late.text  # nothing that was entered is lost
        assert actions.kept.get("one").ends_at == before.ends_at + HOUR

        form = hidden_fields((await browser.get("/silences/one/edit")).text)
        await submit(browser, "/silences/one", {"do": "expire"}, at="/silences")
        for late in (
            await browser.post("/silences/one/edit", data=form | given),
            await browser.get("/silences/one/edit"),
        ):
            assert (late.status_code, "has ended" in text_of(late.text)) == (409, True)
    (only,) = actions.kept.all()
    assert only.comment == "known"


async def test_what_the_store_refuses_can_be_sent_again(actions):
    kept(actions, "operator=Cosmote")
    before, given = actions.kept.all(), {"matchers": "operator=Nova", "for": "2h", "by": "Bob", "comment": "x"}
    actions.broken = True
    async with browsing(actions) as browser:
        refused = [
            await submit(browser, "/silences/new", given),
            await submit(browser, "/silences/one/edit", given),
            await submit(browser, "/silences/one", {"do": "1h"}, at="/silences"),
            await submit(browser, "/silences/one", {"do": "expire"}, at="/silences"),
        ]
    assert [(one.status_code, one.headers["retry-after"]) for one in refused] == [(503, "5")] * 4
    assert all("the disk is full" in one.text.lower() for one in refused)
    assert actions.kept.all() == before


async def test_hostile_text_is_only_text(actions):
    silence = kept(actions, "operator=x", comment=HOSTILE, name='a/../b?c#d"><script>')
    quoted = Silence(HOSTILE, parse_matchers('operator=~"<b>.*"'), silence.starts_at, silence.ends_at, HOSTILE, "x", 0)
    actions.kept.put(quoted)
    async with browsing(actions) as browser:
        for path in (
            "/silences",
            "/silences/new?matcher=" + HOSTILE.replace("&", "%26"),
            "/silences?q=" + HOSTILE.replace("&", "%26"),
        ):
            page = (await browser.get(path)).text
            assert "<script>alert" not in page
            assert "<b>" not in page


async def test_what_hides_or_reorders_text_is_shown_to_be_there_and_kept_where_it_is_entered(actions):
    """A label may hold anything: the list shows it harmless, and the form still matches it."""
    value = "abc\u202egnp\u200b"
    before = kept(actions, "operator=x")
    hidden = Silence("two", (Matcher("operator", "=", value),), before.starts_at, before.ends_at, value, value, 0)
    actions.kept.put(hidden)
    async with browsing(actions) as browser:
        assert "abc\ufffdgnp\ufffd" in (listed := (await browser.get("/silences")).text)
        assert "\u202e" not in listed
        form = await browser.get("/silences/two/edit")
        assert f"{value}&#34;</textarea>" in form.text
        given = {"matchers": str(hidden.matchers[0]), "for": "2h", "by": "Ann", "comment": value}
        await submit(browser, "/silences/two/edit", given)
    after = actions.kept.get("two")
    assert (after.matchers, after.comment) == (hidden.matchers, "abcgnp")


async def test_many_silences_are_paged_and_searched(actions):
    for number in range(1000):
        kept(actions, f"operator=o{number}", name=f"s{number}", comment="about " + "x" * 200, lasts=HOUR + number)
    async with browsing(actions) as browser:
        first = await browser.get("/silences")
        last = await browser.get("/silences?page=999999")
        found = text_of((await browser.get("/silences?q=O77")).text)
        strange = await browser.get("/silences?page=-1&q=" + "é" * 1000)
    assert len(first.content) < 100_000
    assert first.text.count("<article") == last.text.count("<article") == PER_PAGE
    assert "Page 1 of 25" in text_of(first.text)
    assert "Page 25 of 25" in text_of(last.text)
    assert 'operator="o77"' in found.replace("&#34;", '"')
    assert strange.status_code == 200
