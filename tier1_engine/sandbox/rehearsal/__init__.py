"""Plays scenarios against a spec and compares how they end."""
