"""Turns alerts into notifications: which groups exist, when each is notified, and what each notification contains."""
