"""Browsers log in by a form, and keep a cookie."""

import re
from contextlib import asynccontextmanager
from itertools import cycle
from urllib.parse import urlsplit

import httpx
import pytest
from plain_client import ask, served

from monitor.daemon.health import Health
from monitor.daemon.http.alert_pages import AlertPages
from monitor.daemon.http.app import make_app
from monitor.daemon.http.html_pages import HtmlPages
from monitor.daemon.http.login_pages import LoginPages
from monitor.daemon.http.sessions import MOST_WRONG_TOKENS, BrowserSessions
from monitor.daemon.http.silence_pages import SilencePages
from monitor.daemon.http.visitor import own_address
from monitor.daemon.metrics import Metrics
from monitor.runtime.clock import MINUTE, SystemClock
from tests.fakes.alert_actions import FakeAlertActions
from tests.fakes.alerts import rate
from tests.fakes.forms import hidden_fields, submit

TOKEN = "a-web-token-of-many-letters"
HTML = {"Accept": "text/html"}


@pytest.fixture
def actions() -> FakeAlertActions:
    now = SystemClock().now()
    return FakeAlertActions([rate(starts_at=now - 5 * MINUTE, as_of=now)])


def app_of(actions, *, token=TOKEN, external_url="", protect=True, sessions=None):
    html = HtmlPages()
    pages = AlertPages(actions, actions.clock, token, external_url)
    silences = SilencePages(actions, actions.clock, token, external_url)
    return make_app(
        Health(),
        Metrics(SystemClock()),
        token=token,
        protect_reads=protect,
        hosts=["sms.example.org"],
        apis=[*html.routes(), *LoginPages(token, external_url).routes(), *pages.routes(), *silences.routes()],
        sessions=sessions,
        external_url=external_url,
    )


def session_cookie(sessions: BrowserSessions) -> str:
    return f"routee_monitor_session_{sessions.name}"


def in_turn(*apps):
    """Returns several daemons behind a load balancer that gives each request to the next one."""
    turns = cycle(apps)

    async def balanced(scope, receive, send):
        await next(turns)(scope, receive, send)

    return balanced


def behind_proxy(app, root):
    """Returns the application behind a proxy that takes ``root`` off each path."""

    async def proxied(scope, receive, send):
        raw = scope["raw_path"].removeprefix(root.encode())
        await app(scope | {"path": scope["path"].removeprefix(root), "raw_path": raw}, receive, send)

    return proxied


@asynccontextmanager
async def browsing(actions, **options):
    root = urlsplit(options.get("external_url", "")).path.rstrip("/")
    async with (
        served(behind_proxy(app_of(actions, **options), root)) as url,
        httpx.AsyncClient(base_url=url + root, headers=HTML, timeout=60) as browser,
    ):
        yield browser


async def log_in(browser: httpx.AsyncClient, token: str = TOKEN, headers=None, at: str = "/login") -> httpx.Response:
    return await submit(browser, at, {"token": token}, headers)


async def test_a_browser_is_sent_to_the_login_and_back_to_the_page_that_it_wanted(actions):
    wanted = f"/alerts/{actions.views[0].fingerprint}?a=b%20c&d=%26"
    async with browsing(actions) as browser:
        sent = await browser.get(wanted)
        assert sent.status_code == 303
        login = sent.headers["location"]
        assert login.startswith("/login?next=/alerts/")
        form = await browser.get(login)
        assert (form.status_code, 'type="password"' in form.text) == (200, True)
        back = await log_in(browser, at=login)
        assert (back.status_code, back.headers["location"]) == (303, wanted)
        page = await browser.get(wanted)
        assert page.status_code == 200
        assert "Log out" in page.text
        assert TOKEN not in form.text + page.text + str(back.headers)


async def test_what_a_browser_needs_to_log_in_is_open_and_programs_get_a_401(actions):
    async with browsing(actions) as browser:
        assert (await browser.get("/page.css")).status_code == 200
        program = await browser.get("/metrics", headers={"Accept": "application/json"})
        assert (program.status_code, program.headers["www-authenticate"]) == (401, "Bearer")
        posted = await browser.post(f"/alerts/{actions.views[0].fingerprint}/acknowledge")
        assert posted.status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await browser.get("/metrics", headers=bearer)).status_code == 200
        await log_in(browser)
        assert (await browser.get("/metrics", headers={"Accept": "*/*"})).status_code == 200
        assert "reasons" in (await browser.get("/healthz")).json()


async def test_a_browser_that_is_logged_in_need_not_enter_the_token_again(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    async with browsing(actions, protect=False) as browser:
        assert 'type="password"' in (await browser.get(path)).text
        await log_in(browser)
        assert 'type="password"' not in (await browser.get(path)).text
        assert (await submit(browser, path, {"by": "Ann"})).status_code == 200
    assert list(actions.acknowledged) == [actions.views[0].fingerprint]


async def test_a_logout_ends_the_session_also_for_who_has_copied_the_cookie(actions):
    async with browsing(actions) as browser:
        await log_in(browser)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        out = await submit(browser, "/logout", {}, at="/silences/new")
        assert (out.status_code, out.headers["location"]) == (303, "/login")
        assert (await browser.get("/silences/new")).status_code == 303
        thief = await browser.get("/silences/new", headers={"Cookie": cookie})
        assert thief.status_code == 303


async def test_behind_a_load_balancer_every_daemon_knows_who_is_logged_in_and_takes_the_forms_of_the_others(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    apps = [app_of(actions, sessions=BrowserSessions(key=b"of the store that all share")) for _ in range(3)]
    stranger = app_of(actions, sessions=BrowserSessions(key=b"of another store"))
    async with (
        served(in_turn(*apps[:2])) as url,
        served(in_turn(apps[2], stranger)) as restarted,
        httpx.AsyncClient(base_url=url, headers=HTML, timeout=60) as browser,
    ):
        assert (await log_in(browser)).status_code == 303
        assert [(await browser.get("/silences/new")).status_code for _ in range(4)] == [200] * 4
        assert (await submit(browser, path, {"by": "Ann"})).status_code == 200
        await browser.get(path)
        assert (await submit(browser, path, {"by": "Bob"})).status_code == 200, "the other one gets the form"
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        after = [
            (await browser.get(f"{restarted}/silences/new", headers=cookies)).status_code for _ in ("new", "stranger")
        ]
        assert after == [200, 303], "one that was started later knows the session, too; one of another store does not"
    assert list(actions.acknowledged) == [actions.views[0].fingerprint]


async def test_a_wrong_token_is_said_to_be_and_begins_no_session(actions):
    async with browsing(actions) as browser:
        for wrong in ("guess", "", TOKEN + " x", "\x00", "é" * 2000):
            answer = await log_in(browser, wrong)
            assert answer.status_code == 403
            assert "not that of web.token" in answer.text
            assert "session" not in str(answer.headers)
            assert "guess" not in answer.text


async def test_who_enters_a_wrong_token_after_many_others_is_told_to_wait_and_the_right_one_is_taken(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    now = [0.0]
    async with browsing(actions, protect=False, sessions=BrowserSessions(lambda: now[0])) as browser:
        for number in range(MOST_WRONG_TOKENS):
            answer = await (log_in(browser, "guess") if number % 2 else submit(browser, path, {"token": "guess"}))
            assert answer.status_code == 403
        for answer in (await log_in(browser, "guess"), await submit(browser, path, {"by": "Eve", "token": "guess"})):
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 61
            assert "oo many wrong ones were entered" in answer.text
        assert actions.acknowledged == {}
        assert (await submit(browser, path, {"by": "Ann", "token": TOKEN})).status_code == 200
        assert (await log_in(browser)).status_code == 303
        browser.cookies.clear()
        now[0] = 61
        assert (await log_in(browser, "guess")).status_code == 403, "a minute later nobody has to wait"


async def test_a_form_that_is_too_large_is_refused_before_it_is_taken_apart(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    async with browsing(actions, protect=False) as browser:
        login = await submit(browser, "/login", {"token": "x" * 16 * 1024})
        form = await submit(browser, path, {"by": "Ann", "token": TOKEN, "comment": "x" * 128 * 1024})
        assert (login.status_code, form.status_code) == (413, 413)
        assert actions.acknowledged == {}
        assert (await submit(browser, path, {"by": "Ann", "token": TOKEN, "comment": "x" * 10_000})).status_code == 200


async def test_wrong_tokens_are_counted_by_who_showed_them(actions):
    counted: list[str] = []
    async with browsing(actions, sessions=BrowserSessions(wrong=counted.append)) as browser:
        await log_in(browser, "guess")
        await browser.get("/metrics", headers={"Authorization": "Bearer guess"})
        await browser.get("/silences", headers={"Authorization": "bearer  guess"})
        await browser.get("/metrics", headers={"Authorization": "Basic Z3Vlc3M6Z3Vlc3M="})
        assert (await browser.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        await log_in(browser)
    assert counted == ["form", "bearer", "bearer"]


async def test_a_session_begins_with_an_id_of_our_own(actions):
    """Session fixation: an id that somebody else has put into the browser is never taken over."""
    sessions = BrowserSessions()
    async with browsing(actions, sessions=sessions) as browser:
        name = session_cookie(sessions)
        browser.cookies.set(name, "chosen-by-somebody-else", domain="127.0.0.1")
        await log_in(browser)
        first = browser.cookies[name]
        assert first != "chosen-by-somebody-else"
        form = await browser.get("/silences/new")
        browser.cookies.clear()
        await log_in(browser)
        assert browser.cookies[name] != first
        mixed = await browser.post("/silences/new", data=hidden_fields(form.text))
        assert mixed.status_code == 403, "a form of another session"


async def test_cookies_that_another_site_of_the_domain_has_added_change_nothing(actions):
    """Cookie tossing: of several cookies with our name, the one that we know counts."""
    sessions = BrowserSessions()
    name = session_cookie(sessions)
    async with browsing(actions, sessions=sessions) as browser:
        await log_in(browser)
        ours = browser.cookies[name]
        browser.cookies.clear()
        for cookies in (f"{name}=a; {name}={ours}", f"{name}={ours}; {name}=b"):
            assert (await browser.get("/silences/new", headers={"Cookie": cookies})).status_code == 200
        for cookies in (f"{name}=", name, f"{name}=\xff", ";;=;", "; ".join([f"{name}=a"] * 300)):
            answer = await browser.get("/silences/new", headers={"Cookie": cookies.encode("latin-1")})
            assert answer.status_code == 303


@pytest.mark.parametrize("protect", [True, False])
async def test_a_form_without_its_hidden_field_is_refused_with_what_to_do(actions, protect):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    async with browsing(actions, protect=protect) as browser:
        await log_in(browser)
        for field in ({}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "é"}):
            for target in (path, "/logout", "/silences/new"):
                answer = await browser.post(target, data={"by": "Ann", **field})
                assert answer.status_code == 403
                assert "load its page again" in answer.text
        login = await browser.post("/login", data={"token": TOKEN})
        assert login.status_code == 403
    assert actions.acknowledged == {}


async def test_without_a_token_forms_have_their_hidden_field_too(actions):
    path = f"/alerts/{actions.views[0].fingerprint}/acknowledge"
    async with browsing(actions, token="", protect=False) as browser:
        assert (await browser.post(path, data={"by": "Ann"})).status_code == 403
        assert (await submit(browser, path, {"by": "Ann"})).status_code == 200
        home = await browser.get("/login")
        assert (home.status_code, home.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    ("external_url", "headers", "secure", "path"),
    [
        ("", {}, False, "/"),
        ("https://sms.example.org", {}, True, "/"),
        ("https://sms.example.org/monitor/", {"Origin": "https://sms.example.org"}, True, "/monitor"),
        ("http://sms.example.org", {}, False, "/"),
    ],
)
async def test_the_cookie_is_as_narrow_as_it_can_be(actions, external_url, headers, secure, path):
    async with browsing(actions, external_url=external_url) as browser:
        answer = await log_in(browser, headers=headers)
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if "session" in one]
    attributes = {one.strip() for one in cookie.split(";")[1:]}
    expected = {"HttpOnly", "SameSite=Strict", "Max-Age=43200", f"Path={path}"} | ({"Secure"} if secure else set())
    assert attributes == expected
    assert len(cookie.partition("=")[2].partition(";")[0]) >= 43, "256 bits"


async def test_a_proxy_may_have_a_path_before_ours(actions):
    async with browsing(actions, external_url="https://sms.example.org/monitor/") as browser:
        sent = await browser.get("/silences/new")
        assert sent.headers["location"] == "/monitor/login?next=/silences/new"
        back = await log_in(browser, headers={"Origin": "https://sms.example.org"}, at="/login?next=/silences/new")
        assert back.headers["location"] == "/monitor/silences/new"


HOSTILE = [
    "https://evil.example.org",
    "//evil.example.org",
    "/\\evil.example.org",
    "/\t/evil.example.org",
    "/\n/evil.example.org",
    "\\\\evil.example.org",
    "javascript:alert(1)",
    "/a\r\nSet-Cookie: x=y",
    "/" + "a" * 5000,
    " /x",
    "",
]


@pytest.mark.parametrize("wanted", HOSTILE)
async def test_the_login_leads_to_own_pages_only(actions, wanted):
    assert own_address(wanted) == "/"
    async with browsing(actions) as browser:
        url = str(httpx.URL("/login", params={"next": wanted}))
        answer = await log_in(browser, at=url)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "x=y" not in str(answer.headers.get_list("set-cookie"))


async def test_the_path_of_a_request_is_no_way_to_another_site_either(actions):
    elsewhere = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with served(app_of(actions, protect=False)) as url:
        again = await ask(url, "//evil.example.org/%2e", **elsewhere)
        quoted = await ask(url, '/a"><b>', **elsewhere)
    assert b'url=/"' in again.body
    assert b"evil" not in again.body
    assert b"<b>" not in quoted.body


async def test_a_link_of_another_site_is_followed_once_more_so_that_the_cookie_comes_along(actions):
    elsewhere = HTML | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with browsing(actions) as browser:
        again = await browser.get("/silences/new?matcher=a%3Db&matcher=c", headers=elsewhere)
        assert again.status_code == 200
        assert re.search(
            r'http-equiv="refresh" content="0; url=/silences/new\?matcher=a%3Db&amp;matcher=c"', again.text
        )
        assert "set-cookie" not in again.headers
        image = await browser.get("/silences/new", headers=elsewhere | {"Sec-Fetch-Mode": "no-cors"})
        assert image.status_code == 303


async def test_another_origin_may_neither_log_in_nor_out(actions):
    async with browsing(actions, external_url="https://sms.example.org") as browser:
        page = await browser.get("/login")
        for headers in ({"Origin": "https://evil.example.org"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
            for path in ("/login", "/logout"):
                data = {"token": TOKEN, **hidden_fields(page.text)}
                assert (await browser.post(path, data=data, headers=headers)).status_code in (401, 403)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[]", "null"])
@pytest.mark.parametrize("path", ["/login", "/silences/new"])
async def test_an_origin_that_is_no_url_is_another_site(actions, origin, path):
    async with browsing(actions, protect=False) as browser:
        answer = await submit(browser, path, {"token": TOKEN}, {"Origin": origin})
    assert answer.status_code == 403
    assert "another site" in answer.text
