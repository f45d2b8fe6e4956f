"""Views of alerts that begin to fire or change their severity and are not told yet, for where their rule is not known.

Where several daemons share the accounts, an account may pass to one that has not read the alert's rule yet. Labels, severity and annotations
come of the rule, so without a view that one could neither route the alert nor say what it is about.
"""

import re
from collections import Counter
from collections.abc import Collection
from typing import Final

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.view import DEEPEST, Views, kept
from monitor.config.rules import Rule
from monitor.dispatch.destinations import Key
from monitor.dispatch.group_members import DispatchInput
from monitor.model.alert import Alert
from monitor.model.notification import AlertView
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.pieces import Work, paced

_EXPLAINS: Final = re.compile(r"\b(breakdown|samples|history)\b")
"""The names in templates of what explains an alert."""


def untold_views(given: DispatchInput, shown: Collection[str]) -> Work[dict[str, AlertView]]:
    """Returns, by fingerprint, the view that each firing alert is to keep whose own is missing or not of its present severity.

    Those in ``shown`` keep the view of a notification. Annotations that use what explains an alert get it for as many alerts of a group as a
    notification does.
    """
    found, explained = {}, Counter[Key]()
    for (one, known), pauses in paced(given.known.items(), AT_ONCE):
        alert, views = known.alert, known.views
        if alert.state == "firing" and one not in shown and alert.rule in views.evaluator.rules:
            was, begun = alert.view, alert.pending_at if alert.firing_at is None else alert.firing_at
            if was is None or (was.severity, was.starts_at) != (given.destinations[one].severity, begun):
                groups = [each.key for each in given.destinations[one].destinations]
                deep = _is_explained(views.evaluator.rules[alert.rule]) and any(
                    explained[key] < DEEPEST for key in groups
                )
                explained.update(groups if deep else ())
                found[one] = yield from _view(alert, views, known.context, deep=deep)
        if pauses or one in found:  # its annotations were rendered, which takes the longest
            yield
    return found


def _is_explained(rule: Rule) -> bool:
    """Returns whether annotations of the rule use what explains an alert."""
    return any(_EXPLAINS.search(text) for text in rule.annotations.values())


def _view(alert: Alert, views: Views, context: ViewContext, *, deep: bool) -> Work[AlertView]:
    known = len(views.errors)
    view = yield from views.viewing(alert, context, deep=deep)
    # Annotations are rendered again when the alert is told; what fails then is said then.
    del views.errors[known:]
    return kept(view)
