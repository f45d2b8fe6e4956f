"""These tests need a booted systemd with the service in it: `.ci/systemd` makes one and says where it is."""

import os

collect_ignore_glob = [] if "SYSTEM_LEADER" in os.environ else ["test_*.py"]
