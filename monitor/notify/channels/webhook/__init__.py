"""Webhooks: any HTTP endpoint, also of the services whose templates come with the program."""
