"""What a report is made from says of each search since when it is known."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.alerts.report import AccountSource
from monitor.daemon.report_source import source_of
from monitor.model.account_state import NOTHING_KNOWN
from monitor.model.routee_query import AccountBalance
from monitor.runtime.clock import DAY, HOUR
from monitor.store.protocol import Commit, Cursor, Store
from monitor.store.sqlite import open_sqlite
from tests.fakes.written import CONFIG, settings

SEVERAL = CONFIG.replace(
    "searches:\n",
    "  - {name: second, application_id: id2, application_secret: secret2}\n"
    "  - {name: pushed, application_id: id3, application_secret: secret3}\n"
    "retention: 30d\n"
    "searches:\n  - {name: rare, account: main, every: 30s}\n  - {name: new, account: second, every: 30s}\n",
)
NOW = 100 * DAY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_sqlite(tmp_path / "store.db")) as opened:
        yield opened


def accounts(store: Store) -> dict[str, AccountSource]:
    made = settings(config=SEVERAL)
    return {
        one.window.account: one
        for one in source_of(store, store.load(), made.config, made.rules, NOW - DAY, NOW)[0].accounts
    }


def test_a_search_that_was_not_polled_yet_leaves_the_others_known(store: Store) -> None:
    store.commit(Commit(cursors=[Cursor("main", "all", NOW, NOW - 30 * DAY)]))
    found = accounts(store)
    assert found["main"].searches == {"all": NOW - 30 * DAY, "rare": None}
    assert (found["main"].as_of, found["main"].known_since) == (None, None)
    assert found["second"].searches == {"new": None}
    assert found["pushed"].searches == {}
    store.commit(Commit(cursors=[Cursor("main", "rare", NOW - HOUR, NOW - DAY)]))
    main = accounts(store)["main"]
    assert main.searches == {"all": NOW - 30 * DAY, "rare": NOW - DAY}
    assert (main.as_of, main.known_since) == (NOW - HOUR, NOW - DAY)


def test_the_currency_is_that_of_the_latest_balance(store: Store) -> None:
    state = NOTHING_KNOWN.with_balance(NOW, AccountBalance(200.0, "EUR"))
    store.commit(Commit(account_states={"main": state}))
    found = accounts(store)
    assert (found["main"].currency, found["second"].currency) == ("EUR", "")
