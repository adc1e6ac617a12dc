"""EC2 tags: visible at once, matched value by value, and deleted with their resource.

moto scans all tags ever created to find those of one object, and never deletes them. Its filters with several
values require that all of them match. Source: EC2 user guide, "Filter your resources": values of one filter
are joined by OR, filters by AND.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, KeysView, ValuesView
from typing import Any

from moto.ec2 import utils
from moto.ec2.models.core import TaggedEC2Resource

from tier1_engine.sandbox.behaviour.patching import around, put

_SEVERAL = (list, set, tuple, KeysView, ValuesView)


def install() -> None:
    """Find and match tags as EC2 does."""
    put(TaggedEC2Resource, "get_tags", _tags_of)

    @around(utils, "is_filter_matching")
    def is_filter_matching(before: Callable[..., bool], thing: Any, name: str, wanted: Any) -> bool:
        value = thing.get_filter_value(name)
        if isinstance(value, _SEVERAL):
            return any(
                fnmatch.fnmatchcase(str(one), str(pattern)) for one in value for pattern in _as_list(wanted)
            )
        return before(thing, name, wanted)


def forget(backend: Any, thing_id: str) -> None:
    """Delete the tags of a deleted object."""
    backend.tags.pop(thing_id, None)


def _tags_of(thing: Any) -> list[dict[str, str]]:
    kind = utils.EC2_PREFIX_TO_RESOURCE.get(utils.get_prefix(thing.id), "") if thing.id else ""
    return [
        {"resource_id": thing.id, "key": key, "value": value, "resource_type": kind}
        for key, value in thing.ec2_backend.tags.get(thing.id, {}).items()
    ]


def _as_list(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, _SEVERAL) else [wanted]
