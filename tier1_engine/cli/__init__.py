"""The command line: what an operator types, and what the screen says of it."""
