"""Speaks to AWS: sessions, errors, shared calls, and the words that kinds have in common."""
