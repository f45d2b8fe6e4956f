"""Values that travel: message, finding, alert, notification."""
