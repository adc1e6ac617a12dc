"""One request to the control path of a sandbox, whose reply is believed only with the sandbox's signature.

Owns that exchange. It knows a sandbox by its record, and neither starts nor ends one.
"""

from __future__ import annotations

import http.client
from typing import Final
from urllib.parse import urlsplit

from tier1_engine.sandbox.process.proof import PROOF_HEADER, authorization, draw_nonce, proved
from tier1_engine.sandbox.process.routes import IDENTITY_PATH
from tier1_engine.sandbox.process.state import Record

ANSWER_SECONDS: Final = 5.0
ANSWER_BYTES_LIMIT: Final = 64 * 1024 * 1024
"""More than the census of a full account; an endless answer ends here."""


class Unproved(Exception):
    """Whatever answers is not the sandbox."""


def ask(record: Record, method: str, path: str, body: bytes, seconds: float) -> tuple[int, bytes]:
    """The status and the body of the sandbox's own reply.

    Args:
        seconds: how long each part of the exchange may take.

    Raises:
        OSError, http.client.HTTPException, ValueError: there was no readable reply.
        Unproved: the reply comes from another program.
    """
    nonce = draw_nonce()
    place = urlsplit(record.endpoint)
    connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=seconds)
    try:
        signed = {"Authorization": authorization(record.token, nonce, method, path, body)}
        connection.request(method, path, body or None, signed)
        reply = connection.getresponse()
        said = reply.read(ANSWER_BYTES_LIMIT)
    finally:
        connection.close()
    if not proved(record.token, nonce, reply.status, said, reply.getheader(PROOF_HEADER, "")):
        raise Unproved(record.endpoint)
    return reply.status, said


def answers(record: Record) -> bool:
    """Whether the sandbox itself listens at its endpoint and answers in time."""
    try:
        ask(record, "GET", IDENTITY_PATH, b"", ANSWER_SECONDS)
    except (OSError, http.client.HTTPException, ValueError, Unproved):
        return False
    return True
