"""What must outlive the process: one protocol, one module a database."""
