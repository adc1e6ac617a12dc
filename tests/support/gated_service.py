"""A service that answers once a test lets it: until then, whatever deploys waits in its health check."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


def waits_for(port: int, timeout: str = "50s") -> str:
    """A health check that passes once somebody listens there; a part of a spec."""
    return f'health: {{timeout: {timeout}, services: [{{name: door, tcp: "127.0.0.1:{port}"}}]}}\n'


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Somebody does."""
    with socket.create_server(("127.0.0.1", port), reuse_port=True):
        yield
