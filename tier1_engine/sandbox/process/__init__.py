"""The local AWS as a process: start, stop, serve, and its control channel."""
