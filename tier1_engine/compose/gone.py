"""Recognises a local endpoint that no longer responds, most likely a local AWS that was stopped.

Owns that check and the command that starts the local AWS again. It starts nothing itself.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost"})
CONNECT_SECONDS = 1.0


def command_to_start(endpoint: str) -> str | None:
    """Return the command that starts a local AWS at this endpoint, or None if it is not on this host."""
    port = _local_port(endpoint)
    return None if port is None else f"tier1 sandbox start --port {port}"


def nobody_listens(endpoint: str) -> bool:
    """Whether the endpoint is on this host and accepts no connection."""
    port = _local_port(endpoint)
    if port is None:
        return False
    with socket.socket() as probe:
        probe.settimeout(CONNECT_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _local_port(endpoint: str) -> int | None:
    try:
        place = urlsplit(endpoint)
        port = place.port
    except ValueError:
        return None
    return port if place.hostname in LOCAL_HOSTS and place.scheme == "http" else None
