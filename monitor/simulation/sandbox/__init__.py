"""A local Routee: every endpoint the monitor uses, over seeded traffic with incidents and faults on cue. For tests, demos, benchmarks."""

from monitor.simulation.sandbox.server import run_sandbox, serve
from monitor.simulation.sandbox.state import DEFAULT_CREDENTIALS, Sandbox
from monitor.simulation.sandbox.traffic import Traffic

__all__ = ["DEFAULT_CREDENTIALS", "Sandbox", "Traffic", "run_sandbox", "serve"]
