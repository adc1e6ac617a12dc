"""The database fails in the middle: full, gone, locked, replaced, taken over."""
