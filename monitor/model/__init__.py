"""Plain value types: message, finding, alert, notification."""
