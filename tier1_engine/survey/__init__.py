"""Reads AWS for several who ask."""
