"""The process: tasks, pipeline, reload, listener."""
