"""Faults and scenarios: what goes wrong on the local AWS, and when."""
