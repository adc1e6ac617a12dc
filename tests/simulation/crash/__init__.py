"""Kills, interruptions and takeovers at every instant, in process and on a virtual clock."""
