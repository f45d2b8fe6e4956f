"""``spike``: now against a baseline, as a number or as a share."""
