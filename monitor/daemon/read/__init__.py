"""What people and programs read of a running daemon: plain values, which pages and APIs show alike."""
