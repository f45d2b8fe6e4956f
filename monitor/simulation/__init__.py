"""The same rules on other messages: a local Routee, the demo, backtests, rule tests."""
