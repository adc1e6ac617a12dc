"""The local AWS for rehearsals: start it, stop it, and read its status."""

from tier1_engine.sandbox.process.server import start, status, stop
from tier1_engine.sandbox.process.state import Options, Status

__all__ = ["Options", "Status", "start", "status", "stop"]
