"""Measures what this program costs: ``python -m benchmarks [name ...] [--quick]``. docs/performance.md says what each figure means.

Each benchmark is a file with ``run(quick) -> list[Figure]``. A missed target is no failure, because the speed of a machine varies.
"""
