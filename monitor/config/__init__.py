"""Everything that people write: YAML, monitor.yaml, rules."""
