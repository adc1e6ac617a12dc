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
    "AWS has no capacity left for {type} ({market}) in {zone}, and every other candidate failed before it.",
    (
        "Try again: capacity changes within minutes.",
        "Name more types in `instance.types`, or more zones in `network.zones`; tier1 tries them in order.",
        "With `market: spot-then-on-demand` on-demand is asked for when spot has nothing.",
    ),
    (_OFFERED,),
)
_TOO_MANY_VCPUS = Remedy(
    "The account may not run as many virtual CPUs of this family and market as {type} ({market}) needs.",
    (
        "Stop instances that are not needed, or take a smaller type in `instance.types`.",
        "Ask AWS for a higher quota with the command below; it can take hours.",
    ),
)
_NO_AMI = Remedy(
    "The AMI {ami} does not exist in {region}, is not shared with this account, or is deregistered.",
    (
        "Correct `instance.ami`: an AMI has another id in each region.",
        "Leave `instance.ami` out to get the current Amazon Linux 2023.",
    ),
    (_IMAGES,),
)
_GONE_BY_HAND = Remedy(
    "A part of the network that tier1 made, or that the spec names, is not there any more.",
    ("Try again: what tier1 made is made anew. What the spec names must be corrected there.",),
    (_VPCS,),
)

CATALOGUE: Catalogue = {
    # --- quotas
    "VpcLimitExceeded": Remedy(
        "The account has as many VPCs in {region} as it may have.",
        (
            "Delete a VPC that is not needed any more, or deploy into one of yours with `network.vpc_id`.",
            "Ask AWS for a higher quota with the command below.",
        ),
        (_VPCS,),
        quotas.VPCS,
    ),
    "SubnetLimitExceeded": Remedy(
        "The VPC has as many subnets as it may have.",
        ("Delete subnets that are not needed, or name fewer zones in `network.zones`.",),
        quota=quotas.SUBNETS,
    ),
    "InternetGatewayLimitExceeded": Remedy(
        "The account has as many internet gateways in {region} as it may have.",
        (
            "Delete gateways that no VPC needs, or deploy into a VPC of yours with `network.vpc_id`.",
            "A higher quota of VPCs raises this one with it.",
        ),
        quota=quotas.GATEWAYS,
    ),
    "RouteTableLimitExceeded": Remedy(
        "The VPC has as many route tables as it may have.",
        ("Delete route tables that are not needed, or ask AWS for more.",),
        quota=quotas.ROUTE_TABLES,
    ),
    "RouteLimitExceeded": Remedy(
        "The route table has as many routes as it may have.",
        ("Remove routes that are not needed, or ask AWS for more.",),
        quota=quotas.ROUTES,
    ),
    "ResourceCountLimitExceeded": Remedy(
        "The route table has as many routes as it may have.",
        ("Remove routes that are not needed, or ask AWS for more.",),
        quota=quotas.ROUTES,
    ),
    "SecurityGroupLimitExceeded": Remedy(
        "The account has as many security groups in {region} as it may have.",
        ("Delete groups that nothing uses, or ask AWS for more.",),
        quota=quotas.GROUPS,
    ),
    "RulesPerSecurityGroupLimitExceeded": Remedy(
        "The security group has as many rules as it may have.",
        ("Name fewer rules in `network.ingress`, or wider ranges; or ask AWS for more.",),
        quota=quotas.RULES,
    ),
    "SecurityGroupsPerInterfaceLimitExceeded": Remedy(
        "The interface would have more security groups than it may have.",
        ("Ask AWS for more groups per interface; tier1 itself uses one.",),
        quota=quotas.GROUPS_PER_INTERFACE,
    ),
    "NetworkInterfaceLimitExceeded": Remedy(
        "The account has as many network interfaces in {region} as it may have.",
        ("Delete interfaces that are `available`, or ask AWS for more.",),
        quota=quotas.INTERFACES,
    ),
    "AddressLimitExceeded": Remedy(
        "The account has as many Elastic IP addresses in {region} as it may have.",
        ("Release addresses that nothing uses, or ask AWS for more.",),
        quota=quotas.ADDRESSES,
    ),
    "VcpuLimitExceeded": _TOO_MANY_VCPUS,
    "InstanceLimitExceeded": _TOO_MANY_VCPUS,
    "MaxSpotInstanceCountExceeded": _TOO_MANY_VCPUS,
    "VolumeLimitExceeded": Remedy(
        "The account has as much storage in gp3 volumes as it may have.",
        ("Delete volumes that are `available`, take a smaller `instance.root_volume_gib`, or ask for more.",),
        quota=quotas.GP3_STORAGE,
    ),
    "Client.VolumeLimitExceeded": Remedy(
        "The instance ended at once: the account has as much gp3 storage as it may have.",
        ("Delete volumes that are `available`, take a smaller `instance.root_volume_gib`, or ask for more.",),
        quota=quotas.GP3_STORAGE,
    ),
    "TagLimitExceeded": Remedy(
        "A resource may carry 50 tags, and the spec's with tier1's own are more.",
        ("Take tags out of `tags` in the spec.",),
    ),
    # --- capacity
    "InsufficientInstanceCapacity": _NO_ROOM,
    "InsufficientCapacity": _NO_ROOM,
    "InsufficientHostCapacity": _NO_ROOM,
    "InsufficientReservedInstanceCapacity": _NO_ROOM,
    "Server.InsufficientInstanceCapacity": _NO_ROOM,
    "UnfulfillableCapacity": _NO_ROOM,
    "InsufficientVolumeCapacity": Remedy(
        "AWS has no room for the volume in {zone} at the moment.",
        ("Try again in some minutes, or name more zones in `network.zones`.",),
    ),
    "Unsupported": Remedy(
        "{type} is not offered in {zone}, or not with this AMI or market.",
        ("Name another type in `instance.types`, or zones that offer it in `network.zones`.",),
        (_OFFERED,),
    ),
    "SpotMaxPriceTooLow": Remedy(
        "The spot price of {type} in {zone} is above what may be paid, the on-demand price.",
        ("Use `market: spot-then-on-demand` or `on-demand`, or name more types.",),
    ),
    "Server.SpotInstanceTermination": Remedy(
        "AWS took the spot instance back while it started.",
        ("Try again, or use `market: spot-then-on-demand` with more types: capacity is short.",),
    ),
    "Server.SpotInstanceShutdown": Remedy(
        "AWS took the spot instance back while it started.",
        ("Try again, or use `market: spot-then-on-demand` with more types: capacity is short.",),
    ),
    "InsufficientFreeAddressesInSubnet": Remedy(
        "The subnet {subnet_id} has no free private address left.",
        ("Free addresses in it, or name another subnet in `network.subnet_ids`.",),
        (_SHOW_SUBNET, _IN_SUBNET),
    ),
    # --- what was asked for
    "InvalidAMIID.NotFound": _NO_AMI,
    "InvalidAMIID.Unavailable": _NO_AMI,
    "InvalidAMIID.Malformed": Remedy(
        "{ami} is not the id of an AMI: it begins with `ami-`.",
        ("Correct `instance.ami`, or leave it out to get the current Amazon Linux 2023.",),
    ),
    "InvalidKeyPair.NotFound": Remedy(
        "There is no key pair {key_name} in {region}.",
        (
            (
                "Correct `instance.key_name`, import the key into {region}, or leave it out: Session Manager "
                "needs none."
            ),
        ),
        (_KEYS,),
    ),
    "RunInstances/InvalidParameterValue": Remedy(
        "A value of the launch does not fit: most often the AMI is of another architecture than {type}, or "
        "the instance profile cannot be used by EC2.",
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
        "{type} cannot be launched from this AMI: its architecture, boot mode or driver is another.",
        ("Name an AMI that fits in `instance.ami`, or other types in `instance.types`.",),
        (_IMAGES,),
    ),
    "InvalidParameterCombination": Remedy(
        "Two values do not go together, such as a type and an option that it does not have.",
        ("Correct the spec as AWS's words say.",),
    ),
    "InvalidInstanceType": Remedy(
        "{type} is not an instance type that {region} knows.",
        ("Correct `instance.types`.",),
        (_OFFERED,),
    ),
    "InvalidInstanceType.NotFound": Remedy(
        "{type} is not an instance type that {region} knows.",
        ("Correct `instance.types`.",),
        (_OFFERED,),
    ),
    "InvalidBlockDeviceMapping": Remedy(
        "The volume does not fit the AMI: it is smaller than its snapshot, or a device is not there.",
        ("Raise `instance.root_volume_gib`, or name another AMI.",),
        (_IMAGES,),
    ),
    "InvalidUserData.Malformed": Remedy(
        "The user data is larger than the 16 KiB that EC2 takes.",
        ("Make `instance.user_data` smaller, for example by fetching the rest from S3.",),
    ),
    "InvalidVpcRange": Remedy(
        "A VPC is between /16 and /28 large, and {cidr} is not.",
        ("Correct `network.cidr`.",),
    ),
    "InvalidVpc.Range": Remedy(
        "A VPC is between /16 and /28 large, and {cidr} is not.",
        ("Correct `network.cidr`.",),
    ),
    "InvalidSubnet.Range": Remedy(
        "The subnet's range is not inside that of its VPC, or not between /16 and /28.",
        ("Correct `network.cidr`, or name fewer zones in `network.zones`.",),
    ),
    "InvalidSubnet.Conflict": Remedy(
        "Another subnet of the VPC, which is not ours, has this range.",
        ("Find whose it is with the command below; correct `network.cidr`.",),
        (("ec2", "describe-subnets", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "InvalidAvailabilityZone": Remedy(
        "A zone of the spec is not one of {region}, or not open to this account.",
        ("Correct `network.zones`, or give a number to let tier1 choose.",),
        (_ZONES,),
    ),
    "InvalidZone.NotFound": Remedy(
        "A zone of the spec is not one of {region}, or not open to this account.",
        ("Correct `network.zones`, or give a number to let tier1 choose.",),
        (_ZONES,),
    ),
    "InvalidVpcID.NotFound": _GONE_BY_HAND,
    "InvalidSubnetID.NotFound": _GONE_BY_HAND,
    "InvalidGroup.NotFound": _GONE_BY_HAND,
    "InvalidRouteTableID.NotFound": _GONE_BY_HAND,
    "InvalidInternetGatewayID.NotFound": _GONE_BY_HAND,
    "WrongVpc": Remedy(
        "A subnet that the spec brings is in another VPC than the spec names.",
        ("Correct `network.subnet_ids` or `network.vpc_id`.",),
    ),
    "InvalidGroup.Duplicate": Remedy(
        "A group of this name, which is not ours, is in the VPC already.",
        ("Rename or delete it after you know whose it is, then try again.",),
        (("ec2", "describe-security-groups", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "IdempotentParameterMismatch": Remedy(
        "An earlier call with the same token asked for something else, and what it made was not found.",
        ("Roll back, which looks for it by its tags, and deploy again.",),
    ),
    # --- deletions
    "DependencyViolation": Remedy(
        "Something still uses it: a network interface that lingers, or something that is not ours.",
        (
            "Interfaces of terminated instances and deleted mount targets go by themselves within minutes.",
            "What the commands below show beside them is somebody's: move it out, then go on.",
        ),
        (
            _IN_SUBNET,
            ("ec2", "describe-network-interfaces", "--filters", "Name=vpc-id,Values={vpc_id}"),
        ),
    ),
    "InvalidGroup.InUse": Remedy(
        "A rule of another group, or an interface, still refers to the security group.",
        ("Take the rule out, or the group off the interface, then go on.",),
        (("ec2", "describe-network-interfaces", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "OperationNotPermitted": Remedy(
        "It is protected, for example against termination.",
        ("Switch the protection off if it is yours to do, then go on.",),
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
        "The instance ended while it started; most often its volume is encrypted with a KMS key that EC2 may "
        "not use.",
        ("Allow the use of the default EBS key to this account, or set another default key, and try again.",),
        (("ec2", "get-ebs-default-kms-key-id"), _SHOW_INSTANCE),
    ),
    "CustomerKeyHasBeenRevoked": Remedy(
        "The KMS key of the volumes cannot be used.",
        ("Enable the key or set another default key for EBS, and try again.",),
        (("ec2", "get-ebs-default-kms-key-id"),),
    ),
    "Client.InstanceInitiatedShutdown": Remedy(
        "The instance was shut down from inside, by its own user data or software.",
        ("Read its console; take the shutdown out of `instance.user_data`, and try again.",),
        (_SHOW_INSTANCE,),
    ),
    "Server.InternalError": Remedy(
        "AWS ended the instance for a fault of its own.",
        ("Try again: another host is taken.",),
    ),
    "InstanceNotRunning": Remedy(
        "The instance stopped or ended by itself before it was healthy.",
        ("Look why with the command below, then try again.",),
        (_SHOW_INSTANCE,),
    ),
    "StatusImpaired": Remedy(
        "EC2's own checks say that the instance or its host is impaired.",
        ("Roll back and deploy again: a new instance gets another host. Its console may say more.",),
        (("ec2", "describe-instance-status", "--instance-ids", "{instance_id}", "--include-all-instances"),),
    ),
    "StatusPending": Remedy(
        "EC2's own checks were not over in time.",
        ("Try again, or raise `health.timeout`: they take two to five minutes.",),
        (("ec2", "describe-instance-status", "--instance-ids", "{instance_id}", "--include-all-instances"),),
    ),
    # --- account and credentials
    "PendingVerification": Remedy(
        "AWS still verifies the account for {region}; it takes up to four hours.",
        ("Try again later.",),
    ),
    "OptInRequired": Remedy(
        "The account is not signed up for the service, or {region} is not enabled for it.",
        ("Enable the region or service in the account's settings, then go on.",),
    ),
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": Remedy(
        "The account has no service-linked role for spot, and these credentials may not make one.",
        ("Have somebody with IAM rights run the command below once, or use `market: on-demand`.",),
        (("iam", "create-service-linked-role", "--aws-service-name", "spot.amazonaws.com"),),
    ),
    "RequestExpired": Remedy(
        "The request came too late: the credentials have expired, or the clock of this host is off.",
        ("Compare the clock of this host with the time, sign in again to account {account}, then go on.",),
    ),
}
