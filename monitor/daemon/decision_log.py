"""Logs, at the level ``debug``, which rules were evaluated, and what was decided to be sent. Says no labels, which may be recipients."""

import logging
from collections.abc import Collection
from typing import Final

from monitor.daemon.account_pipeline import Proposal
from monitor.dispatch.dispatcher import DispatchPlan
from monitor.runtime.clock import iso

log = logging.getLogger("monitor")
_MOST_NAMED: Final = 10
"""The most rules of an evaluation that are named: those that took longest."""


def log_evaluation(proposal: Proposal) -> None:
    """Logs which rules a poll, a sweep or pushed reports made due, how many groups they have, and how long they took."""
    if proposal.account is None or not log.isEnabledFor(logging.DEBUG):
        return
    result = proposal.result
    if proposal.cursor is None and not result.pushed:
        return
    groups = {rule: len(found.codes) for (rule, _), found in result.found.items()}
    slowest = sorted(result.seconds.items(), key=lambda one: -one[1])[:_MOST_NAMED]
    named = ", ".join(f"{rule} {groups.get(rule, 0)} groups {seconds * 1000:.1f} ms" for rule, seconds in slowest)
    cause = "pushed reports" if proposal.cursor is None else f"search {proposal.cursor.search}"
    log.debug(
        "evaluated account %s after %s: %d rules, %d groups, %d alerts changed, %d failed, %.1f ms%s",
        *(proposal.account.name, cause, len(result.evaluated), sum(groups.values()), len(result.alerts)),
        *(len(result.errors), sum(result.seconds.values()) * 1000, f" (the longest: {named})" if named else ""),
        extra={"account": proposal.account.name},
    )


def log_flush(among: Collection[str] | None, plan: DispatchPlan, alerts: int, seconds: float, *, commits: bool) -> None:
    """Logs how many alerts a flush went over, what it decided, and when the next one is due."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    whose = "all accounts" if among is None else f"account {', '.join(sorted(among))}"
    log.debug(
        "flushed %s: %d notifications to send, %d groups changed, %d ended, %d alerts gone over, %s, next at %s, %.1f ms",
        *(
            whose,
            len(plan.outbox),
            len(plan.groups),
            len(plan.dropped),
            alerts,
            "committed" if commits else "nothing to commit",
        ),
        *("no time" if plan.next_flush is None else iso(plan.next_flush), seconds * 1000),
    )
