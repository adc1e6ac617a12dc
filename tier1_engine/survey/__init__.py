"""Looks at AWS for several who ask."""
