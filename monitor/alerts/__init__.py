"""Rules are evaluated, alerts are made, explained and remembered."""
