"""An endpoint on this host at which nobody answers any more: most likely a local AWS that is gone.

Owns the recognition of such an endpoint, and the command that brings it back. It starts nothing.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost"})
CONNECT_SECONDS = 1.0


def command_to_start(endpoint: str) -> str | None:
    """The command that starts a local AWS at this endpoint; None for one that is not on this host."""
    port = _local_port(endpoint)
    return None if port is None else f"tier1 sandbox start --port {port}"


def nobody_listens(endpoint: str) -> bool:
    """Whether the endpoint is on this host, and takes no connection."""
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
