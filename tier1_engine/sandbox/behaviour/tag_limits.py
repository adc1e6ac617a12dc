"""Tag limits: fifty per resource, keys of 128 and values of 256 characters, no key that begins with `aws:`.

Source: "Tag restrictions" of the EC2 user guide, "Tagging EFS resources", "Rules for tagging in IAM", and the
shapes `Tag` of their models. moto counts EC2's and checks some of IAM's, but no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply, refusal

TAGS_LIMIT: Final = 50
KEY_CHARACTERS_LIMIT: Final = 128
VALUE_CHARACTERS_LIMIT: Final = 256
RESERVED_PREFIX: Final = "aws:"

_TOO_MANY: Final = {"ec2": "TagLimitExceeded", "iam": "LimitExceeded", "efs": "BadRequest"}
_INVALID: Final = {"ec2": "InvalidParameterValue", "iam": "InvalidInput", "efs": "BadRequest"}
_TOO_LONG: Final = {"ec2": "InvalidParameterValue", "iam": "ValidationError", "efs": "BadRequest"}


class TagLimits(CallBehaviour):
    """Refuses tags that AWS would refuse, with the code of the service."""

    def before(self, call: Call) -> Reply | None:
        if call.service not in _INVALID or not call.changes or call.operation.startswith(("Delete", "Untag")):
            return None
        for tags in _tag_lists(call):
            problem = _problem(call.service, tags)
            if problem is not None:
                return refusal(call, *problem)
        return None


def _tag_lists(call: Call) -> Iterator[list[Mapping[str, Any]]]:
    """The lists of tags in this call, one list per resource."""
    yield _entries(call.parameters.get("Tags"))
    for specification in _entries(call.parameters.get("TagSpecifications")):
        yield _entries(specification.get("Tags"))


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _problem(service: str, tags: list[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Code and message for the first invalid tag of one resource; None when all are valid."""
    keys = [str(tag.get("Key", "")) for tag in tags]
    if len(tags) > TAGS_LIMIT:
        return _TOO_MANY[service], "The maximum number of Tags for a resource has been reached."
    if any(key.lower().startswith(RESERVED_PREFIX) for key in keys):
        return _INVALID[service], "Tag keys starting with 'aws:' are reserved for internal use"
    if any(len(key) > KEY_CHARACTERS_LIMIT for key in keys):
        return _TOO_LONG[service], f"Tag key exceeds the maximum length of {KEY_CHARACTERS_LIMIT} characters"
    if any(len(str(tag.get("Value") or "")) > VALUE_CHARACTERS_LIMIT for tag in tags):
        words = f"Tag value exceeds the maximum length of {VALUE_CHARACTERS_LIMIT} characters"
        return _TOO_LONG[service], words
    twice = next((key for key, count in Counter(keys).items() if count > 1), None)
    return (_INVALID[service], f"Duplicate tag key '{twice}' specified.") if twice is not None else None
