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
        ("Have the action below allowed to whoever runs tier1, then try again.",),
    ),
    About.ACCOUNT: Remedy(
        "AWS holds the account itself back, until it is verified or its bill is settled.",
        ("Open the AWS Support Center with the account's owner, and try again once AWS has let it go.",),
    ),
    About.CAPACITY: Remedy(
        "AWS has no room for it at the moment.",
        ("Try again later, or name more types or zones in the spec.",),
    ),
    About.QUOTA: Remedy(
        "The account has reached a limit of its own.",
        ("Delete what is not needed any more, or ask AWS to raise the limit, then try again.",),
    ),
    About.MISSING: Remedy(
        "What the call refers to is not there, or not in {region}.",
        (
            "If the spec names it, correct it there; if tier1 made it, somebody else has deleted it.",
            "Try again: tier1 makes anew what is gone.",
        ),
    ),
    About.CONFLICT: Remedy(
        "Something else has the name, the place or the number that was asked for.",
        ("Find out whose it is with the commands below; tier1 changes nothing that is not its own.",),
    ),
    About.STATE: Remedy(
        "The resource is not in a state in which this can be done.",
        ("Look at it with the commands below, wait or free it, then go on.",),
    ),
    About.REQUEST: Remedy(
        "What the spec asks for cannot be made like this; AWS's own words say which value.",
        ("Correct the spec, roll this deployment back, and deploy again.",),
    ),
    About.CREDENTIALS: Remedy(
        "AWS does not accept the credentials, so nothing can be done, not even a rollback.",
        ("Sign in again to account {account}, then go on.",),
    ),
    About.AWS: Remedy(
        "AWS throttled, failed or did not answer, also when it was tried again.",
        ("Nothing of yours is wrong: look at the AWS Health Dashboard, and try again in some minutes.",),
    ),
}
UNKNOWN = Remedy(
    "This is not a code that tier1 knows; AWS's own words above say what it means.",
    ("Look at what is there with the commands below, mend what the words name, then try again.",),
)
