"""Views of alerts that begin to fire or change their severity and are not told yet, for where their rule is not known.

Where several daemons share the accounts, an account may pass to one that has not read the alert's rule yet. Labels, severity and annotations
come of the rule, so without a view that one could neither route the alert nor say what it is about.
"""

from collections.abc import Collection

import msgspec

from monitor.alerts.evaluation import ViewContext
from monitor.alerts.view import Views, kept
from monitor.dispatch.group_members import DispatchInput
from monitor.model.alert import Alert
from monitor.model.notification import AlertView
from monitor.routing.suppression import AT_ONCE
from monitor.runtime.pieces import Work, paced


def untold_views(given: DispatchInput, shown: Collection[str], told: Collection[str]) -> Work[dict[str, AlertView]]:
    """Returns, by fingerprint, the view that each firing alert is to keep whose own is missing or not of its present severity.

    Those in ``shown`` keep the view of a notification. Those in ``told``, of which receivers know already, keep the labels by which they
    are known, except for the severity.
    """
    found = {}
    for (one, (alert, views, context)), pauses in paced(given.known.items(), AT_ONCE):
        if alert.state == "firing" and one not in shown and alert.rule in views.evaluator.rules:
            was, begun = alert.view, alert.pending_at if alert.firing_at is None else alert.firing_at
            if was is None or (was.severity, was.starts_at) != (given.destinations[one].severity, begun):
                found[one] = yield from _view(alert, views, context, is_told=one in told)
        if pauses or one in found:  # its annotations were rendered, which takes the longest
            yield
    return found


def _view(alert: Alert, views: Views, context: ViewContext, *, is_told: bool) -> Work[AlertView]:
    known = len(views.errors)
    view = yield from views.viewing(alert, context)
    # What explains the alert is not made yet, and annotations that use it are rendered again when it is told.
    del views.errors[known:]
    if is_told and alert.view is not None:
        view = msgspec.structs.replace(view, labels=alert.view.labels | {"severity": view.severity})
    return kept(view)
