"""The database fails midway: full, gone, locked, replaced, taken over."""
