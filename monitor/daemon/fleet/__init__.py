"""Several daemons on one store: which accounts this one holds, and what follows from that."""
