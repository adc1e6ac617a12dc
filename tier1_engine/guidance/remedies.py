"""Choose the remedy for a failure: from the kind or check, else shared, else by the group of the code. Pure.

Owns the lookup and the fallback remedies. The others are defined with the kinds and checks whose calls return
the codes, or in `catalogue` when none of them owns the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tier1_engine.contract.remedy import Remedies, Remedy
from tier1_engine.failures.codes import about_of
from tier1_engine.failures.final_codes import About
from tier1_engine.guidance.catalogue import CATALOGUE

DIGITS = "0123456789"


def remedy_of(code: str, operation: str | None, own: Remedies) -> Remedy:
    """The remedy for a failure; every code has one, known or not.

    Args:
        own: the remedies of the kind or check that failed.
    """
    for remedies in (own, CATALOGUE):
        for key in _keys(code, operation):
            if key in remedies:
                return remedies[key]
    return BY_ABOUT.get(about_of(code), UNKNOWN)


def _keys(code: str, operation: str | None) -> Iterator[str]:
    """The keys to look up, the most specific first: `HTTP503` also matches `HTTP`, `A.B.C` also `A.B.*`."""
    if operation is not None:
        yield f"{operation}/{code}"
    yield code
    yield code.rstrip(DIGITS)
    yield f"{code.rpartition('.')[0]}.*"


BY_ABOUT: Mapping[About | None, Remedy] = {
    About.ACCESS: Remedy(
        "The credentials lack a permission that this call needs.",
        ("Grant the action below to the user or role that runs tier1, then retry.",),
    ),
    About.ACCOUNT: Remedy(
        "AWS has restricted the account until it is verified or its bill is paid.",
        ("Contact AWS Support with the account's owner, then retry once the restriction is lifted.",),
    ),
    About.CAPACITY: Remedy(
        "AWS has no capacity for it at the moment.",
        ("Retry later, or add types or zones to the spec.",),
    ),
    About.QUOTA: Remedy(
        "The account has reached a limit.",
        ("Delete what is no longer needed, or ask AWS to raise the limit, then retry.",),
    ),
    About.MISSING: Remedy(
        "Something that the call refers to does not exist in {region}.",
        (
            "If the spec names it, correct the spec; if tier1 created it, somebody else has deleted it.",
            "Retry: tier1 recreates what is missing.",
        ),
    ),
    About.CONFLICT: Remedy(
        "Something else already has the requested name, place or number.",
        ("Find out who owns it with the commands below; tier1 never changes what it does not own.",),
    ),
    About.STATE: Remedy(
        "The state of the resource does not allow this.",
        ("Check it with the commands below, wait until its state allows it, then resume.",),
    ),
    About.REQUEST: Remedy(
        "AWS rejects a value of the spec; its message says which one.",
        ("Correct the spec, roll this deployment back, and deploy again.",),
    ),
    About.CREDENTIALS: Remedy(
        "AWS does not accept the credentials, so nothing can be done, not even a rollback.",
        ("Sign in again to account {account}, then resume.",),
    ),
    About.AWS: Remedy(
        "AWS throttled the call, failed or did not respond, even after retries.",
        ("Nothing is wrong on your side: check the AWS Health Dashboard, and retry in a few minutes.",),
    ),
}
UNKNOWN = Remedy(
    "tier1 does not know this code; AWS's message above says what it means.",
    ("Check the resources with the commands below, fix what the message names, then retry.",),
)
