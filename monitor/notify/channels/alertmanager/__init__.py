"""Alertmanagers: `monitor.notify.alertmanager_push` tells them what fires, `client` posts it."""
