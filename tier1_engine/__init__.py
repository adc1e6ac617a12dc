"""`tier1`: deployments on AWS as a state machine on a database. Imports nothing; owns the version."""

__version__ = "0.1.0"
