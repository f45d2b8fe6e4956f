"""Makes a sample alert to try receivers with."""

from typing import TYPE_CHECKING

from monitor.cli.choices import known

if TYPE_CHECKING:
    from monitor.daemon.validate import SettingsWithTemplates
    from monitor.model.notification import AlertView, Notification


def sample(rule: str | None, loaded: "SettingsWithTemplates") -> "AlertView":
    """Returns an alert of ``rule``, or an example, that has been firing for five minutes. Raises MonitorError if the rule does not exist."""
    import msgspec

    from monitor.alerts.view import links_of
    from monitor.daemon.validate import sample_of
    from monitor.notify.render import sample_view
    from monitor.runtime.clock import MINUTE, SystemClock

    now = SystemClock().now()
    then = {"starts_at": now - 5 * MINUTE, "as_of": now}
    if rule is None:
        view = sample_view("TestNotification", "rate", ("operator", "country"), severity="info")
        return msgspec.structs.replace(view, **then, links=())
    rules = {one.name: one for one in loaded.settings.rules}
    found = rules[known("rule", rule, rules)]
    view = sample_of(found, len(loaded.settings.config.accounts))
    view = msgspec.structs.replace(view, **then, links=links_of(found))
    texts, _ = loaded.templates.render_annotations(found.annotations, view)
    return msgspec.structs.replace(view, annotations=texts)


def as_test(view: "AlertView") -> "AlertView":
    """Returns the alert marked as a test in everything that is sent: labels, annotations, severity and its name in sentences."""
    import msgspec

    marked = {"test": "true", "severity": "none"}
    note = {"test": "This is a test of routee-monitor. Nothing is wrong."}
    return msgspec.structs.replace(
        view,
        name=f"{view.name} (test)",
        severity="none",
        labels=view.labels | marked,
        annotations=view.annotations | note,
    )


def over(view: "AlertView", loaded: "SettingsWithTemplates") -> "AlertView":
    """Returns the alert as resolved: its value is normal again, and its annotations are rendered for its end."""
    import msgspec

    from monitor.alerts.view import kept

    ended = {"status": "resolved", "ends_at": view.as_of, "resolved_because": "recovered"}
    ended_view = msgspec.structs.replace(kept(_recovered(view)), **ended, history=view.history)
    rule = next((rule for rule in loaded.settings.rules if rule.name == view.rule), None)
    if rule is None:
        return ended_view
    texts, _ = loaded.templates.render_annotations(rule.annotations, ended_view)
    return msgspec.structs.replace(ended_view, annotations=texts)


def _recovered(view: "AlertView") -> "AlertView":
    """Returns the alert with a value on the right side of its threshold."""
    import msgspec

    if view.value is None or not view.threshold:
        return view
    value = view.threshold * (0.5 if view.comparison == "above" else 2)
    matching = round(view.messages * value) if view.unit == "share" else view.matching
    return msgspec.structs.replace(view, value=value, matching=matching)


def notification_to(
    receiver: str, view: "AlertView", loaded: "SettingsWithTemplates", **more: object
) -> "Notification":
    """Returns a notification of that alert alone, to ``receiver``; ``more`` are further fields of it."""
    import msgspec

    from monitor.notify.render import sample_notification

    web = loaded.settings.config.web
    url = (web.external_url or "") if web is not None else ""
    made = sample_notification([view], receiver)
    return msgspec.structs.replace(made, **({"created_at": view.as_of, "external_url": url} | more))
