"""The console: writes notifications to the terminal."""
