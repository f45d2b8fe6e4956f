"""Webhooks: any HTTP endpoint, including the services whose templates are part of the program."""
