"""Remedies: what an error code of a kind or check means and what to do about it. Pure.

Owns the value and the fields in its sentences. `guidance` selects the remedy for a failure and fills in the
fields.
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
        title: its name in Service Quotas.
        more: the increase to request.
        region: the region of the quota, if not the deployment's.
        adjustable: whether AWS raises it on request.
    """

    service: str
    code: str
    title: str
    more: int = 5
    region: str | None = None
    adjustable: bool = True


QuotaOf = Callable[[Mapping[str, str]], Quota | None]
"""Determines the quota from the known fields; None if it cannot be determined."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a failure means and what to do.

    Sentences and command words may contain fields such as `{vpc_id}`. They come from `Kind.fields` of the
    failed resource, of those that its step needs, and of kinds that the stack has only one of. `{id}` and
    `{name}` of the deployment, `{region}` and `{account}` are always known. In a sentence, the text after a
    colon replaces an unknown field: `{type:the instance type}`. A command with an unknown field, or about an
    object that is gone, is omitted.

    Attributes:
        why: what the code means, one sentence.
        fix: what to do, in the order in which to try it, one sentence each.
        look: the words of `aws` commands that show more.
        inspect_on_aws: the same, for commands that only AWS itself supports; these come first.
        quota: the exceeded quota, or a function that determines it.
    """

    why: str
    fix: tuple[str, ...]
    look: tuple[tuple[str, ...], ...] = ()
    inspect_on_aws: tuple[tuple[str, ...], ...] = ()
    quota: Quota | QuotaOf | None = None


Remedies = Mapping[str, Remedy]
"""Remedies by code, or by `Operation/code` if the code has another meaning for one operation."""


def fields_of(text: str) -> set[str]:
    """Return the names of the fields in a sentence or word."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def filled(word: str, known: Mapping[str, str]) -> str | None:
    """Return a command word with its fields filled in, or None if a field is unknown."""
    if any(not known.get(name) for name in fields_of(word)):
        return None
    return word.format_map(known)


def sentence(text: str, known: Mapping[str, str]) -> str:
    """Return a sentence with its fields filled in; an unknown one by its alternative text or its name."""
    parts = []
    for literal, name, instead, _ in Formatter().parse(text):
        parts.append(literal)
        if name is not None:
            parts.append(known.get(name) or instead or f"the {name.removesuffix('_id').replace('_', ' ')}")
    return "".join(parts)


def plain_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the text and numbers in `values` as fields, without nested values and booleans."""
    return {
        name: str(value)
        for name, value in values.items()
        if isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    }
