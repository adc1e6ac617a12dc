"""The engine on a virtual clock and a cloud in memory, and what kills it there."""
