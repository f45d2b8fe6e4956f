"""Decides who is notified and when: routes, matchers, silences, inhibition, time intervals. Pure functions."""
