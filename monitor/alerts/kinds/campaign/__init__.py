"""``campaign``: how each campaign fares, from its first message to its end."""
