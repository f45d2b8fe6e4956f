"""Reads the files that people write: YAML in general, monitor.yaml and rule files."""
