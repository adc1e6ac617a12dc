"""A service that answers once a test opens it: until then, a deployment waits in its health check."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


def waits_for(port: int, timeout: str = "50s") -> str:
    """A health check that passes once a server listens on the port; a part of a spec."""
    return f'health: {{timeout: {timeout}, services: [{{name: door, tcp: "127.0.0.1:{port}"}}]}}\n'


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Listen on the port."""
    with socket.create_server(("127.0.0.1", port), reuse_port=True):
        yield
