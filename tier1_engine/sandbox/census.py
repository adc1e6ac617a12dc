"""The census: everything that exists in the local AWS, independent of faults, throttling and visibility.

Owns which kinds are listed, and what belongs to what. It reads moto's objects in the sandbox's process, so
that a scenario in which every call fails cannot hide what remains; it changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, TypedDict

OWNER: Final = "tier1:deployment"
RESOURCE: Final = "tier1:resource"
GLOBAL: Final = "global"
"""The region of global objects."""
AWS_ROLES: Final = "/aws-service-role/"
"""The path of roles that AWS creates by itself."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object.

    Attributes:
        kind: as the table names it (`security group`).
        region: `global` for IAM.
        state: as AWS names it; None when the kind has none.
        deployment, resource: from its owner tags.
        name: its `Name` tag, else its own name.
        part_of: the id of the object that it is created and deleted with (the instance of a volume).
        default: whether it belongs to the region's default VPC, or to AWS.
        tags: all tags. A mount target has none.
        attributes: its other mutable attributes, by moto's names.
    """

    kind: str
    id: str
    region: str
    state: str | None = None
    deployment: str | None = None
    resource: str | None = None
    name: str | None = None
    part_of: str | None = None
    default: bool = False
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


def from_json(value: Mapping[str, Any]) -> Thing:
    """Reads the result of `to_json`."""
    return Thing(**{entry.name: value[entry.name] for entry in fields(Thing)})


def things() -> list[Thing]:
    """Everything in this process's moto, in all accounts and regions in use, in a fixed order."""
    from moto.ec2.models import ec2_backends
    from moto.efs.models import efs_backends
    from moto.iam.models import iam_backends

    found = [
        *(one for backend in _backends(ec2_backends) for one in _of_ec2(backend)),
        *(one for backend in _backends(efs_backends) for one in _of_efs(backend)),
        *(one for backend in _backends(iam_backends) for one in _of_iam(backend)),
        *_of_s3(),
    ]
    return sorted(found, key=lambda one: (one.default, one.region, one.deployment or "", one.kind, one.id))


def _backends(of_service: Any) -> Iterator[Any]:
    """The backends in use: moto creates them at first use."""
    for account_id in list(of_service):
        yield from list(of_service[account_id].values())


# --- EC2


def _of_ec2(backend: Any) -> Iterator[Thing]:
    region, own = str(backend.region_name), _Defaults(backend)
    for one in _network(backend):
        yield _tagged(region, own, *one)
    for group in _nested(backend.groups):
        part_of = group.vpc_id if group.is_default else None
        yield _tagged(region, own, "security group", group, None, part_of, group.name)
    for interface in backend.enis.values():
        yield _tagged(
            region, own, "network interface", interface, interface.status, _owner_of(backend, interface)
        )
    for reservation in backend.reservations.values():
        for instance in reservation.instances:
            if instance.state != "terminated":
                yield _tagged(region, own, "instance", instance, instance.state)
    for volume in backend.volumes.values():
        attached = volume.attachment.instance.id if volume.attachment else None
        yield _tagged(region, own, "volume", volume, volume.status, attached)
    for pair in backend.key_pairs.values():
        yield _tagged(region, own, "key pair", pair, None, None, pair.key_name)
    for address in backend.addresses:
        holder = address.instance.id if address.instance else None
        yield Thing(
            "address",
            str(address.allocation_id or address.public_ip),
            region,
            state=f"at {holder}" if holder else None,
            attributes=attributes(address),
            **_owner(_ec2_tags(backend, address.allocation_id), str(address.public_ip)),
        )


Entry = tuple[str, Any, str | None, str | None]
"""Kind, object, state, and the id of the object that it is part of."""


def _network(backend: Any) -> Iterator[Entry]:
    yield from (("vpc", one, one.state, None) for one in backend.vpcs.values())
    yield from (("subnet", one, one.state, None) for one in _nested(backend.subnets))
    for gateway in backend.internet_gateways.values():
        yield "internet gateway", gateway, gateway.attachment_state if gateway.vpc else "detached", None
    for table in backend.route_tables.values():
        yield "route table", table, None, table.vpc_id if table.main_association_id else None
    for acl in backend.network_acls.values():
        if acl.vpc_id in backend.vpcs:  # plain moto keeps the ACLs of deleted VPCs
            yield "network acl", acl, None, acl.vpc_id if _true(acl.default) else None
    for gateway in backend.nat_gateways.values():
        if gateway.state != "deleted":
            yield "nat gateway", gateway, gateway.state, None
    yield from (("vpc endpoint", one, one.state, None) for one in backend.vpc_end_points.values())
    for template in backend.launch_templates.values():
        yield "launch template", template, None, None
    for request in backend.spot_instance_requests.values():
        if request.state in ("open", "active", "disabled"):
            yield "spot request", request, request.state, getattr(request, "made_with", None)


class _Defaults:
    """What a region starts with: its default VPC, and everything in it."""

    def __init__(self, backend: Any) -> None:
        self.vpc_ids = {one.id for one in backend.vpcs.values() if _true(one.is_default)}

    def has(self, kind: str, thing: Any) -> bool:
        if kind == "vpc":
            return thing.id in self.vpc_ids
        if kind == "subnet":
            return thing.vpc_id in self.vpc_ids and _true(thing.default_for_az)
        comes_along = {
            "route table": lambda: thing.main_association_id is not None,
            "network acl": lambda: _true(thing.default),
            "security group": lambda: bool(thing.is_default),
        }
        return kind in comes_along and thing.vpc_id in self.vpc_ids and comes_along[kind]()


def _tagged(
    region: str,
    own: _Defaults,
    kind: str,
    thing: Any,
    state: str | None = None,
    part_of: str | None = None,
    name: str | None = None,
) -> Thing:
    tags = _ec2_tags(thing.ec2_backend, thing.id) if hasattr(thing, "ec2_backend") else {}
    return Thing(
        kind,
        str(thing.id),
        region,
        state=str(state) if state else None,
        part_of=part_of,
        default=own.has(kind, thing),
        attributes=attributes(thing),
        **_owner(tags, name),
    )


def _owner_of(backend: Any, interface: Any) -> str | None:
    """The instance or mount target that an interface belongs to, even after the owner is gone."""
    from moto.efs.models import efs_backends

    if interface.instance is not None:
        return str(interface.instance.id)
    targets = efs_backends[backend.account_id][backend.region_name].mount_targets_by_id.values()
    return next(
        (str(one.mount_target_id) for one in targets if one.network_interface_id == interface.id), None
    )


def _ec2_tags(backend: Any, id: str | None) -> dict[str, str]:
    return dict(backend.tags.get(id, {}))


def _nested(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    for inner in groups.values():
        yield from inner.values()


def _true(value: Any) -> bool:
    return str(value).lower() == "true"  # moto sometimes stores it as a string


# --- EFS, IAM and S3


def _of_efs(backend: Any) -> Iterator[Thing]:
    region = str(backend.region_name)
    for file_system in backend.file_systems_by_id.values():
        tags = _tag_dict(backend.list_tags_for_resource(file_system.file_system_id))
        owner = _owner(tags)
        yield Thing(
            "file system",
            file_system.file_system_id,
            region,
            state=file_system.life_cycle_state,
            attributes=attributes(file_system),
            **owner,
        )
        for target in file_system.iter_mount_targets():
            # A mount target has no tags: it belongs to its file system.
            yield Thing(
                "mount target",
                target.mount_target_id,
                region,
                state=target.life_cycle_state,
                deployment=owner["deployment"],
                name=file_system.file_system_id,
                attributes=attributes(target),
            )


def _of_iam(backend: Any) -> Iterator[Thing]:
    for role in backend.roles.values():
        if not role.path.startswith(AWS_ROLES):
            yield _identity("role", role)
    for profile in backend.instance_profiles.values():
        yield _identity("instance profile", profile)
    for arn, policy in backend.managed_policies.items():
        if arn.split(":", 5)[4] != "aws":
            yield _identity("policy", policy)


def _of_s3() -> Iterator[Thing]:
    """Buckets, which only external kinds create: until S3 is called, moto's S3 is not even loaded."""
    s3 = sys.modules.get("moto.s3.models")
    for backend in _backends(s3.s3_backends) if s3 else ():
        for bucket in backend.buckets.values():
            tags = _tag_dict(backend.get_bucket_tagging(bucket.name)["Tags"])
            yield Thing("bucket", str(bucket.name), str(bucket.region_name), **_owner(tags, str(bucket.name)))


def _identity(kind: str, thing: Any) -> Thing:
    owner = _owner(_tag_dict(thing.tags), str(thing.name))
    return Thing(kind, str(thing.name), GLOBAL, attributes=attributes(thing), **owner)


def _tag_dict(tags: Any) -> dict[str, str]:
    """Tags as a dict: moto stores IAM's tags as a list for some kinds, and by key for others."""
    listed: Iterable[Mapping[str, str]] = tags.values() if isinstance(tags, Mapping) else tags or ()
    return {tag["Key"]: tag["Value"] for tag in listed}


class _Owner(TypedDict):
    deployment: str | None
    resource: str | None
    name: str | None
    tags: Mapping[str, str]


def _owner(tags: Mapping[str, str], name: str | None = None) -> _Owner:
    """The owner that the tags name; without a `Name` tag, the name is the object's own."""
    return {
        "deployment": tags.get(OWNER),
        "resource": tags.get(RESOURCE),
        "name": tags.get("Name") or name,
        "tags": dict(tags),
    }


# --- attributes


NOT_ITS_OWN: Final = frozenset(
    {
        "attachment_count",  # of a policy: other roles increase it
        "backend",
        "ec2_backend",
        "enis",  # of a group: interfaces of others
        "tags",  # compared separately
    }
)
"""Members of moto's objects that are not attributes, or that other objects change."""
DEPTH: Final = 2
"""Rules and routes are nested objects, which name what they refer to by id."""


def attributes(thing: Any, depth: int = DEPTH) -> dict[str, Any]:
    """The attributes of a moto object as JSON; references are given by id."""
    return {
        name: _plain(value, depth)
        for name, value in sorted(vars(thing).items())
        if not name.startswith("_") and name not in NOT_ITS_OWN and not callable(value)
    }


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner, depth) for inner in value]
    if depth > 1 and hasattr(value, "__dict__"):
        return attributes(value, depth - 1)
    return str(getattr(value, "id", None) or getattr(value, "arn", None) or type(value).__name__)
