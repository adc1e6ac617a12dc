"""Checks that a service answers HTTP: one request, no redirects followed, only the status line read."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tier1_engine.checks import _addresses
from tier1_engine.checks._addresses import ADDRESS_UNKNOWN, NOT_CONNECTED, filled
from tier1_engine.checks._observations import PASSED, reason, waiting
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Check, Observation
from tier1_engine.contract.remedy import Remedies, Remedy

LOOK_SECONDS = 5.0
"""The limit for connecting and receiving the status line; a server that trickles bytes cannot extend it."""
STATUS_LINE_LIMIT_BYTES = 4096
_STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3})")
REMEDIES: Remedies = {
    **_addresses.REMEDIES,
    "NotHttp": Remedy(
        "What listens on that port does not speak HTTP.",
        ("Check the port and scheme in `health.services`, or use `tcp` for it.",),
    ),
    "HTTP": Remedy(
        "The service responds, but with a status that is neither 2xx nor 3xx.",
        ("Check its log on the instance and the path in `health.services`, then retry.",),
    ),
}


class Http(Check):
    """Passes on 2xx and 3xx. Inputs: `{url: with placeholders, public_ip, private_ip}`."""

    name = "http"
    title = "HTTP service"
    remedies = REMEDIES

    def __init__(self, look_seconds: float = LOOK_SECONDS) -> None:
        self._look_seconds = look_seconds

    def look(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        url = filled(str(inputs["url"]), inputs)
        if url is None:
            return waiting(ADDRESS_UNKNOWN, "The instance's address is not known yet.")
        try:
            status = _status(url, self._look_seconds)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return waiting(NOT_CONNECTED, f"{url} does not respond: {reason(error)}.")
        if status is None:
            return waiting("NotHttp", f"{url} responds with something other than HTTP.")
        if 200 <= status < 400:
            return PASSED
        return waiting(f"HTTP{status}", f"{url} responds with status {status}.")


def _status(url: str, look_seconds: float) -> int | None:
    """Return the status of one GET, or None if the response is not HTTP.

    `http.client` ignores the proxies of the environment.

    Raises:
        OSError: no connection, or no status line in time.
        http.client.HTTPException: the URL's host or path is not valid.
    """
    parts = urlsplit(url)
    deadline = time.monotonic() + look_seconds
    connection = _connection(parts.scheme, parts.netloc.rpartition("@")[2], look_seconds)
    try:
        path = parts.path or "/"
        connection.request(
            "GET",
            f"{path}?{parts.query}" if parts.query else path,
            headers={"Connection": "close", "User-Agent": "tier1-health-check"},
        )
        match = _STATUS_LINE.match(_first_line(connection, deadline))
        return int(match[1]) if match else None
    finally:
        connection.close()


def _connection(scheme: str, host: str, timeout_seconds: float) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, timeout=timeout_seconds)
    # A certificate cannot name an address that EC2 has just assigned, and nothing secret is sent:
    # the check is only whether the service answers.
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, timeout=timeout_seconds, context=trusting)


def _first_line(connection: http.client.HTTPConnection, deadline: float) -> bytes:
    """Return the first line of the response, within the deadline and the size limit.

    Raises:
        TimeoutError: the line did not arrive by the deadline, on the monotonic clock.
    """
    received = b""
    while b"\n" not in received and len(received) < STATUS_LINE_LIMIT_BYTES:
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError("no status line in time")
        connection.sock.settimeout(left_seconds)
        piece = connection.sock.recv(STATUS_LINE_LIMIT_BYTES - len(received))
        if not piece:
            break
        received += piece
    return received
