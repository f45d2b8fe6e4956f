"""Polls searches: what is requested of Routee, when, and when a poll counts as complete.

`search_tasks.poll_search` keeps one search up to date while it runs. In a poll, `plan` computes the span of time, `reader` reads it completely,
and the `sink` takes rows and the cursor. `sweep` reads older spans again, and avoids downloads with `sweep_ledger`. Nothing is imported here:
`plan` is pure, and commands use it alone.
"""
