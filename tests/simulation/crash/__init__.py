"""Killed, interrupted and replaced at every instant, in process and on a virtual clock."""
