"""Remedies for EC2's answers to a launch, and for the reasons for which an instance ends. Pure.

Source: "Error codes for the Amazon EC2 API", "Troubleshoot instance launch issues" and "Spot Instance
interruptions" of the EC2 user guide, and `aws service-quotas list-aws-default-service-quotas` of the services
vpc, ec2 and ebs.
"""

from __future__ import annotations

from collections.abc import Mapping

from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.resources import _ec2
from tier1_engine.resources.instance_request import SPOT

# --- quotas

_GROUPS_PER_INTERFACE = Quota("vpc", "L-2AFB9258", "Security groups per network interface", 1)
_GP3_STORAGE = Quota("ebs", "L-7A658B76", "Storage for General Purpose SSD (gp3) volumes, in TiB", 10)
_STANDARD = Quota("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 16)
_STANDARD_SPOT = Quota(
    "ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 16
)
_GRAPHICS = Quota("ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", 16)
_GRAPHICS_SPOT = Quota("ec2", "L-3819A6DF", "All G and VT Spot Instance Requests", 16)
_TRAINING = Quota("ec2", "L-417A185B", "Running On-Demand P instances", 96)
_TRAINING_SPOT = Quota("ec2", "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 96)

_FAMILIES = (
    (("g", "vt"), _GRAPHICS, _GRAPHICS_SPOT),
    (("p",), _TRAINING, _TRAINING_SPOT),
    (("a", "c", "d", "h", "i", "m", "r", "t", "z", "is", "im"), _STANDARD, _STANDARD_SPOT),
)


def of_vcpus(known: Mapping[str, str]) -> Quota | None:
    """The vCPU quota that `{type}` counts against in `{market}`; None when that is unknown."""
    instance_type = known.get("type", "")
    letters = instance_type[: next((n for n, c in enumerate(instance_type) if not c.isalpha()), 0)]
    for families, on_demand, spot in _FAMILIES:
        if letters in families:
            return spot if known.get("market") == SPOT else on_demand
    return None


# --- commands

_SHOW = ("ec2", "describe-instances", "--instance-ids", "{instance_id}")
_RESERVATIONS = ("ec2", "describe-capacity-reservations")
_DEFAULT_KEY = ("ec2", "get-ebs-default-kms-key-id")
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
_ARCHITECTURES = (
    "ec2",
    "describe-instance-types",
    "--instance-types",
    "{type}",
    "--query",
    "InstanceTypes[].ProcessorInfo.SupportedArchitectures",
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
_IMAGE_PARAMETERS = (
    "ssm",
    "get-parameters-by-path",
    "--path",
    "/aws/service/ami-amazon-linux-latest",
    "--query",
    "Parameters[].Name",
    "--output",
    "text",
)
_KEYS = ("ec2", "describe-key-pairs", "--query", "KeyPairs[].KeyName", "--output", "text")
_UNPROTECT = (
    "aws ec2 modify-instance-attribute --region {region} --instance-id {instance_id:ID} "
    "--no-disable-api-termination"
)
_PROTECTION = (
    "ec2",
    "describe-instance-attribute",
    "--instance-id",
    "{instance_id}",
    "--attribute",
    "disableApiTermination",
)

# --- codes with the same meaning

_NO_ROOM = Remedy(
    "AWS has no capacity for {type:the instance type} ({market:in this market}) in {zone}, and all other "
    "candidates failed before it.",
    (
        "Retry: capacity changes within minutes.",
        "Add types to `instance.types` or zones to `network.zones`; tier1 tries them in order.",
        "With `market: spot-then-on-demand`, on-demand is used when there is no spot capacity.",
    ),
    (_OFFERED,),
)
_TOO_MANY_VCPUS = Remedy(
    "The account's vCPU quota is too low for {type:the instance type} ({market:in this market}).",
    (
        "Stop instances that are no longer needed, or choose a smaller type in `instance.types`.",
        "Ask AWS for a higher quota with the command below; it can take hours.",
    ),
    quota=of_vcpus,
)
_NO_AMI = Remedy(
    "The AMI {ami:the AMI} does not exist in {region}, is not shared with this account, or is deregistered.",
    (
        "Correct `instance.ami`: an AMI has a different id in each region.",
        "Omit `instance.ami` to use the current Amazon Linux 2023.",
    ),
    (_IMAGES,),
)
_NO_RESERVATION = Remedy(
    "The capacity reservation of `instance.capacity_reservation_id` does not exist in {region}, or is not "
    "shared with account {account}.",
    ("Correct `instance.capacity_reservation_id`, or omit it.",),
    inspect_on_aws=(_RESERVATIONS,),
)
_NO_TYPE = Remedy(
    "{type:the instance type} is not an instance type in {region}.",
    ("Correct `instance.types`.",),
    (_OFFERED,),
)
_INTERRUPTED = Remedy(
    "AWS interrupted the spot instance while it started.",
    ("Retry, or use `market: spot-then-on-demand` with more types: capacity is short.",),
)

REMEDIES: Remedies = {
    **_ec2.REMEDIES,
    # --- quotas
    "SecurityGroupsPerInterfaceLimitExceeded": Remedy(
        "The network interface would exceed its limit of security groups.",
        ("Ask AWS for a higher quota of groups per interface; tier1 itself uses one.",),
        quota=_GROUPS_PER_INTERFACE,
    ),
    "VcpuLimitExceeded": _TOO_MANY_VCPUS,
    "InstanceLimitExceeded": _TOO_MANY_VCPUS,
    "MaxSpotInstanceCountExceeded": _TOO_MANY_VCPUS,
    "VolumeLimitExceeded": Remedy(
        "The account has reached its limit of gp3 storage.",
        ("Delete `available` volumes, lower `instance.root_volume_gib`, or ask AWS for a higher quota.",),
        quota=_GP3_STORAGE,
    ),
    "Client.VolumeLimitExceeded": Remedy(
        "The instance terminated at once: the account has reached its limit of gp3 storage.",
        ("Delete `available` volumes, lower `instance.root_volume_gib`, or ask AWS for a higher quota.",),
        quota=_GP3_STORAGE,
    ),
    # --- capacity
    "InsufficientInstanceCapacity": _NO_ROOM,
    "InsufficientCapacity": _NO_ROOM,
    "InsufficientHostCapacity": _NO_ROOM,
    "InsufficientReservedInstanceCapacity": _NO_ROOM,
    "Server.InsufficientInstanceCapacity": _NO_ROOM,
    "UnfulfillableCapacity": _NO_ROOM,
    "ReservationCapacityExceeded": Remedy(
        "The capacity reservation has no room for {type:the instance type} in {zone}, or is for another "
        "type, zone or platform, and all other candidates failed before it.",
        (
            "Compare `instance.types`, `instance.ami` and `network.zones` with the reservation.",
            "Enlarge the reservation, or omit `instance.capacity_reservation_id`.",
        ),
        inspect_on_aws=(_RESERVATIONS,),
    ),
    "InvalidCapacityReservationId.*": _NO_RESERVATION,
    "InsufficientVolumeCapacity": Remedy(
        "AWS has no capacity for the volume in {zone} at the moment.",
        ("Retry in a few minutes, or add zones to `network.zones`.",),
    ),
    "Unsupported": Remedy(
        "{type:the instance type} is not offered in {zone}, or not with this AMI or market.",
        ("Use another type in `instance.types`, or zones that offer it in `network.zones`.",),
        (_OFFERED,),
    ),
    "SpotMaxPriceTooLow": Remedy(
        "The spot price of {type:the instance type} in {zone} is above the maximum, the on-demand price.",
        ("Use `market: spot-then-on-demand` or `on-demand`, or add types.",),
    ),
    "Server.SpotInstanceTermination": _INTERRUPTED,
    "Server.SpotInstanceShutdown": _INTERRUPTED,
    "InsufficientFreeAddressesInSubnet": Remedy(
        "The subnet {subnet_id:of the step} has no free private addresses.",
        ("Free up addresses in it, or use another subnet in `network.subnet_ids`.",),
        (_ec2.SHOW_SUBNET, _ec2.IN_SUBNET),
    ),
    # --- the request
    "InvalidAMIID.NotFound": _NO_AMI,
    "InvalidAMIID.Unavailable": _NO_AMI,
    # The table of failures tells these two from refused credentials, which have the same codes.
    "RunInstances/AuthFailure": Remedy(
        "This account may not use the AMI {ami:of the spec}: it is private, or no longer shared with account "
        "{account}.",
        (
            "Ask the owner of {ami:the AMI} to share it with account {account}, or correct `instance.ami`.",
            "Omit `instance.ami` to use the current Amazon Linux 2023.",
        ),
        (_IMAGES,),
    ),
    "DescribeImages/AuthFailure": Remedy(
        "This account may not see the AMI {ami:of the spec}: it is private, or no longer shared with account "
        "{account}.",
        ("Ask its owner to share it with account {account}, or correct `instance.ami`.",),
    ),
    "RunInstances/OptInRequired": Remedy(
        "The AMI {ami:of the spec} is a product of the AWS Marketplace whose terms account {account} has not "
        "accepted.",
        (
            "Subscribe with account {account} on the page that AWS names, then deploy again.",
            "Or use another AMI in `instance.ami`; without it, tier1 uses the current Amazon Linux 2023.",
        ),
        (_IMAGES,),
    ),
    "InvalidAMIID.Malformed": Remedy(
        "{ami:the AMI} is not an AMI id, which begins with `ami-`.",
        ("Correct `instance.ami`, or omit it to use the current Amazon Linux 2023.",),
    ),
    "ParameterNotFound": Remedy(
        "The public parameter that names the AMI is not in {region}.",
        ("Correct `instance.ami`, or give the id of an AMI.",),
        (_IMAGE_PARAMETERS,),
    ),
    "InvalidKeyPair.NotFound": Remedy(
        "There is no key pair {key_name:of that name} in {region}.",
        (
            (
                "Correct `instance.key_name`, import the key into {region}, or omit it: Session Manager "
                "needs no key."
            ),
        ),
        (_KEYS,),
    ),
    "RunInstances/InvalidParameterValue": Remedy(
        "A launch parameter is not valid: most often, the architecture of the AMI does not match "
        "{type:the instance type}, or EC2 cannot use the instance profile.",
        (
            (
                "Compare the architecture of the AMI with the type: Graviton types (with a `g` after the "
                "generation, as in m7g) need arm64, all others x86_64."
            ),
            "Correct `instance.ami`, `instance.types` or `instance.iam_profile`.",
        ),
        (_IMAGES, _ARCHITECTURES),
    ),
    "RunInstances/UnsupportedOperation": Remedy(
        "{type:the instance type} cannot be launched from this AMI: its architecture, boot mode or driver "
        "does not match.",
        ("Use a matching AMI in `instance.ami`, or other types in `instance.types`.",),
        (_IMAGES,),
    ),
    "InvalidParameterCombination": Remedy(
        "Two parameters conflict, such as a type and an option that it does not support.",
        ("Correct the spec as AWS's message says.",),
    ),
    "InvalidInstanceType": _NO_TYPE,
    "InvalidInstanceType.NotFound": _NO_TYPE,
    "InvalidBlockDeviceMapping": Remedy(
        "The volume does not fit the AMI: it is smaller than its snapshot, or a device does not exist.",
        ("Raise `instance.root_volume_gib`, or use another AMI.",),
        (_IMAGES,),
    ),
    "InvalidUserData.Malformed": Remedy(
        "The user data is larger than EC2's limit of 16 KiB.",
        ("Make `instance.user_data` smaller, for example by fetching the rest from S3.",),
    ),
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": Remedy(
        "The account has no service-linked role for spot, and these credentials may not create one.",
        ("Ask someone with IAM permissions to run the command below once, or use `market: on-demand`.",),
        (("iam", "create-service-linked-role", "--aws-service-name", "spot.amazonaws.com"),),
    ),
    # --- deletion
    "OperationNotPermitted": Remedy(
        "It is protected against termination; what it uses cannot be deleted before it.",
        (f"If it may go, lift the protection with `{_UNPROTECT}`, then resume.",),
        (_PROTECTION,),
    ),
    # --- state reasons
    "Client.InternalError": Remedy(
        "The instance terminated while starting; most often, EC2 may not use the KMS key of its volume.",
        (
            (
                "Correct `instance.kms_key_id`, or allow this account to use that key or the default EBS "
                "key, then retry."
            ),
        ),
        (_SHOW,),
        (_DEFAULT_KEY,),
    ),
    "CustomerKeyHasBeenRevoked": Remedy(
        "The KMS key of the volumes cannot be used.",
        ("Enable the key, or use another one in `instance.kms_key_id` or as EBS's default, then retry.",),
        inspect_on_aws=(_DEFAULT_KEY,),
    ),
    "Client.InstanceInitiatedShutdown": Remedy(
        "The instance was shut down from inside, by its own user data or software.",
        ("Read its console; remove the shutdown from `instance.user_data`, then retry.",),
        (_SHOW,),
    ),
    # Source: "StateReason" of the EC2 API reference, and "Troubleshoot instance launch issues".
    "Client.InvalidKMSKey.*": Remedy(
        "EC2 could not use the KMS key of the instance's volume: it is disabled, deleted, or denies EC2.",
        (
            (
                "Enable the key and allow `kms:CreateGrant` on it, or use another one in "
                "`instance.kms_key_id` or as EBS's default, then retry."
            ),
        ),
        (_SHOW,),
        (_DEFAULT_KEY,),
    ),
    "Client.UserInitiatedShutdown": Remedy(
        "Somebody stopped the instance by a command or in the console.",
        (
            "Find out who stops it (CloudTrail shows StopInstances), and why.",
            "Start it again in the console, then retry.",
        ),
        (_SHOW,),
    ),
    "Client.UserInitiatedHibernate": Remedy(
        "Somebody hibernated the instance.",
        ("Start it again in the console, then retry.",),
        (_SHOW,),
    ),
    "Client.InstanceTerminated": Remedy(
        "Somebody terminated the instance, or its last volume was taken from it.",
        ("Find out who terminates it (CloudTrail shows TerminateInstances), then retry.",),
        (_SHOW,),
    ),
    "Client.InvalidParameterCombination": Remedy(
        "The instance ended while starting, because its options do not go together.",
        ("Use another type in `instance.types` or another AMI in `instance.ami`, as the message says.",),
        (_SHOW,),
    ),
    "Server.ScheduledStop": Remedy(
        "AWS stopped the instance for scheduled maintenance: its host is being retired.",
        ("Start it again in the console: it then runs on another host. Then retry.",),
        (_SHOW,),
    ),
    "Server.InternalError": Remedy(
        "AWS terminated the instance because of an internal error.",
        ("Retry: the next launch gets another host.",),
    ),
}
