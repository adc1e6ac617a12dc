"""Programs for contributors, run from a checkout; not shipped."""
