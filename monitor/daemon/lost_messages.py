"""Says which rules' alerts do not end yet, because messages that they look at were lost from the store and are read from Routee again."""

from collections.abc import Iterable
from typing import Final

from monitor.alerts.lost_messages import LOST
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.model.format import datetime
from monitor.model.plurals import first_of

_MOST_NAMED: Final = 5
"""How many rules a sentence names."""


def lost_messages(accounts: Iterable[AccountPipeline]) -> list[str]:
    """Returns a sentence for each account with rules that look at messages which were lost."""
    return [sentence for account in accounts if (sentence := _sentence(account))]


def _sentence(account: AccountPipeline) -> str:
    coverage, rules = account.evaluator.coverage, account.evaluator.rules.values()
    if not coverage.lost_to:
        return ""
    found = [(rule.name, before) for rule in rules if (before := coverage.missing_before(rule)) is not None]
    if not found:
        return ""
    of = f"{'rule' if len(found) == 1 else 'rules'} {first_of([name for name, _ in found], _MOST_NAMED)}"
    latest = datetime(max(before for _, before in found))
    until = f"until what they look at is read, no alert of {of} ends, and most do not begin"
    return f"Messages of account {account.name} before {latest} {LOST}: {until}"
