"""Masks secrets in everything that people see: user data, passwords and tokens in URLs, AWS keys. Pure.

Owns what counts as a secret. Three columns may hold secrets, because a deployment needs them to act: the
spec, a step's inputs and a resource's request. Nothing else does: errors, events, logs and everything printed
are masked here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
LEAST_CHARACTERS = 16
"""The minimum length of an environment value that is hidden wherever it appears. AWS's have 40 or more
characters; a short one (the dummy keys of a local AWS) may be an ordinary word."""

_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.-]*://[^\s/?#:@]*):[^\s/?#]*@", re.IGNORECASE)
_QUERY_SECRET = re.compile(
    r"(?P<head>[?&#][^\s=&#]*(?:token|secret|passw|key|signature|credential)[^\s=&#]*=)[^\s&#]*",
    re.IGNORECASE,
)
_SIGNED_TOKEN = re.compile(r"(?P<head>x-amz-security-token\s*[:=]\s*)\S+", re.IGNORECASE)
"""The session token in AWS's quote of the request, when a signature does not match."""


def masked(value: Any) -> Any:
    """Return `value` with each `user_data` replaced by its SHA-256 and each secret in a text by `***`."""
    if isinstance(value, Mapping):
        return {
            key: _digest(item) if key == "user_data" and item is not None else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the text without passwords and tokens in URLs, and without the secret keys of this process."""
    for name in SECRET_VARIABLES:
        secret = environ.get(name, "")
        if len(secret) >= LEAST_CHARACTERS:
            text = text.replace(secret, HIDDEN)
    if "x-amz-security-token" in text.lower():
        text = _SIGNED_TOKEN.sub(rf"\g<head>{HIDDEN}", text)
    if "://" not in text:
        return text
    return _QUERY_SECRET.sub(rf"\g<head>{HIDDEN}", _PASSWORD.sub(rf"\g<head>:{HIDDEN}@", text))


def has_password(url: str) -> bool:
    """Whether a URL contains a password."""
    return _PASSWORD.search(url) is not None


def digest(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal, to show in its place."""
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(user_data: Any) -> dict[str, str]:
    """Digest user data, which is `{path, sha256, text}` in a spec, has a `script` in inputs, or is text."""
    if isinstance(user_data, Mapping):
        user_data = user_data.get("text", user_data.get("script", user_data))
    text = user_data if isinstance(user_data, str) else json.dumps(user_data, sort_keys=True)
    return {"sha256": digest(text)}
