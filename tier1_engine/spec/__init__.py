"""Reads and validates specs of any blueprint."""
