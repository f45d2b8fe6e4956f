"""Runs the rules on other messages: a local Routee, the demo, backtests, and rule tests."""
