"""The answers of Routee about the balance and about campaigns in a test."""

from bisect import bisect_right
from typing import Final

from monitor.model.account_state import AccountState
from monitor.model.routee_query import AccountBalance, CampaignState
from monitor.runtime.clock import Instant
from monitor.simulation.ruletest.model import ASKED_EVERY, RuleTest

Answer = tuple[Instant, AccountBalance | CampaignState]


class ScriptedAnswers:
    """The answers of a test in the order of time."""

    def __init__(self, test: RuleTest) -> None:
        self._answers: Final = sorted(_answers(test), key=lambda answer: answer[0])
        self._done = 0

    def with_answers(self, account_state: AccountState, until: Instant) -> AccountState:
        """Returns the account_state with every answer up to that instant that has not been added before."""
        end = bisect_right(self._answers, until, key=lambda answer: answer[0])
        for at, answer in self._answers[self._done : end]:
            account_state = (
                account_state.with_balance(at, answer)
                if isinstance(answer, AccountBalance)
                else account_state.with_campaign(at, answer)
            )
        self._done = max(end, self._done)
        return account_state


def _answers(test: RuleTest) -> list[Answer]:
    found: list[Answer] = []
    for left in test.balance:
        balance = AccountBalance(left.amount, left.currency)
        found += [(test.start + left.at + index * ASKED_EVERY, balance) for index in range(left.number)]
    for said in test.campaigns:
        state = CampaignState(said.campaign_tracking_id, said.campaign, said.state, {}, said.recipients)
        found.append((test.start + said.at, state))
    return found
