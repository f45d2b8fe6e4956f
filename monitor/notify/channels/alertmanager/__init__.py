"""Alertmanagers: `client` posts the alerts that `monitor.notify.alertmanager_push` selects."""
