"""How a shell script, or a person, deletes a resource without tier1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Freeing:
    """What a shell script detaches from an object before it deletes it.

    Both are `aws` command lines in bash, without region and profile, where `"$id"` is the object.

    Attributes:
        listing: prints what to detach, one word each.
        command: detaches one of them; `"$it"` is the word.
        fine: AWS's error codes which mean that it is already detached.
    """

    listing: str
    command: str
    fine: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a shell script finds and removes one owned resource, with or without a recorded id.

    All are `aws` command lines in bash, without region and profile.

    Attributes:
        find: prints the ids of existing objects that may be owned, one word each.
        absent: codes of `find` and `evidence` which mean that the object does not exist.
        evidence: each prints the tags of `"$id"`, one line with key, tab and value per tag; one of them
            must contain all of `proof`. Empty if `find` filters by the tags itself.
        proof: the tags that prove ownership.
        untagged: whether an object without any tags is owned, because of how `find` selected it.
        keep: prints what to save of `"$id"` before deletion.
        free: what to detach before deletion.
        delete: deletes `"$id"`.
        wait: for people: AWS's own waiter, which returns once `"$id"` is gone, if there is one. A script
            polls instead, at its own interval and for as long as the deployment allows.
        lingers: whether it disappears only some time after its deletion is accepted; the script polls.
    """

    find: str
    delete: str
    absent: frozenset[str] = frozenset()
    evidence: tuple[str, ...] = ()
    proof: Mapping[str, str] = field(default_factory=dict)
    untagged: bool = False
    keep: str | None = None
    free: tuple[Freeing, ...] = ()
    wait: str | None = None
    lingers: bool = False
