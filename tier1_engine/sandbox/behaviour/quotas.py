"""Quotas: how many of each resource an account may have, and the error codes beyond that.

Source: "Amazon VPC quotas", "Elastic IP address quotas" of EC2, "Amazon EFS quotas" and "IAM and STS quotas",
at their defaults for a new account; codes from "Error codes for the Amazon EC2 API", the EFS model and the
IAM API reference. The default VPC counts, and so does its internet gateway, which moto does not create. moto
itself limits the rules of a security group (60), and the groups and mount targets of a zone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tier1_engine.sandbox.behaviour.call_behaviour import CallBehaviour
from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.places import ec2_backend, efs_backend, iam_backend
from tier1_engine.sandbox.wire.replies import Reply, refusal


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit on the objects that one operation creates.

    Attributes:
        limit: the maximum number.
        code, words: the error code and message for one more.
        count: the number of existing objects that count against the limit of this call.
    """

    limit: int
    code: str
    words: str
    count: Callable[[Call], int]


def _vpcs(call: Call) -> int:
    return len(ec2_backend(call).vpcs)


def _internet_gateways(call: Call) -> int:
    backend = ec2_backend(call)
    of_default_vpcs = sum(_is_true(vpc.is_default) for vpc in backend.vpcs.values())
    return len(backend.internet_gateways) + of_default_vpcs


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"  # moto sometimes stores it as a string


def _addresses(call: Call) -> int:
    return len(ec2_backend(call).addresses)


def _security_groups(call: Call) -> int:
    return sum(len(groups) for groups in ec2_backend(call).groups.values())


def _subnets(call: Call) -> int:
    vpc_id = call.parameters.get("VpcId")
    zones = ec2_backend(call).subnets
    return sum(subnet.vpc_id == vpc_id for subnets in zones.values() for subnet in subnets.values())


def _route_tables(call: Call) -> int:
    vpc_id = call.parameters.get("VpcId")
    return sum(table.vpc_id == vpc_id for table in ec2_backend(call).route_tables.values())


def _routes(call: Call) -> int:
    table = ec2_backend(call).route_tables.get(call.parameters.get("RouteTableId"))
    return len(table.routes) if table else 0


def _file_systems(call: Call) -> int:
    return len(efs_backend(call).file_systems_by_id)


def _roles(call: Call) -> int:
    return len(iam_backend(call).roles)


def _instance_profiles(call: Call) -> int:
    return len(iam_backend(call).instance_profiles)


def _attached_policies(call: Call) -> int:
    name = call.parameters.get("RoleName")
    roles = iam_backend(call).roles.values()
    return next((len(role.managed_policies) for role in roles if role.name == name), 0)


def _reached(what: str) -> str:
    return f"The maximum number of {what} has been reached."


QUOTAS: Final[Mapping[tuple[str, str], Quota]] = {
    ("ec2", "CreateVpc"): Quota(5, "VpcLimitExceeded", _reached("VPCs"), _vpcs),
    ("ec2", "CreateInternetGateway"): Quota(
        5, "InternetGatewayLimitExceeded", _reached("internet gateways"), _internet_gateways
    ),
    ("ec2", "AllocateAddress"): Quota(5, "AddressLimitExceeded", _reached("addresses"), _addresses),
    ("ec2", "CreateSecurityGroup"): Quota(
        2500, "SecurityGroupLimitExceeded", _reached("security groups"), _security_groups
    ),
    ("ec2", "CreateSubnet"): Quota(200, "SubnetLimitExceeded", _reached("subnets"), _subnets),
    ("ec2", "CreateRouteTable"): Quota(
        200, "RouteTableLimitExceeded", _reached("route tables"), _route_tables
    ),
    ("ec2", "CreateRoute"): Quota(500, "RouteLimitExceeded", _reached("routes"), _routes),
    ("efs", "CreateFileSystem"): Quota(
        1000, "FileSystemLimitExceeded", "You have reached the maximum number of file systems.", _file_systems
    ),
    ("iam", "CreateRole"): Quota(
        1000, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000", _roles
    ),
    ("iam", "CreateInstanceProfile"): Quota(
        1000, "LimitExceeded", "Cannot exceed quota for InstanceProfilesPerAccount: 1000", _instance_profiles
    ),
    ("iam", "AttachRolePolicy"): Quota(
        10, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", _attached_policies
    ),
}


class Quotas(CallBehaviour):
    """Refuses a create that would exceed a quota.

    Args:
        quotas: by service and operation; AWS's defaults if not given.
    """

    def __init__(self, quotas: Mapping[tuple[str, str], Quota] = QUOTAS) -> None:
        self._quotas = quotas

    def before(self, call: Call) -> Reply | None:
        quota = self._quotas.get((call.service, call.operation))
        if quota is None or quota.count(call) < quota.limit:
            return None
        return refusal(call, quota.code, quota.words)
