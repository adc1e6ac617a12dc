"""Proves that a request comes from the owner of a sandbox, and that a reply comes from the sandbox itself.

Owns the signatures of the control path. The key is the token of the state file, which is never sent: a
program that listens on the sandbox's port instead learns nothing with which it could answer, or ask. The
sandbox holds its port as long as it lives and has a new token at each start, so a recorded request is of no
use either.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import Final

SCHEME: Final = "Tier1-HMAC-SHA256"
PROOF_HEADER: Final = "Tier1-Proof"
"""The header of a reply with the sandbox's signature."""


def draw_nonce() -> str:
    """A challenge, never used twice."""
    return secrets.token_hex(16)


def authorization(token: str, nonce: str, method: str, path: str, body: bytes) -> str:
    """The `Authorization` header of a request."""
    return f"{SCHEME} {nonce} {_sign(token, 'request', nonce, method, path, body.hex())}"


def authorized(token: str, header: str, method: str, path: str, body: bytes) -> str | None:
    """The nonce of a request that was signed with the token; None for any other."""
    nonce = header.split()[1] if len(header.split()) > 1 else ""
    wanted = authorization(token, nonce, method, path, body)
    return nonce if token and hmac.compare_digest(wanted.encode(), header.encode()) else None


def proof(token: str, nonce: str, status: int, body: bytes) -> str:
    """The sandbox's signature of its reply to the request with this nonce."""
    return _sign(token, "reply", nonce, str(status), body.hex())


def proved(token: str, nonce: str, status: int, body: bytes, given: str) -> bool:
    """Whether a reply is signed with the token."""
    return bool(token) and hmac.compare_digest(proof(token, nonce, status, body).encode(), given.encode())


def _sign(token: str, *parts: str) -> str:
    return hmac.new(token.encode(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()
