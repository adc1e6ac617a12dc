"""Fills the instance's addresses into the address template of a service. Pure.

Owns the remedies that all connecting checks share for a service that cannot be reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tier1_engine.checks._observations import CONSOLE_LINE
from tier1_engine.contract.remedy import Remedies, Remedy

PLACEHOLDERS = ("public_ip", "private_ip")
ADDRESS_UNKNOWN, NOT_CONNECTED = "AddressUnknown", "NotConnected"

REMEDIES: Remedies = {
    NOT_CONNECTED: Remedy(
        "The service does not accept connections from this host.",
        (
            "Check that it runs on the instance and listens on all addresses, not only on 127.0.0.1.",
            "Check that `network.ingress` allows this host on that port.",
            "Retry once it is up, continue without it, or roll back.",
        ),
        (CONSOLE_LINE,),
    ),
    ADDRESS_UNKNOWN: Remedy(
        "The check needs an address that the instance does not have.",
        ("Use `{{private_ip}}`, or subnets that assign public addresses.",),
    ),
}


def filled(template: str, inputs: Mapping[str, Any]) -> str | None:
    """Return the template with `{public_ip}` and `{private_ip}` replaced, or None while one is unknown.

    Nothing else is interpreted, so other braces in a path or query are left as they are.
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
