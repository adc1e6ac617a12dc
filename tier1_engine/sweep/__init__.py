"""Finds and cleans up what was left behind."""
