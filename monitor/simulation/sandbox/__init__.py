"""A local Routee: every endpoint the monitor uses, over seeded traffic with incidents and faults on cue. For tests, demos, benchmarks."""

from monitor.routee.sandbox.server import run_sandbox, serve
from monitor.routee.sandbox.state import DEFAULT_CREDENTIALS, Sandbox
from monitor.routee.sandbox.traffic import Traffic

__all__ = ["DEFAULT_CREDENTIALS", "Sandbox", "Traffic", "run_sandbox", "serve"]
