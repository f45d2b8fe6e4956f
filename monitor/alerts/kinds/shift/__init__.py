"""``shift``: a sequential test of each group for a change of a probability. See docs/decisions/0026-sequential-test.md."""
