"""routee-monitor: watches SMS delivery through Routee and tells the ops team first."""
