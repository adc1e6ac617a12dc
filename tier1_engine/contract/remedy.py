"""What an error code means and what to do about it: the value in which a kind or check answers that. Pure.

Owns the value and the fields in its sentences. Which remedy fits a failure, and what the fields hold, is
found in `guidance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any


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


QuotaOf = Callable[[Mapping[str, str]], Quota | None]
"""Which quota it is, by the fields that are known; None where that cannot be said."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a failure means and what to do.

    Sentences and words of commands may hold fields, such as `{vpc_id}`: what `Kind.fields` says of the
    resource that failed, of those that its step needs, and of what the stack has but one of; always there
    are `{id}` and `{name}` of the deployment, `{region}` and `{account}`. After a colon a sentence says what
    stands there while the field is not known: `{type:the instance type}`. A command of which one field is
    not known is left out, and so is one about what is gone.

    Attributes:
        why: what AWS means by the code, one sentence.
        fix: what to do, in the order in which to try it, one sentence each.
        look: words of `aws` commands that show more.
        look_at_aws: the same, of commands that only AWS itself has; these come first.
        quota: the quota that it ran into, or how to tell which one.
    """

    why: str
    fix: tuple[str, ...]
    look: tuple[tuple[str, ...], ...] = ()
    inspect_on_aws: tuple[tuple[str, ...], ...] = ()
    quota: Quota | QuotaOf | None = None


Remedies = Mapping[str, Remedy]
"""Remedies by code, or by `Operation/code` where one operation means something else by it."""


def fields_of(text: str) -> set[str]:
    """The names of the fields in a sentence or word."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def filled(word: str, known: Mapping[str, str]) -> str | None:
    """A word of a command with its fields filled in; None when one of them is not known."""
    if any(not known.get(name) for name in fields_of(word)):
        return None
    return word.format_map(known)


def sentence(text: str, known: Mapping[str, str]) -> str:
    """A sentence with its fields filled in, those that are not known by its own words or by their name."""
    parts = []
    for literal, name, instead, _ in Formatter().parse(text):
        parts.append(literal)
        if name is not None:
            parts.append(known.get(name) or instead or f"the {name.removesuffix('_id').replace('_', ' ')}")
    return "".join(parts)


def plain_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """The words and numbers among `values`, as fields; what is nested or only a switch is none."""
    return {
        name: str(value)
        for name, value in values.items()
        if isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    }
