"""Alerts in words: sentences, plain text, templates, escaping. Nothing here sends anything.

words      data made fit to be shown          filters   numbers, shares, times, sparklines
sentence   one alert in one sentence          story     one notification: which alerts, what changed
text       a notification as lines of text    payload   a notification as Alertmanager's JSON
escape     data made harmless for a channel   context   the names that templates see, samples of them
environment   the sandbox                     templates   compile, check, render; the errors of templates
"""

from monitor.notify.render.alert_sentence import sentence
from monitor.notify.render.context import alert_context, awkward, notification_context, sample_notification, sample_view
from monitor.notify.render.templates import Template, TemplateProblem, Templates
from monitor.notify.render.text import plain_text

__all__ = [
    "Template",
    "TemplateProblem",
    "Templates",
    "alert_context",
    "awkward",
    "notification_context",
    "plain_text",
    "sample_notification",
    "sample_view",
    "sentence",
]
