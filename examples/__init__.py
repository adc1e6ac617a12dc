"""Specs to begin with, and the demo; run from a checkout, not shipped."""
