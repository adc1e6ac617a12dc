"""How a person deletes a resource by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Freeing:
    """What a shell script takes off an object before it deletes it.

    Both are `aws` command lines in bash, without region and profile, in which `"$id"` is the object.

    Attributes:
        listing: prints what there is to take off, one word each.
        command: takes one of these off; `"$it"` is the word.
        fine: AWS's codes that mean that it is off already.
    """

    listing: str
    command: str
    fine: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a shell script finds and removes one resource of ours, with or without a recorded id.

    All are `aws` command lines in bash, without region and profile.

    Attributes:
        find: prints the ids of what still stands and may be ours, one word each.
        absent: codes of `find` and `evidence` that mean that nothing is there.
        evidence: each prints the tags of `"$id"`, a key, a tab and a value a line; one of them must
            hold all of `proof`. None are needed where `find` asks for the tags itself.
        proof: the tags that prove it ours.
        untagged: one that shows no tags at all is ours, by what `find` asked for.
        keep: prints what is worth keeping of `"$id"` before it goes.
        free: what is taken off before.
        delete: deletes `"$id"`.
        wait: returns once `"$id"` is gone, within AWS's own bound, where AWS has such a command: for who
            types it. A script looks for itself, as long as the deployment allows and at its own pace.
        lingers: it goes only some time after its deletion was accepted, so it is looked for again.
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
