"""Says which rules wait because messages that they look at are still to be read from Routee: new ones, or ones that the store lost."""

from collections.abc import Iterable
from typing import Final

from monitor.alerts.unread_messages import LOST, UNREAD
from monitor.daemon.account_pipeline import AccountPipeline
from monitor.model.format import datetime
from monitor.model.plurals import first_of

_MOST_NAMED: Final = 5
"""How many rules a sentence names."""


def unread_messages(accounts: Iterable[AccountPipeline]) -> list[str]:
    """Returns a sentence for each account with rules that look at messages which are still to be read."""
    return [sentence for account in accounts if (sentence := _sentence(account))]


def _sentence(account: AccountPipeline) -> str:
    coverage, rules = account.evaluator.coverage, account.evaluator.rules.values()
    found = [(rule.name, before) for rule in rules if (before := coverage.missing_before(rule)) is not None]
    if not found:
        return ""
    of = f"{'rule' if len(found) == 1 else 'rules'} {first_of([name for name, _ in found], _MOST_NAMED)}"
    latest = max(before for _, before in found)
    why = LOST if latest <= coverage.lost_to else UNREAD
    until = f"until what they look at is read, no alert of {of} ends, and most do not begin"
    return f"Messages of account {account.name} before {datetime(latest)} {why}: {until}"
