"""The quotas that our calls run into, by their codes in Service Quotas. Pure data.

Source: `aws service-quotas list-aws-default-service-quotas` of the services vpc, ec2, ebs,
elasticfilesystem and iam, and "Endpoints and quotas" of each in the AWS General Reference. Quotas of IAM
are kept in us-east-1.
"""

from __future__ import annotations

from tier1_engine.guidance.remedies import Quota

VPCS = Quota("vpc", "L-F678F1CE", "VPCs per Region")
SUBNETS = Quota("vpc", "L-407747CB", "Subnets per VPC", 20)
GATEWAYS = Quota("vpc", "L-A4707A72", "Internet gateways per Region")
ROUTE_TABLES = Quota("vpc", "L-589F43AA", "Route tables per VPC", 20)
ROUTES = Quota("vpc", "L-93826ACB", "Routes per route table", 10)
GROUPS = Quota("vpc", "L-E79EC296", "VPC security groups per Region", 100)
RULES = Quota("vpc", "L-0EA8095F", "Inbound or outbound rules per security group", 20)
GROUPS_PER_INTERFACE = Quota("vpc", "L-2AFB9258", "Security groups per network interface", 1)
INTERFACES = Quota("vpc", "L-DF5E4CA3", "Network interfaces per Region", 500)
ADDRESSES = Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs")
GP3_STORAGE = Quota("ebs", "L-7A658B76", "Storage for General Purpose SSD (gp3) volumes, in TiB", 10)
FILE_SYSTEMS = Quota("elasticfilesystem", "L-848C634D", "File systems per account", 100)
MOUNT_TARGETS = Quota("elasticfilesystem", "L-7391004C", "Mount targets per VPC", 0, adjustable=False)
ROLES = Quota("iam", "L-FE177D64", "Roles per account", 100, region="us-east-1")
PROFILES = Quota("iam", "L-6E65F664", "Instance profiles per account", 100, region="us-east-1")
POLICIES = Quota("iam", "L-0DA4ABF3", "Managed policies per role", 5, region="us-east-1")

STANDARD = Quota("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 16)
STANDARD_SPOT = Quota(
    "ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 16
)
GRAPHICS = Quota("ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", 16)
GRAPHICS_SPOT = Quota("ec2", "L-3819A6DF", "All G and VT Spot Instance Requests", 16)
TRAINING = Quota("ec2", "L-417A185B", "Running On-Demand P instances", 96)
TRAINING_SPOT = Quota("ec2", "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 96)

_FAMILIES = (
    (("g", "vt"), GRAPHICS, GRAPHICS_SPOT),
    (("p",), TRAINING, TRAINING_SPOT),
    (("a", "c", "d", "h", "i", "m", "r", "t", "z", "is", "im"), STANDARD, STANDARD_SPOT),
)


def of_vcpus(instance_type: str, market: str) -> Quota | None:
    """The quota of virtual CPUs that a type counts against in a market; None where it is not known here."""
    letters = instance_type[: next((n for n, c in enumerate(instance_type) if not c.isalpha()), 0)]
    for families, on_demand, spot in _FAMILIES:
        if letters in families:
            return spot if market == "spot" else on_demand
    return None
