"""What this program costs, measured: ``python -m benchmarks [name ...] [--quick]``. docs/performance.md says what each figure means.

One file a benchmark, each with ``run(quick) -> list[Figure]``. They report and never fail: a machine's phases are not a defect.
"""
