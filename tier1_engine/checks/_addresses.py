"""Where a service is: the template of the spec with the instance's addresses put in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLACEHOLDERS = ("public_ip", "private_ip")


def filled(template: str, inputs: Mapping[str, Any]) -> str | None:
    """The template with its `{public_ip}` and `{private_ip}` replaced; None while one is not known.

    Nothing else in it is interpreted, so a brace in a path or query stays what it is.
    """
    for name in PLACEHOLDERS:
        placeholder = "{" + name + "}"
        if placeholder not in template:
            continue
        address = inputs.get(name)
        if not address:
            return None
        template = template.replace(placeholder, str(address))
    return template
