"""What a remedy is, and which one fits a failure: by operation and code, else by code, else by what it is
about. Pure.

Owns the look-up. The remedies themselves stand in the catalogues beside it; sentences and commands may
hold fields such as `{subnet_id}`, and those whose fields are not known are left out, never printed empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from tier1_engine.failures.codes import about_of
from tier1_engine.failures.final_codes import About


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of Service Quotas.

    Attributes:
        service: its service code; `code`: its quota code.
        title: as Service Quotas calls it.
        more: how much more is asked for than there is.
        region: where the quota is kept, if not in the deployment's region.
        adjustable: whether AWS raises it on request.
    """

    service: str
    code: str
    title: str
    more: int = 5
    region: str | None = None
    adjustable: bool = True


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a failure means and what to do.

    Attributes:
        why: what AWS says by it, one sentence.
        mend: what to do, in the order in which to try it, one sentence each.
        look: words of `aws` commands that show more.
        quota: the quota that it ran into.
    """

    why: str
    mend: tuple[str, ...]
    look: tuple[tuple[str, ...], ...] = ()
    quota: Quota | None = None


Catalogue = Mapping[str, Remedy]
"""By code, or by `Operation/code` where one operation means something else by it."""


def fields_of(text: str) -> set[str]:
    """The names of the fields in a sentence or word."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def filled(text: str, known: Mapping[str, str]) -> str | None:
    """The text with its fields filled in; None when one of them is not known."""
    if any(not known.get(name) for name in fields_of(text)):
        return None
    return text.format_map(known)


def remedy_of(code: str, operation: str | None, catalogue: Catalogue) -> Remedy:
    """The remedy for a failure; there is one for every code, known or not."""
    for key in (f"{operation}/{code}", code):
        if key in catalogue:
            return catalogue[key]
    if code.startswith("HTTP"):
        return catalogue["HTTP"]
    about = about_of(code)
    return BY_ABOUT.get(about, UNKNOWN)


BY_ABOUT: Mapping[About | None, Remedy] = {
    About.ACCESS: Remedy(
        "The credentials lack a permission that this call needs.",
        ("Grant the action below to the user or role that runs tier1, then retry.",),
    ),
    About.ACCOUNT: Remedy(
        "AWS has restricted the account until it is verified or its bill is paid.",
        ("Contact AWS Support together with the account's owner, and retry once the restriction is lifted.",),
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
        "What the call refers to does not exist, or not in {region}.",
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
        ("Check it with the commands below, wait or release it, then resume.",),
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
