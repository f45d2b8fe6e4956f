"""Slack: messages, threads, charts, buttons."""
