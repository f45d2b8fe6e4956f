"""Any of the services that the library Apprise knows."""
