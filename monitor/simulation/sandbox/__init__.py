"""A local Routee for tests, demos and benchmarks: every endpoint that the monitor uses, with seeded traffic, incidents and faults on demand."""

from monitor.simulation.sandbox.server import run_sandbox, serve
from monitor.simulation.sandbox.state import DEFAULT_CREDENTIALS, Sandbox
from monitor.simulation.sandbox.traffic import Traffic

__all__ = ["DEFAULT_CREDENTIALS", "Sandbox", "Traffic", "run_sandbox", "serve"]
