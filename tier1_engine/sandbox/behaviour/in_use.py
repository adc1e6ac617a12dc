"""Resources in use cannot be deleted: groups, subnets, gateways, VPCs; some objects go with them.

Source: EC2 API reference, "Error codes" (`DependencyViolation`, `CannotDelete`); VPC user guide, "Delete your
VPC"; hashicorp/terraform-provider-aws#9495 and #444 for what blocks a subnet. moto itself implements IAM's
`DeleteConflict` and the route table's check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.security_groups import SecurityGroups
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend

from tier1_engine.sandbox.behaviour.patching import around, asked


def install() -> None:
    """Refuse to delete what is in use."""
    _groups()
    _subnets()
    _gateways()
    _vpcs()
    _roles_in_profiles()


def _groups() -> None:
    @around(SecurityGroups, "delete_security_group")
    def delete_security_group(before: Callable[..., Any], response: Any) -> Any:
        backend = response.ec2_backend
        group = backend.get_security_group_from_id(asked(response, "GroupId") or "")
        if group is not None and group.is_default:
            raise EC2ClientError(
                "CannotDelete",
                f'the specified group: "{group.id}" name: "default" cannot be deleted by a user',
            )
        if group is not None and (
            _interfaces_with(backend, group.id) or _groups_that_name(backend, group.id)
        ):
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
        return before(response)


def _subnets() -> None:
    @around(SubnetBackend, "delete_subnet")
    def delete_subnet(before: Callable[..., Any], backend: Any, subnet_id: str) -> Any:
        if any(one.subnet.id == subnet_id for one in backend.enis.values()):
            raise DependencyViolationError(
                f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
            )
        subnet = before(backend, subnet_id)
        for table in backend.route_tables.values():
            associations = vars(table)["_associations"]
            for one in [key for key, target in associations.items() if target == subnet_id]:
                del associations[one]
        return subnet


def _gateways() -> None:
    @around(InternetGatewayBackend, "detach_internet_gateway")
    def detach_internet_gateway(
        before: Callable[..., None], backend: Any, internet_gateway_id: str, vpc_id: str
    ) -> None:
        if any(one.public_ip and one.vpc_id == vpc_id for one in backend.enis.values()):
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public "
                "address(es) before detaching the gateway."
            )
        before(backend, internet_gateway_id, vpc_id)

    @around(InternetGatewayBackend, "delete_internet_gateway")
    def delete_internet_gateway(before: Callable[..., None], backend: Any, internet_gateway_id: str) -> None:
        gateway = backend.internet_gateways.get(internet_gateway_id)
        if gateway is not None and gateway.vpc:
            raise DependencyViolationError(
                f"The internetGateway '{internet_gateway_id}' has dependencies and cannot be deleted."
            )
        before(backend, internet_gateway_id)


def _vpcs() -> None:
    @around(VPCBackend, "delete_vpc")
    def delete_vpc(before: Callable[..., Any], backend: Any, vpc_id: str) -> Any:
        backend.get_vpc(vpc_id)
        if any(True for _ in _in_vpc(backend, vpc_id)):
            raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return before(backend, vpc_id)


def _roles_in_profiles() -> None:
    @around(IAMBackend, "remove_role_from_instance_profile")
    def remove_role(before: Callable[..., None], backend: Any, profile_name: str, role_name: str) -> None:
        if all(role.name != role_name for role in backend.get_instance_profile(profile_name).roles):
            raise NotFoundException(f"The role with name {role_name} cannot be found.")
        before(backend, profile_name, role_name)


def _in_vpc(backend: Any, vpc_id: str) -> Iterator[Any]:
    """What must be deleted before the VPC: all but its main route table, default group and default ACL."""
    yield from (one for one in backend.enis.values() if one.vpc_id == vpc_id)
    yield from (one for zone in backend.subnets.values() for one in zone.values() if one.vpc_id == vpc_id)
    yield from (one for one in backend.internet_gateways.values() if one.vpc and one.vpc.id == vpc_id)
    yield from (
        one for one in backend.nat_gateways.values() if one.vpc_id == vpc_id and one.state != "deleted"
    )
    tables = (one for one in backend.route_tables.values() if one.vpc_id == vpc_id)
    yield from (one for one in tables if one.main_association_id is None)
    yield from (one for one in backend.groups.get(vpc_id, {}).values() if not one.is_default)
    yield from (one for one in backend.vpc_end_points.values() if one.vpc_id == vpc_id)


def _interfaces_with(backend: Any, group_id: str) -> list[Any]:
    return [one for one in backend.enis.values() if any(group.id == group_id for group in one.group_set)]


def _groups_that_name(backend: Any, group_id: str) -> list[Any]:
    """The other groups with a rule that refers to this one."""
    return [
        group
        for groups in backend.groups.values()
        for group in groups.values()
        if group.id != group_id
        and any(
            (rule.source_group or {}).get("GroupId") == group_id
            for rule in (*group.ingress_rules, *group.egress_rules)
        )
    ]
