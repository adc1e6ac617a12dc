"""Remedies for EC2 error codes that several kinds share. Pure data.

Source: "Error codes for the Amazon EC2 API", and the vpc quotas of Service Quotas.
"""

from __future__ import annotations

from tier1_engine.contract.remedy import Quota, Remedies, Remedy

VPCS = ("ec2", "describe-vpcs", "--query", "Vpcs[].[VpcId,CidrBlock,State]", "--output", "text")
IN_SUBNET = (
    "ec2",
    "describe-network-interfaces",
    "--filters",
    "Name=subnet-id,Values={subnet_id}",
    "--query",
    "NetworkInterfaces[].[NetworkInterfaceId,Status,Description]",
    "--output",
    "text",
)
IN_VPC = ("ec2", "describe-network-interfaces", "--filters", "Name=vpc-id,Values={vpc_id}")
SHOW_SUBNET = ("ec2", "describe-subnets", "--subnet-ids", "{subnet_id}")
NETWORK_INTERFACES = Quota("vpc", "L-DF5E4CA3", "Network interfaces per Region", 500)
SECURITY_GROUPS = Quota("vpc", "L-E79EC296", "VPC security groups per Region", 100)

_NO_ZONE = Remedy(
    "A zone of the spec is not in {region}, or not available to this account.",
    ("Correct `network.zones`, or give a number to let tier1 choose.",),
    (
        (
            "ec2",
            "describe-availability-zones",
            "--query",
            "AvailabilityZones[].ZoneName",
            "--output",
            "text",
        ),
    ),
)
_GONE_BY_HAND = Remedy(
    "A part of the network that tier1 created, or that the spec names, no longer exists.",
    ("Retry: tier1 recreates what it created. Correct what the spec names.",),
    (VPCS,),
)
_NO_VPC_ID = Remedy(
    "{vpc_id:The VPC of the spec} is not the id of a VPC, which is `vpc-` and 8 or 17 hexadecimal digits.",
    ("Correct `network.vpc_id`.",),
    (VPCS,),
)
REMEDIES: Remedies = {
    "InvalidVpcID.Malformed": _NO_VPC_ID,
    "InvalidVpcId.Malformed": _NO_VPC_ID,
    "InvalidVpcID.NotFound": _GONE_BY_HAND,
    "InvalidSubnetID.NotFound": _GONE_BY_HAND,
    "InvalidGroup.NotFound": _GONE_BY_HAND,
    "InvalidRouteTableID.NotFound": _GONE_BY_HAND,
    "InvalidInternetGatewayID.NotFound": _GONE_BY_HAND,
    "InvalidAvailabilityZone": _NO_ZONE,
    "InvalidZone.NotFound": _NO_ZONE,
    "SecurityGroupLimitExceeded": Remedy(
        "The account has reached its limit of security groups in {region}.",
        ("Delete unused groups, or ask AWS for a higher quota.",),
        quota=SECURITY_GROUPS,
    ),
    "NetworkInterfaceLimitExceeded": Remedy(
        "The account has reached its limit of network interfaces in {region}.",
        ("Delete interfaces that are `available`, or ask AWS for a higher quota.",),
        quota=NETWORK_INTERFACES,
    ),
    "DependencyViolation": Remedy(
        "Something still uses it: a lingering network interface, or something that tier1 does not own.",
        (
            "Interfaces of terminated instances and deleted mount targets disappear within minutes.",
            "Anything else that the commands below show has another owner: remove it, then resume.",
        ),
        (IN_SUBNET, IN_VPC),
    ),
}
