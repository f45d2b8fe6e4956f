"""From alerts to notifications: groups, their timing, what each notification says of whom."""
