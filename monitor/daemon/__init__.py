"""The daemon process: its tasks, the evaluation pipeline, configuration reload and the HTTP listener."""
