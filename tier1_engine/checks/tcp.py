"""Checks that a service accepts TCP connections. It opens one and closes it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from tier1_engine.checks._addresses import ADDRESS_UNKNOWN, NOT_CONNECTED, REMEDIES, filled
from tier1_engine.checks._observations import PASSED, reason, waiting
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Check, Observation

CONNECT_SECONDS = 5.0


class Tcp(Check):
    """Passes if a connection opens. Inputs: `{tcp: "host:port" with placeholders, public_ip, private_ip}`."""

    name = "tcp"
    title = "TCP service"
    remedies = REMEDIES

    def look(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        where = filled(str(inputs["tcp"]), inputs)
        if where is None:
            return waiting(ADDRESS_UNKNOWN, "The instance's address is not known yet.")
        host, _, port = where.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS):
                return PASSED
        except (OSError, ValueError) as error:
            return waiting(NOT_CONNECTED, f"{where} does not accept connections: {reason(error)}.")
