"""Remedies for what EC2 answers: network, launch, and what an instance ends by. Pure data.

Source: "Error codes for the Amazon EC2 API", and "Troubleshoot instance launch issues" and "Spot
Instance interruptions" of the EC2 user guide.
"""

from __future__ import annotations

from tier1_engine.guidance import quotas
from tier1_engine.guidance.remedies import Catalogue, Remedy

_SHOW_SUBNET = ("ec2", "describe-subnets", "--subnet-ids", "{subnet_id}")
_SHOW_INSTANCE = ("ec2", "describe-instances", "--instance-ids", "{instance_id}")
_OFFERED = (
    "ec2",
    "describe-instance-type-offerings",
    "--location-type",
    "availability-zone",
    "--filters",
    "Name=instance-type,Values={type}",
    "--query",
    "InstanceTypeOfferings[].Location",
    "--output",
    "text",
)
_IMAGES = (
    "ec2",
    "describe-images",
    "--image-ids",
    "{ami}",
    "--query",
    "Images[].[ImageId,State,Architecture,Name]",
    "--output",
    "text",
)
_KEYS = ("ec2", "describe-key-pairs", "--query", "KeyPairs[].KeyName", "--output", "text")
_VPCS = ("ec2", "describe-vpcs", "--query", "Vpcs[].[VpcId,CidrBlock,State]", "--output", "text")
_ZONES = (
    "ec2",
    "describe-availability-zones",
    "--query",
    "AvailabilityZones[].ZoneName",
    "--output",
    "text",
)
_IN_SUBNET = (
    "ec2",
    "describe-network-interfaces",
    "--filters",
    "Name=subnet-id,Values={subnet_id}",
    "--query",
    "NetworkInterfaces[].[NetworkInterfaceId,Status,Description]",
    "--output",
    "text",
)
_NO_ROOM = Remedy(
    "AWS has no capacity for {type} ({market}) in {zone}, and all other candidates failed before it.",
    (
        "Retry: capacity changes within minutes.",
        "Add types to `instance.types` or zones to `network.zones`; tier1 tries them in order.",
        "With `market: spot-then-on-demand`, on-demand is used when there is no spot capacity.",
    ),
    (_OFFERED,),
)
_TOO_MANY_VCPUS = Remedy(
    "The account's vCPU quota is too low for {type} ({market}).",
    (
        "Stop instances that are no longer needed, or choose a smaller type in `instance.types`.",
        "Ask AWS for a higher quota with the command below; it can take hours.",
    ),
)
_NO_AMI = Remedy(
    "The AMI {ami} does not exist in {region}, is not shared with this account, or is deregistered.",
    (
        "Correct `instance.ami`: an AMI has a different id in each region.",
        "Omit `instance.ami` to use the current Amazon Linux 2023.",
    ),
    (_IMAGES,),
)
_GONE_BY_HAND = Remedy(
    "A part of the network that tier1 created, or that the spec names, no longer exists.",
    ("Retry: tier1 recreates what it created. Correct what the spec names.",),
    (_VPCS,),
)

CATALOGUE: Catalogue = {
    # --- quotas
    "VpcLimitExceeded": Remedy(
        "The account has reached its limit of VPCs in {region}.",
        (
            "Delete a VPC that is not needed any more, or deploy into one of yours with `network.vpc_id`.",
            "Ask AWS for a higher quota with the command below.",
        ),
        (_VPCS,),
        quotas.VPCS,
    ),
    "SubnetLimitExceeded": Remedy(
        "The VPC has reached its limit of subnets.",
        ("Delete subnets that are no longer needed, or use fewer zones in `network.zones`.",),
        quota=quotas.SUBNETS,
    ),
    "InternetGatewayLimitExceeded": Remedy(
        "The account has reached its limit of internet gateways in {region}.",
        (
            "Delete gateways that no VPC needs, or deploy into one of your VPCs with `network.vpc_id`.",
            "Raising the VPC quota raises this one, too.",
        ),
        quota=quotas.GATEWAYS,
    ),
    "RouteTableLimitExceeded": Remedy(
        "The VPC has reached its limit of route tables.",
        ("Delete route tables that are no longer needed, or ask AWS for a higher quota.",),
        quota=quotas.ROUTE_TABLES,
    ),
    "RouteLimitExceeded": Remedy(
        "The route table has reached its limit of routes.",
        ("Remove routes that are no longer needed, or ask AWS for a higher quota.",),
        quota=quotas.ROUTES,
    ),
    "ResourceCountLimitExceeded": Remedy(
        "The route table has reached its limit of routes.",
        ("Remove routes that are no longer needed, or ask AWS for a higher quota.",),
        quota=quotas.ROUTES,
    ),
    "SecurityGroupLimitExceeded": Remedy(
        "The account has reached its limit of security groups in {region}.",
        ("Delete unused groups, or ask AWS for a higher quota.",),
        quota=quotas.GROUPS,
    ),
    "RulesPerSecurityGroupLimitExceeded": Remedy(
        "The security group has reached its limit of rules.",
        ("Use fewer rules or wider ranges in `network.ingress`, or ask AWS for a higher quota.",),
        quota=quotas.RULES,
    ),
    "SecurityGroupsPerInterfaceLimitExceeded": Remedy(
        "The network interface would exceed its limit of security groups.",
        ("Ask AWS for a higher quota of groups per interface; tier1 itself uses one.",),
        quota=quotas.GROUPS_PER_INTERFACE,
    ),
    "NetworkInterfaceLimitExceeded": Remedy(
        "The account has reached its limit of network interfaces in {region}.",
        ("Delete interfaces that are `available`, or ask AWS for a higher quota.",),
        quota=quotas.INTERFACES,
    ),
    "AddressLimitExceeded": Remedy(
        "The account has reached its limit of Elastic IP addresses in {region}.",
        ("Release unused addresses, or ask AWS for a higher quota.",),
        quota=quotas.ADDRESSES,
    ),
    "VcpuLimitExceeded": _TOO_MANY_VCPUS,
    "InstanceLimitExceeded": _TOO_MANY_VCPUS,
    "MaxSpotInstanceCountExceeded": _TOO_MANY_VCPUS,
    "VolumeLimitExceeded": Remedy(
        "The account has reached its limit of gp3 storage.",
        ("Delete `available` volumes, lower `instance.root_volume_gib`, or ask AWS for a higher quota.",),
        quota=quotas.GP3_STORAGE,
    ),
    "Client.VolumeLimitExceeded": Remedy(
        "The instance terminated at once: the account has reached its limit of gp3 storage.",
        ("Delete `available` volumes, lower `instance.root_volume_gib`, or ask AWS for a higher quota.",),
        quota=quotas.GP3_STORAGE,
    ),
    "TagLimitExceeded": Remedy(
        "A resource can have 50 tags; the spec's and tier1's own exceed that.",
        ("Remove tags from `tags` in the spec.",),
    ),
    # --- capacity
    "InsufficientInstanceCapacity": _NO_ROOM,
    "InsufficientCapacity": _NO_ROOM,
    "InsufficientHostCapacity": _NO_ROOM,
    "InsufficientReservedInstanceCapacity": _NO_ROOM,
    "Server.InsufficientInstanceCapacity": _NO_ROOM,
    "UnfulfillableCapacity": _NO_ROOM,
    "InsufficientVolumeCapacity": Remedy(
        "AWS has no capacity for the volume in {zone} at the moment.",
        ("Retry in a few minutes, or add zones to `network.zones`.",),
    ),
    "Unsupported": Remedy(
        "{type} is not offered in {zone}, or not with this AMI or market.",
        ("Use another type in `instance.types`, or zones that offer it in `network.zones`.",),
        (_OFFERED,),
    ),
    "SpotMaxPriceTooLow": Remedy(
        "The spot price of {type} in {zone} is above the maximum, the on-demand price.",
        ("Use `market: spot-then-on-demand` or `on-demand`, or add types.",),
    ),
    "Server.SpotInstanceTermination": Remedy(
        "AWS interrupted the spot instance while it started.",
        ("Retry, or use `market: spot-then-on-demand` with more types: capacity is short.",),
    ),
    "Server.SpotInstanceShutdown": Remedy(
        "AWS interrupted the spot instance while it started.",
        ("Retry, or use `market: spot-then-on-demand` with more types: capacity is short.",),
    ),
    "InsufficientFreeAddressesInSubnet": Remedy(
        "The subnet {subnet_id} has no free private addresses.",
        ("Free up addresses in it, or use another subnet in `network.subnet_ids`.",),
        (_SHOW_SUBNET, _IN_SUBNET),
    ),
    # --- what was asked for
    "InvalidAMIID.NotFound": _NO_AMI,
    "InvalidAMIID.Unavailable": _NO_AMI,
    "InvalidAMIID.Malformed": Remedy(
        "{ami} is not an AMI id, which begins with `ami-`.",
        ("Correct `instance.ami`, or omit it to use the current Amazon Linux 2023.",),
    ),
    "InvalidKeyPair.NotFound": Remedy(
        "There is no key pair {key_name} in {region}.",
        (
            (
                "Correct `instance.key_name`, import the key into {region}, or omit it: Session Manager "
                "needs no key."
            ),
        ),
        (_KEYS,),
    ),
    "RunInstances/InvalidParameterValue": Remedy(
        "A launch parameter is not valid: most often, the architecture of the AMI does not match {type}, or "
        "EC2 cannot use the instance profile.",
        (
            (
                "Compare the architecture of the AMI with the type: Graviton types (with a `g` after the "
                "generation, as in m7g) need arm64, all others x86_64."
            ),
            "Correct `instance.ami`, `instance.types` or `instance.iam_profile`.",
        ),
        (
            _IMAGES,
            (
                "ec2",
                "describe-instance-types",
                "--instance-types",
                "{type}",
                "--query",
                "InstanceTypes[].ProcessorInfo.SupportedArchitectures",
                "--output",
                "text",
            ),
        ),
    ),
    "RunInstances/UnsupportedOperation": Remedy(
        "{type} cannot be launched from this AMI: its architecture, boot mode or driver does not match.",
        ("Use a matching AMI in `instance.ami`, or other types in `instance.types`.",),
        (_IMAGES,),
    ),
    "InvalidParameterCombination": Remedy(
        "Two parameters conflict, such as a type and an option that it does not support.",
        ("Correct the spec as AWS's message says.",),
    ),
    "InvalidInstanceType": Remedy(
        "{type} is not an instance type in {region}.",
        ("Correct `instance.types`.",),
        (_OFFERED,),
    ),
    "InvalidInstanceType.NotFound": Remedy(
        "{type} is not an instance type in {region}.",
        ("Correct `instance.types`.",),
        (_OFFERED,),
    ),
    "InvalidBlockDeviceMapping": Remedy(
        "The volume does not fit the AMI: it is smaller than its snapshot, or a device does not exist.",
        ("Raise `instance.root_volume_gib`, or use another AMI.",),
        (_IMAGES,),
    ),
    "InvalidUserData.Malformed": Remedy(
        "The user data is larger than EC2's limit of 16 KiB.",
        ("Make `instance.user_data` smaller, for example by fetching the rest from S3.",),
    ),
    "InvalidVpcRange": Remedy(
        "A VPC must be between /16 and /28, and {cidr} is not.",
        ("Correct `network.cidr`.",),
    ),
    "InvalidVpc.Range": Remedy(
        "A VPC must be between /16 and /28, and {cidr} is not.",
        ("Correct `network.cidr`.",),
    ),
    "InvalidSubnet.Range": Remedy(
        "The subnet's range is outside that of its VPC, or not between /16 and /28.",
        ("Correct `network.cidr`, or use fewer zones in `network.zones`.",),
    ),
    "InvalidSubnet.Conflict": Remedy(
        "Another subnet of the VPC, which tier1 does not own, has this range.",
        ("Find out who owns it with the command below, or correct `network.cidr`.",),
        (("ec2", "describe-subnets", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "InvalidAvailabilityZone": Remedy(
        "A zone of the spec is not in {region}, or not available to this account.",
        ("Correct `network.zones`, or give a number to let tier1 choose.",),
        (_ZONES,),
    ),
    "InvalidZone.NotFound": Remedy(
        "A zone of the spec is not in {region}, or not available to this account.",
        ("Correct `network.zones`, or give a number to let tier1 choose.",),
        (_ZONES,),
    ),
    "InvalidVpcID.NotFound": _GONE_BY_HAND,
    "InvalidSubnetID.NotFound": _GONE_BY_HAND,
    "InvalidGroup.NotFound": _GONE_BY_HAND,
    "InvalidRouteTableID.NotFound": _GONE_BY_HAND,
    "InvalidInternetGatewayID.NotFound": _GONE_BY_HAND,
    "WrongVpc": Remedy(
        "A subnet of the spec is not in the VPC of the spec.",
        ("Correct `network.subnet_ids` or `network.vpc_id`.",),
    ),
    "InvalidGroup.Duplicate": Remedy(
        "A group with this name, which tier1 does not own, already exists in the VPC.",
        ("Find out who owns it, rename or delete it, then retry.",),
        (("ec2", "describe-security-groups", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "IdempotentParameterMismatch": Remedy(
        "An earlier call with the same token had other parameters, and what it created was not found.",
        ("Roll back, which looks for it by its tags, and deploy again.",),
    ),
    # --- deletions
    "DependencyViolation": Remedy(
        "Something still uses it: a lingering network interface, or something that tier1 does not own.",
        (
            "Interfaces of terminated instances and deleted mount targets disappear within minutes.",
            "Anything else that the commands below show has another owner: remove it, then resume.",
        ),
        (
            _IN_SUBNET,
            ("ec2", "describe-network-interfaces", "--filters", "Name=vpc-id,Values={vpc_id}"),
        ),
    ),
    "InvalidGroup.InUse": Remedy(
        "A rule of another group, or an interface, still refers to the security group.",
        ("Remove the rule, or remove the group from the interface, then resume.",),
        (("ec2", "describe-network-interfaces", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "OperationNotPermitted": Remedy(
        "It is protected, for example against termination.",
        ("Turn the protection off if you are allowed to, then resume.",),
        (
            (
                "ec2",
                "describe-instance-attribute",
                "--instance-id",
                "{instance_id}",
                "--attribute",
                "disableApiTermination",
            ),
        ),
    ),
    # --- what an instance ended by
    "Client.InternalError": Remedy(
        "The instance terminated while starting; most often, EC2 may not use the KMS key of its volume.",
        ("Allow this account to use the default EBS key, or set another default key, then retry.",),
        (("ec2", "get-ebs-default-kms-key-id"), _SHOW_INSTANCE),
    ),
    "CustomerKeyHasBeenRevoked": Remedy(
        "The KMS key of the volumes cannot be used.",
        ("Enable the key or set another default key for EBS, then retry.",),
        (("ec2", "get-ebs-default-kms-key-id"),),
    ),
    "Client.InstanceInitiatedShutdown": Remedy(
        "The instance was shut down from inside, by its own user data or software.",
        ("Read its console; remove the shutdown from `instance.user_data`, then retry.",),
        (_SHOW_INSTANCE,),
    ),
    "Server.InternalError": Remedy(
        "AWS terminated the instance because of an internal error.",
        ("Retry: the next launch gets another host.",),
    ),
    "InstanceNotRunning": Remedy(
        "The instance stopped or terminated before it was healthy.",
        ("Find out why with the command below, then retry.",),
        (_SHOW_INSTANCE,),
    ),
    "StatusImpaired": Remedy(
        "EC2's status checks report the instance or its host as impaired.",
        ("Roll back and deploy again: a new instance gets another host. Its console may say more.",),
        (("ec2", "describe-instance-status", "--instance-ids", "{instance_id}", "--include-all-instances"),),
    ),
    "StatusPending": Remedy(
        "EC2's status checks did not finish in time.",
        ("Retry, or raise `health.timeout`: they take two to five minutes.",),
        (("ec2", "describe-instance-status", "--instance-ids", "{instance_id}", "--include-all-instances"),),
    ),
    # --- account and credentials
    "PendingVerification": Remedy(
        "AWS is still verifying the account for {region}; this takes up to four hours.",
        ("Retry later.",),
    ),
    "OptInRequired": Remedy(
        "The account is not signed up for the service, or {region} is not enabled for it.",
        ("Enable the region or service in the account's settings, then resume.",),
    ),
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": Remedy(
        "The account has no service-linked role for spot, and these credentials may not create one.",
        ("Ask somebody with IAM permissions to run the command below once, or use `market: on-demand`.",),
        (("iam", "create-service-linked-role", "--aws-service-name", "spot.amazonaws.com"),),
    ),
    "RequestExpired": Remedy(
        "The request has expired: the credentials have expired, or the clock of this host is wrong.",
        ("Check the clock of this host, sign in again to account {account}, then resume.",),
    ),
}
