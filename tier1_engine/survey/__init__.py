"""Reads AWS across accounts and regions, for sweeps and reports."""
