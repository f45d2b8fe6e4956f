"""Turns alerts and notifications into sentences, plain text, payloads and charts. Nothing here sends anything.

alert_sentence     one alert as one sentence           notification_text     which alerts of a notification, and what changed
text               a notification as lines of text     alertmanager_payload  a notification as Alertmanager's JSON
sanitize, escape   data made safe to show              links                 addresses of the status page
context            the names that templates see        templates             all templates, compiled on request
compiled_template  one template, checked and rendered  template_problem      what is wrong with one
jinja_sandbox      the environment of templates        budget, work,         limits the work of one rendering
chart_geometry,    values over time: where all is      budgeted_code
chart_scale        drawn, and the axes                 alert_chart           the chart of one alert
chart_svg          paints a chart as SVG               chart                 paints an alert's chart as a picture
"""

from monitor.notify.render.alert_sentence import sentence
from monitor.notify.render.context import alert_context, awkward, notification_context, sample_notification, sample_view
from monitor.notify.render.template_problem import TemplateProblem
from monitor.notify.render.templates import Templates
from monitor.notify.render.text import plain_text

__all__ = [
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
