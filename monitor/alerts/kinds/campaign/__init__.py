"""``campaign``: failures, stalls, shortfalls and the end of each campaign."""
