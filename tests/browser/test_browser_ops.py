"""Logging in, silences and dead letters, in a real browser against a real daemon."""

import re
from collections.abc import Iterator

import pytest
from ops_daemon import CHROMIUM, TOKEN, Hook, daemon, hook, needs_chromium
from playwright.sync_api import Browser, Page, expect, sync_playwright

HOSTILE = "</p><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">'\"&"
SECONDS = 60_000
"""Milliseconds after which a wait counts as hanging, even on a busy machine."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Hook]:
    needs_chromium()
    with hook() as made:
        yield made


@pytest.fixture(scope="module")
def url(receiver: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("ops")
    tls = {"cert_file": "tls.crt", "key_file": "tls.key"}
    with daemon(folder, receiver.url, protect_reads=True, tls=tls) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    needs_chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(browser: Browser, request: pytest.FixtureRequest, url: str) -> Iterator[Page]:
    context = browser.new_context(base_url=url, ignore_https_errors=True, java_script_enabled=request.param)
    context.set_default_timeout(SECONDS)
    yield context.new_page()
    context.close()


def log_in(page: Page, token: str = TOKEN) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def until_it_says(page: Page, path: str, text: str) -> None:
    """Loads the page until it has the text."""
    for _ in range(200):
        page.goto(path)
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(300)
    raise AssertionError(f"{path} never said {text!r}: {page.content()}")


def test_a_browser_logs_in_and_out(page: Page, browser: Browser, url: str) -> None:
    page.goto("/silences/new?matcher=operator%3DCosmote")
    expect(page).to_have_url(re.compile("/login"))
    log_in(page, "a wrong token")
    expect(page.get_by_role("alert")).to_contain_text("not that of web.token")
    log_in(page)
    expect(page).to_have_url(re.compile("/silences/new.matcher=operator%3DCosmote$"))
    [cookie] = [one for one in page.context.cookies() if "session" in one["name"]]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", True)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login$"))
    page.goto("/silences")
    expect(page).to_have_url(re.compile("/login"))


@pytest.mark.parametrize("page", [True], ids=["with JavaScript"], indirect=True)
def test_an_open_page_leads_to_the_login_once_the_session_is_over(page: Page) -> None:
    page.goto("/rules")
    log_in(page)
    expect(page.locator("h1")).to_have_text("Rules")
    page.context.clear_cookies()
    expect(page).to_have_url(re.compile("/login.next=/rules$"), timeout=30_000)
    log_in(page)
    expect(page.locator("h1")).to_have_text("Rules")


def test_a_link_of_another_site_finds_the_browser_logged_in(page: Page, receiver: Hook) -> None:
    page.goto("/login")
    log_in(page)
    page.route(
        "http://chat.example.org/",
        lambda route: route.fulfill(body=f'<a href="{page.url}silences">go</a>', content_type="text/html"),
    )
    page.goto("http://chat.example.org/")
    page.get_by_role("link", name="go").click()
    expect(page.get_by_role("heading", name="Silences", exact=True)).to_be_visible()


def test_a_form_of_another_site_changes_nothing(page: Page) -> None:
    page.goto("/login")
    log_in(page)
    target = page.url + "silences/new"
    form = (
        f'<form method="post" action="{target}"><input name="matchers" value="operator=x"><button>send</button></form>'
    )
    page.route("http://evil.example.org/", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto("http://evil.example.org/")
    page.get_by_role("button", name="send").click()
    expect(page.locator("body")).to_contain_text(re.compile("another site|Bearer"))
    page.goto(target.removesuffix("/new"))
    expect(page.get_by_text('operator="x"')).to_have_count(0)


def test_a_silence_is_previewed_made_edited_extended_and_ended(page: Page) -> None:
    page.goto("/login")
    log_in(page)
    until_it_says(page, "/silences/new?matcher=alertname%3DBusy", "firing alerts")
    page.get_by_label("Matchers").fill('alertname=Busy\noperator=~"Cos.*"')
    page.get_by_label("Comment").fill(HOSTILE)
    page.get_by_label("Your name").fill("Ann")
    page.get_by_role("button", name="Show what it hides").click()
    expect(page.get_by_role("heading", name="Hides 1 firing alert")).to_be_visible()
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_role("heading", name="Silenced")).to_be_visible()

    page.goto("/silences")
    card = page.get_by_role("article")
    expect(card).to_have_count(1)
    expect(card).to_contain_text(HOSTILE)
    expect(card).to_contain_text("1 firing alert")
    assert "owned" not in page.title()
    card.get_by_role("button", name=re.compile("by 4h")).click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    card.get_by_role("link", name=re.compile("Edit")).click()
    page.get_by_label("Comment").fill("they know")
    page.get_by_role("button", name="Change the silence").click()
    expect(card).to_contain_text("they know")
    expect(card).to_contain_text(re.compile("in [45]h"))
    card.get_by_role("button", name=re.compile("End")).click()
    expect(page.get_by_role("status").filter(has_text="Ended")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(0)
    page.get_by_role("link", name=re.compile("Expired")).click()
    expect(page.get_by_role("article").first).to_contain_text("they know")


@pytest.mark.parametrize("page", [False], indirect=True, ids=["without JavaScript"])
def test_a_dead_letter_is_sent_again_by_its_button(page: Page, receiver: Hook) -> None:
    receiver.status = 404
    page.goto("/login")
    log_in(page)
    until_it_says(page, "/receivers", "Retry all")
    receiver.status = 200
    page.get_by_role("button", name="Send all dead letters again").click()
    expect(page.get_by_role("status").filter(has_text="will be sent again")).to_be_visible()
    until_it_says(page, "/notifications?outcome=sent", "Busy")
    assert receiver.accepted


@pytest.mark.parametrize("page", [True], indirect=True, ids=["with JavaScript"])
def test_pages_load_nothing_that_the_policy_refuses(page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto("/login")
    log_in(page)
    for path in ("/silences", "/silences/new", "/receivers", "/searches", "/notifications", "/login"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert [one for one in said if "Content Security Policy" in one] == [], path
