"""Renders a `monitor.alerts.report.DeliveryReport`: as text, as HTML, as JSON, and in short for receivers."""

from monitor.notify.render.report.document import document
from monitor.notify.render.report.page import page
from monitor.notify.render.report.text import text

__all__ = ["document", "page", "text"]
