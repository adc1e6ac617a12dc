"""Real processes: killed, cut off, frozen, interrupted, refused."""
