"""axe-core finds no barrier on any page, in both themes, on a phone and on a wide screen. The pages are the application's own routes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from axe_playwright_python.sync_playwright import Axe
from browser_stage import RATE, Daemon, LocalRoutee, browsing, messages
from ops_daemon import Hook, hook
from playwright.sync_api import Browser, Page, expect
from starlette.routing import Route

from monitor.config.monitor import Web
from monitor.daemon.http.reloadable_app import ReloadableApp
from tests.fakes.daemon_reading import Reading

TOKEN = "a-web-token-of-many-letters"
WIDTHS = (360, 1280)
NO_PAGES = {"/history", "/healthz", "/readyz", "/metrics", "/events", "/page.css", "/page.js"}
"""What is answered, below ``/api`` besides, and is no page."""


async def page_routes(folder: Path) -> set[str]:
    """The paths of all pages that a daemon has."""
    made = Reading(folder / "routes.db")
    app = ReloadableApp(Web(), made.harness.settings.config, made.harness.pipeline, made.harness.front, made.reader)
    found = {route.path for route in app.routes if isinstance(route, Route) and "GET" in (route.methods or ())}
    await made.harness.front.close()
    return {path for path in found if not path.startswith("/api/")} - NO_PAGES


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as made:
        yield made


@pytest.fixture
def guarded_daemon(tmp_path: Path, routee: LocalRoutee, receiver: Hook) -> Iterator[Daemon]:
    """A daemon with a token, whose receiver refuses everything."""
    found = Daemon(
        *(tmp_path, routee, [RATE | {"incident": {"name": "delivery", "by": ["country"]}}]),
        receivers=[{"name": "ops", "webhook": [{"url": receiver.url}]}],
        route={"receiver": "ops", "group_wait": "0s"},
        web={"listen": "127.0.0.1:0", "token": TOKEN},
    )
    found.start()
    yield found
    found.stop()


class Site:
    """A daemon with something on each of its pages, as a browser finds it."""

    def __init__(self, page: Page, daemon: Daemon) -> None:
        self.page, self.url = page, daemon.url

    def first(self, start: str, links: str) -> str:
        """The address of the first of those links on a page."""
        self.page.goto(f"{self.url}{start}")
        found = self.page.locator(links).first.get_attribute("href")
        assert found is not None
        return found

    def until(self, path: str, words: str) -> None:
        """Loads a page until it has those words."""
        for _ in range(200):
            self.page.goto(f"{self.url}{path}")
            if self.page.get_by_text(words).count():
                return
            self.page.wait_for_timeout(200)
        raise AssertionError(f"{path} never had {words!r}: {self.page.locator('main').inner_text()}")

    def alert(self, operator: str) -> str:
        """The address of the page of an operator's alert, once it fires."""
        for _ in range(200):
            for one in self.page.request.get(f"{self.url}/api/v1/alerts").json()["items"]:
                if one["labels"].get("operator") == operator and one["state"] == "firing":
                    return f"/alerts/{one['fingerprint']}"
            self.page.wait_for_timeout(200)
        raise AssertionError(f"{operator} never fired")

    def log_in(self) -> None:
        self.page.goto(f"{self.url}/login")
        self.page.get_by_label("Token").fill(TOKEN)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("button", name="Log out")).to_be_visible()

    def silence(self) -> None:
        """Makes a silence."""
        self.page.goto(f"{self.url}/silences/new?matcher=operator%3DNobody")
        self.page.get_by_label("Comment").fill("maintenance")
        self.page.get_by_label("Your name").fill("Ann")
        self.page.get_by_role("button", name="Silence", exact=True).click()
        expect(self.page.get_by_role("heading", name="Silenced")).to_be_visible()

    def acknowledge(self, alert: str) -> None:
        self.page.goto(f"{self.url}{alert}/acknowledge")
        self.page.get_by_label("Your name").fill("Ann")
        self.page.get_by_role("button", name="Acknowledge").click()
        expect(self.page.get_by_role("heading", name="Acknowledged")).to_be_visible()

    def by_route(self, alert: str) -> dict[str, str]:
        """An address for each route of a page; ``alert`` is that of an alert that fires."""
        return {
            "/": "/",
            "/login": "/login",
            "/rules": "/rules",
            "/rules/{name}": "/rules/Failing",
            "/alerts/{fingerprint}": alert,
            "/alerts/{fingerprint}/acknowledge": f"{alert}/acknowledge",
            "/campaigns": "/campaigns",
            "/campaigns/{tracking_id:path}": self.first("/campaigns", "tbody a"),
            "/incidents/{id}": self.first(alert, "a[href*='/incidents/']"),
            "/silences": "/silences",
            "/silences/new": "/silences/new",
            "/silences/{id}/edit": self.first("/silences", "a[href$='/edit']"),
            "/searches": "/searches",
            "/receivers": "/receivers",
            "/notifications": "/notifications",
        }

    def barriers(self, address: str) -> list[tuple[object, ...]]:
        """What axe-core finds on a page at each width, and whether the page is wider than the screen."""
        self.page.goto(f"{self.url}{address}")
        return self.barriers_here(address)

    def barriers_here(self, what: str) -> list[tuple[object, ...]]:
        """The same of the page that is open, which is ``what``."""
        # After a click the words of a page may be there before its style sheet, in the browser's own colours.
        self.page.wait_for_load_state("load")
        found: list[tuple[object, ...]] = []
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 800})
            violations = Axe().run(self.page).response["violations"]
            found += [(what, width, one["id"], one["nodes"][0]["html"]) for one in violations]
            if not self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                found.append((what, width, "wider than the screen"))
        return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(
    browser: Browser, guarded_daemon: Daemon, routee: LocalRoutee, tmp_path: Path, theme: str
) -> None:
    routee.put(messages("over", operator="Nova", campaign="Sale", campaignTrackingId="c-1"))
    routee.put(messages("bad", count=30))
    with browsing(browser, color_scheme=theme) as page:
        site = Site(page, guarded_daemon)
        alert, over = site.alert("Cosmote"), site.alert("Nova")
        routee.put(messages("good", "Delivered", 400, operator="Nova"))
        site.until(over, "resolved after")
        site.until("/receivers", "Why it was refused")
        site.log_in()
        site.silence()
        found = site.barriers_here("a silence that was made")
        addresses = site.by_route(alert)
        site.acknowledge(alert)
        found += site.barriers_here("an alert that was acknowledged")
        for address in ("/", "/silences", "/receivers"):
            found += site.barriers(address)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible()

        assert set(addresses) == trio.run(page_routes, tmp_path), "a page without an address here was not looked at"
        for address in addresses.values():
            found += site.barriers(address)
        for address in (over, "/silences?show=expired", "/silences/new?matcher=operator%3DNova"):
            found += site.barriers(address)
    context = browser.new_context(color_scheme=theme)  # its console says that there is no such page
    found += Site(context.new_page(), guarded_daemon).barriers("/nowhere")
    context.close()
    assert found == []
