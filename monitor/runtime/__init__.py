"""Helpers that are independent of messages and alerts: time, errors, tasks, logs, the environment, the terminal."""
