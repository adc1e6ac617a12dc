"""Decodes EC2's encoded authorization failures into the words that other services use.

Owns the conversion of what `sts:DecodeAuthorizationMessage` returns. Without that permission, or on an
emulator, the message stays as it is, and the guide prints the command that decodes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

ENCODED = re.compile(r"Encoded authorization failure message:\s*(\S+)")
CONDITIONS_LIMIT = 8


def in_words(message: str, decoded: str) -> str:
    """Replace the encoded part of a message by what it says; return it unchanged if that cannot be read.

    Args:
        decoded: a JSON object with `explicitDeny`, `matchedStatements` and `context` (see aws/aws-cli#8538).
    """
    try:
        value = json.loads(decoded)
        context = value.get("context") or {}
        action, resource = str(context.get("action") or ""), str(context.get("resource") or "")
        denied = bool(value.get("explicitDeny"))
        conditions = _conditions(value.get("matchedStatements") or {})
    except (ValueError, AttributeError, TypeError):
        return message
    if not action:
        return message
    reason = (
        "with an explicit deny" if denied else f"because no identity-based policy allows the {action} action"
    )
    said = f"is not authorized to perform: {action} on resource: {resource or '*'} {reason}"
    if conditions and denied:
        said = f"{said} (by a condition on {', '.join(conditions)})"
    return f"{ENCODED.sub('', message).strip()} The identity {said}".strip()


def _conditions(matched: Mapping[str, Any]) -> list[str]:
    """The condition keys of the statements that decided, such as `aws:RequestTag/Project`."""
    keys = [
        str(one.get("key"))
        for statement in matched.get("items") or ()
        for one in (statement.get("conditions") or {}).get("items") or ()
    ]
    return list(dict.fromkeys(keys))[:CONDITIONS_LIMIT]
