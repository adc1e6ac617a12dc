"""Reads and validates a spec, whatever its blueprint."""
