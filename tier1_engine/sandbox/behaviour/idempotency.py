"""Client tokens: a repeated create with the same token creates nothing and returns the first result.

Source: "Ensuring idempotency in Amazon EC2 API requests": the same token and parameters succeed without
further effect, and the answer shows the current state, even of a terminated instance; other parameters are
`IdempotentParameterMismatch`. RunInstances is idempotent by zone when a zone or a subnet is given, everything
else by region. For `CreateFileSystem`, the EFS API: a creation token that a file system already has is
`FileSystemAlreadyExists`, with the id. moto implements neither.

Since 2025 some accounts get `IdempotentInstanceTerminated` for a terminated instance's token instead
(boto/boto3#4406); a fault can simulate it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend, efs_backend, zone_of
from tier1_engine.sandbox.wire.replies import Reply, refusal

WITH_TOKEN: Final = frozenset({"RunInstances", "CreateRouteTable", "CreateNatGateway"})
TOKENS_LIMIT: Final = 10_000
"""The oldest are dropped first. AWS promises 24 hours after the termination."""

TERMINATED: Final = ("48", "terminated")
_INSTANCE: Final = re.compile(
    rb"(<instanceId>(?P<id>[^<]+)</instanceId>.*?<instanceState>).*?(</instanceState>)", re.DOTALL
)

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The parameters sent with a token, and AWS's answer."""

    fingerprint: str
    reply: Reply


class ClientTokens(CallBehaviour):
    """EC2's client tokens."""

    def __init__(self) -> None:
        self._answered: dict[Key, Answered] = {}

    def before(self, call: Call) -> Reply | None:
        key = _key(call)
        earlier = self._answered.get(key) if key else None
        if earlier is None:
            return None
        if earlier.fingerprint != call.fingerprint():
            return refusal(call, "IdempotentParameterMismatch")
        return _as_of_now(call, earlier.reply)

    def after(self, call: Call, reply: Reply) -> Reply:
        key = _key(call)
        if key and reply.ok:
            self._answered[key] = Answered(call.fingerprint(), reply)
            if len(self._answered) > TOKENS_LIMIT:
                del self._answered[next(iter(self._answered))]
        return reply

    def forget(self) -> None:
        self._answered.clear()


def _key(call: Call) -> Key | None:
    """The key under which a call's token is stored; None when it has no relevant token."""
    token = call.parameters.get("ClientToken")
    if call.service != "ec2" or call.operation not in WITH_TOKEN or not isinstance(token, str) or not token:
        return None
    zone = (zone_of(call) or "") if call.operation == "RunInstances" else ""
    return call.account_id, call.region, call.operation, zone, token


def _as_of_now(call: Call, reply: Reply) -> Reply:
    if call.operation != "RunInstances":
        return reply

    def today(found: re.Match[bytes]) -> bytes:
        code, name = _state(call, found["id"].decode())
        return found[1] + f"<code>{code}</code><name>{name}</name>".encode() + found[3]

    return replace(reply, body=_INSTANCE.sub(today, reply.body))


def _state(call: Call, instance_id: str) -> tuple[str, str]:
    """An instance's current state; one that is no longer shown was terminated."""
    for reservation in ec2_backend(call).reservations.values():
        for instance in reservation.instances:
            if instance.id == instance_id:
                return str(instance.state_code), str(instance.state)
    return TERMINATED


class CreationTokens(CallBehaviour):
    """EFS's creation tokens."""

    def before(self, call: Call) -> Reply | None:
        if (call.service, call.operation) != ("efs", "CreateFileSystem"):
            return None
        token = call.parameters.get("CreationToken")
        for file_system in efs_backend(call).file_systems_by_id.values():
            if file_system.creation_token == token:
                found = str(file_system.file_system_id)
                words = f"File system '{found}' already exists with creation token '{token}'"
                return refusal(call, "FileSystemAlreadyExists", words, FileSystemId=found)
        return None
