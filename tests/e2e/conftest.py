"""The tests of cut cables need a network of their own, which they may change: `.ci/network` makes one and says so."""

import os

collect_ignore = [] if "OWN_NETWORK" in os.environ else ["test_e2e_network.py"]
