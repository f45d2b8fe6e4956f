"""Whom to tell and when not: routes, matchers, silences, inhibition, time intervals. Pure."""
