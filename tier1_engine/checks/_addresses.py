"""Where a service is: the template of the spec with the instance's addresses put in. Pure.

Owns what it means, for every check that connects, when nobody is there.
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
