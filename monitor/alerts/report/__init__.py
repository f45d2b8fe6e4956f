"""The report for people: what was delivered, spent and told in the last days. `model` says what is in it, `build` computes it."""

from monitor.alerts.report.build import AccountSource, ReportSource, build
from monitor.alerts.report.model import DeliveryReport

__all__ = ["AccountSource", "DeliveryReport", "ReportSource", "build"]
