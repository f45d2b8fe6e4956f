"""No page is larger than 100 KB, with all that it loads, however much there is to show: each list is at its longest here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from plain_client import ask, served
from starlette.routing import Route

from monitor.config.monitor import Web
from monitor.daemon.http.html_pages import FILES
from monitor.daemon.http.reloadable_app import ReloadableApp
from monitor.routing.matchers import Matcher
from monitor.routing.silences import Silence
from monitor.runtime.clock import HOUR, MINUTE
from monitor.store.protocol import Commit, Pending
from tests.fakes.daemon_reading import AT_ONCE, Reading
from tests.fakes.pipeline_harness import traffic
from tests.store.store_samples import notification

LARGEST = 100_000
GROUPS = 1_000
COUNTRIES = ("GR", "DE", "FR", "IT", "ES", "NL", "PL", "SE", "PT", "AT", "BE", "CZ", "DK", "FI")
CONFIG = AT_ONCE.replace("group_by: [alertname]", "group_by: [alertname, operator]").replace(
    "searches:\n", "searches:\n" + "".join(f"  - {{name: search-{n}, account: main}}\n" for n in range(60))
)
RULES = (
    "rules:\n"
    "  - {name: Failing, kind: rate, by: [operator, country], window: 5m, above: 20%, incident: {name: delivery, by: [country]}}\n"
    "  - {name: FailingCampaign, kind: rate, by: [campaign], window: 5m, above: 20%}\n"
) + "".join(
    f"  - {{name: VolumeOfOperatorAndCountry{n}, description: Fewer messages than usual on a working day, kind: count, window: 5m, above: {n}000}}\n"
    for n in range(1, 150)
)


def operator(number: int) -> str:
    return f"Cosmote Mobile Telecommunications {number:04}"


@pytest.fixture
async def reading(tmp_path: Path) -> AsyncIterator[Reading]:
    """A daemon with a thousand groups that fail, each with its alert, and long lists of everything else."""
    made = Reading(tmp_path / "monitor.db", RULES, CONFIG)
    for _ in range(3):
        made.clock.at += MINUTE
        rows = [
            row
            for n in range(GROUPS)
            for row in traffic(
                *(2, 2 + n % 3),
                operator=operator(n),
                country=COUNTRIES[n % len(COUNTRIES)],
                detailedStatus=("Absent Subscriber", "Carrier Violation", "Invalid Destination")[n % 3],
                campaign=f"Summer sale of the shop, part {n % 70}",
                campaignTrackingId=f"182d20da-0000-4000-8000-{n % 70:012}",
                **{"from": f"Shop {n % 9}"},
            )
        ]
        await made.harness.poll(rows)
    for search in range(60):
        await made.harness.poll((), f"search-{search}")
    now = made.clock.now()
    for number in range(60):
        matchers = (Matcher("alertname", "=", "Failing"), Matcher("operator", "=", operator(number)))
        why = "maintenance announced by the operator until the evening"
        silence = Silence(f"silence-{number}", matchers, now, now + HOUR, "ann@example.org", why, now)
        await made.harness.actions.put_silence(silence)
    store = made.harness.store
    for number in range(60):
        told = notification(f"k{number}", episode=f"k{number}")
        store.commit(Commit(outbox=[Pending("console/0", told)]))
    for row in store.outbox_rows(limit=30):
        store.rejected(row.id, "http://127.0.0.1 answered 404; check the URL and its credentials", now)
    yield made
    store.close()


async def test_no_page_is_larger_than_it_may_be(reading: Reading) -> None:
    app = ReloadableApp(
        Web(), reading.harness.settings.config, reading.harness.pipeline, reading.harness.front, reading.reader
    )
    alerts = await reading.reader.alerts.page()
    first = next(one for one in alerts.items if one.labels["alertname"] == "Failing")
    addresses = {
        "/": "/",
        "/rules": "/rules",
        "/rules/{name}": "/rules/Failing",
        "/alerts/{fingerprint}": f"/alerts/{first.fingerprint}",
        "/alerts/{fingerprint}/acknowledge": f"/alerts/{first.fingerprint}/acknowledge",
        "/campaigns": "/campaigns",
        "/campaigns/{tracking_id:path}": "/campaigns/182d20da-0000-4000-8000-000000000001",
        "/incidents/{id}": f"/incidents/{first.incident}",
        "/silences": "/silences",
        "/silences/new": "/silences/new?matcher=alertname%3DFailing",
        "/silences/{id}/edit": "/silences/silence-1/edit",
        "/searches": "/searches",
        "/receivers": "/receivers",
        "/notifications": "/notifications",
        "/login": "/login",
    }
    pages = {
        one.path
        for one in app.routes
        if isinstance(one, Route) and "GET" in (one.methods or ()) and not one.path.startswith("/api/")
    }
    assert set(addresses) == pages - {
        "/history",
        "/healthz",
        "/readyz",
        "/metrics",
        "/events",
        *(f"/{name}" for name in FILES),
    }
    async with served(app) as url:
        files = sum([len((await ask(url, f"/{name}")).body) for name in FILES])
        sizes: dict[str, int] = {}
        for address in addresses.values():
            answer = await ask(url, address, Accept="text/html")
            assert answer.status == (303 if address == "/login" else 200), (address, answer.body)
            sizes[address] = files + len(answer.body)
    assert max(sizes.values()) <= LARGEST, sizes
