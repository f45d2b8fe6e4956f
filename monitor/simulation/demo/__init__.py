"""The demo: runs the real daemon on a local Routee, an hour in a minute, and shows it on a terminal. It needs no credentials and leaves no files.

runner      runs Routee, the daemon and the story together         script    what goes wrong, and when
sparklines  the state of the traffic in one line                   screen    a terminal whose last line changes
clock       a clock that runs as fast as the demo needs            words     the texts of the demo

``monitor.yaml`` is the configuration that it runs with, ``yours.yaml`` the one that it shows at its end.
Nothing is imported here: the daemon uses `screen` alone.
"""
