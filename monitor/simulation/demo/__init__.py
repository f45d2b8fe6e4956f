"""The demo: the real daemon on a local Routee, an hour in a minute, told on a terminal. It needs no credentials and leaves nothing.

stage       wires Routee, the daemon and the story together        acts      what goes wrong, and when
glance      one line on how the traffic does                       screen    a terminal with a line that changes
clock       as fast as the story needs                             words     what the demo says

``monitor.yaml`` is the configuration that it runs with, ``yours.yaml`` the one that it ends with.
"""

from monitor.simulation.demo.runner import DEFAULT_SEED, DEFAULT_SPEED, demo

__all__ = ["DEFAULT_SEED", "DEFAULT_SPEED", "demo"]
