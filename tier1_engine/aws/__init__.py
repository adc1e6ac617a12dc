"""Calls AWS: sessions, error translation, shared calls, and what resource kinds have in common."""
