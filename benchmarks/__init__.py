"""Measurements of the engine; run from a checkout, not shipped."""
