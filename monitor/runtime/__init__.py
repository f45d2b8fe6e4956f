"""What knows nothing of messages or alerts: time, errors, tasks, logs, the environment, the terminal."""
