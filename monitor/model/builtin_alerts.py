"""Alerts that the daemon raises about itself. They have the same states and notifications as any other alert."""

from typing import Final

from monitor.model.alert import Policy
from monitor.model.finding import Finding
from monitor.runtime.clock import DAY
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One built-in alert: its name, its severity, its texts, and ``advice`` that says what a person can do."""

    name: str
    severity: str
    summary: str
    ended: str
    """The summary once it is over."""
    advice: str
    of_account: bool = True
    """Whether it concerns one account, which it names if there are several."""


MONITOR_BLIND: Final = BuiltIn(
    "MonitorBlind",
    "critical",
    "routee-monitor completes no poll of Routee",
    "routee-monitor completes polls of Routee again",
    "Nothing fires and nothing resolves from this search until a poll is complete again. If the reason is the store, mend that. Otherwise check "
    "the credentials, the network and Routee's status page; `routee-monitor check --online` says which of them it is.",
)
GAP_IN_HISTORY: Final = BuiltIn(
    "GapInHistory",
    "warning",
    "messages were missed",
    "the gap in the history is a day old",
    "routee-monitor was down for longer than Routee's API can give back. Values of windows and baselines that reach into "
    'the gap say "not enough data" until it has passed. This alert ends by itself after a day.',
)
HISTORY_UNREAD: Final = BuiltIn(
    "HistoryUnread",
    "warning",
    "past messages are still to be read, and reading them makes no progress",
    "past messages are read again",
    "Rules that look at these messages wait: none of their alerts ends, and most do not begin. Other rules go on. It is tried again at every "
    "poll. The reason says what to mend; `routee-monitor status` names the rules.",
)
RULE_ERROR: Final = BuiltIn(
    "RuleError",
    "warning",
    "a rule cannot be judged",
    "the rule is judged again",
    "Its alerts stay as they are, and it is tried again at the next poll. `routee-monitor explain RULE` shows the error.",
)
NOTIFICATION_FAILING: Final = BuiltIn(
    "NotificationFailing",
    "critical",
    "a receiver gets no notifications",
    "the receiver gets notifications again",
    "Whoever reads only there knows of no alert now. What waits is tried again until it is taken; dead letters "
    "(`routee-monitor alerts --dead-letters`) are not. Mend what the reason names; `routee-monitor send-test RECEIVER` shows whether it works. "
    "This alert ends when something is taken there again.",
    of_account=False,
)
INTERNAL_ERROR: Final = BuiltIn(
    "InternalError",
    "warning",
    "a part of routee-monitor fails",
    "the part of routee-monitor works again",
    "This is a fault of routee-monitor. It tries again by itself, and everything else goes on. Please report it with the traceback in the log. "
    "This alert ends when the part has not failed for ten minutes.",
    of_account=False,
)
GAP_IS_TOLD_FOR: Final = DAY
"""How long GapInHistory fires."""
AT_ONCE: Final = Policy()
"""The policy of built-in alerts: they fire and end without delay."""
BUILT_IN: Final = {
    one.name: one
    for one in (MONITOR_BLIND, GAP_IN_HISTORY, HISTORY_UNREAD, RULE_ERROR, NOTIFICATION_FAILING, INTERNAL_ERROR)
}


def finding(why: str, **group: str) -> Finding:
    """Returns the finding that makes a built-in alert fire for the ``group``. ``why`` is the reason as a text."""
    return Finding(tuple(group.items()), 1, None, None, why)


def over(**group: str) -> Finding:
    """Returns the finding that ends a built-in alert for the ``group``."""
    return Finding(tuple(group.items()), 0, None, None, "over")
