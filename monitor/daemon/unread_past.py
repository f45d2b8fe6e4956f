"""How far back each search is still to be read, because rules look further back than its resweeps do. Pure."""

from collections.abc import Callable, Iterable

from monitor.alerts.coverage import SearchCoverage
from monitor.alerts.furthest_rules import furthest_looking
from monitor.config.monitor import Config
from monitor.config.rules import Rule
from monitor.daemon.search_plan import deepest_sweeps_of
from monitor.ingest.poll.plan import horizon, on_grid
from monitor.runtime.clock import Duration, Instant
from monitor.store.protocol import Cursor


def unread_past(
    config: Config, rules: Iterable[Rule], cursors: Iterable[Cursor], lost_to: Callable[[str], Instant], now: Instant
) -> dict[tuple[str, str], Duration]:
    """Returns by account and search how far back of ``now`` messages are still to be read beside the resweeps; searches without any are not in it.

    ``lost_to`` returns up to when an account's messages were lost from the store; 0: none were.
    """
    looking, found = furthest_looking(rule for rule in rules if rule.enabled), {}
    by_account: dict[str, dict[str, Cursor]] = {}
    for cursor in cursors:
        by_account.setdefault(cursor.account, {})[cursor.search] = cursor
    for account, known in by_account.items():
        coverage = SearchCoverage(one.name for one in config.searches if one.account == account)
        coverage.cursors, coverage.deepest = known, deepest_sweeps_of(account, config)
        coverage.lost_to = lost_to(account)
        for name in coverage.searches:
            back = coverage.unread(name, now, looking)
            if back and known[name].covered_since > on_grid(max(now - back, horizon(now))):
                found[account, name] = back
    return found
