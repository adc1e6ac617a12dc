"""Remedies for what EFS, IAM, SSM and STS answer, and for an AWS that does not. Pure data.

Source: the models of botocore, and "Troubleshooting Amazon EFS" of its user guide.
"""

from __future__ import annotations

from tier1_engine.guidance import quotas
from tier1_engine.guidance.remedies import Catalogue, Remedy

_MOUNTS = ("efs", "describe-mount-targets", "--file-system-id", "{file_system_id}")
_FILE_SYSTEMS = (
    "efs",
    "describe-file-systems",
    "--query",
    "FileSystems[].[FileSystemId,Name,LifeCycleState]",
    "--output",
    "text",
)
_WHO = ("sts", "get-caller-identity")
_SIGN_IN = "Sign in again to account {account}, check who you are with the command below, then resume."
_NOT_SIGNED_IN = Remedy("The credentials have expired, so AWS refuses all calls.", (_SIGN_IN,), (_WHO,))
_WRONG_KEYS = Remedy("AWS does not know these credentials.", (_SIGN_IN,), (_WHO,))
_UNREACHED = Remedy(
    "AWS, or the endpoint of this deployment, could not be reached from this host.",
    ("Check the network, DNS and proxy of this host, or start the local AWS, then resume.",),
    (_WHO,),
)
_ROLE_IN_THE_WAY = Remedy(
    "A role or profile with this name, which tier1 does not own, already exists.",
    ("Find out who owns it; if nobody needs it, delete it, then retry.",),
    (
        ("iam", "list-roles", "--path-prefix", "/tier1/", "--query", "Roles[].RoleName", "--output", "text"),
        (
            "iam",
            "list-instance-profiles",
            "--path-prefix",
            "/tier1/",
            "--query",
            "InstanceProfiles[].InstanceProfileName",
            "--output",
            "text",
        ),
    ),
)
CATALOGUE: Catalogue = {
    # --- EFS
    "FileSystemLimitExceeded": Remedy(
        "The account has reached its limit of file systems in {region}.",
        ("Delete file systems that are no longer needed, or use one of yours with `efs.file_system_id`.",),
        (_FILE_SYSTEMS,),
        quotas.FILE_SYSTEMS,
    ),
    "InsufficientThroughputCapacity": Remedy(
        "EFS has no capacity for this throughput mode at the moment.",
        ("Retry later, or use `efs.throughput_mode: bursting`.",),
    ),
    "ThroughputLimitExceeded": Remedy(
        "The requested throughput exceeds the limit of the file system.",
        ("Use `efs.throughput_mode: elastic` or `bursting`.",),
    ),
    "UnsupportedAvailabilityZone": Remedy(
        "EFS is not offered in {zone}.",
        ("Use other zones in `network.zones`.",),
    ),
    "AvailabilityZonesMismatch": Remedy(
        "The file system is a One Zone file system in another zone than the subnet.",
        ("Use the zone of the file system in `network.zones`, or another file system.",),
        (_FILE_SYSTEMS,),
    ),
    "FileSystemNotFound": Remedy(
        "The file system {file_system_id} does not exist, or not in {region}.",
        ("Correct `efs.file_system_id`; if tier1 created it and somebody deleted it, a retry recreates it.",),
        (_FILE_SYSTEMS,),
    ),
    "FileSystemInAnotherVpc": Remedy(
        "The file system of the spec is mounted in another VPC, and AWS allows only one.",
        ("Deploy into that VPC with `network.vpc_id`, or use another file system.",),
        (_MOUNTS,),
    ),
    "FileSystemInUse": Remedy(
        "The file system still has mount targets.",
        ("Delete those that tier1 did not create; tier1 deletes its own.",),
        (_MOUNTS,),
    ),
    "IncorrectFileSystemLifeCycleState": Remedy(
        "The file system is not `available`.",
        ("Wait until it is, then retry.",),
        (_FILE_SYSTEMS,),
    ),
    "LifeCycleState.error": Remedy(
        "EFS could not create it and marks it with an error.",
        ("Roll back, then deploy again: this deletes and recreates it.",),
        (_MOUNTS,),
    ),
    "MountTargetConflict": Remedy(
        "The file system already has a mount target in this zone, or is mounted in another VPC.",
        ("Find out who owns it with the command below; AWS allows one per zone, and one VPC.",),
        (_MOUNTS,),
    ),
    "NoFreeAddressesInSubnet": Remedy(
        "The subnet {subnet_id} has no free address for the mount target.",
        ("Free up addresses in it, or use another subnet in `network.subnet_ids`.",),
        (("ec2", "describe-subnets", "--subnet-ids", "{subnet_id}"),),
    ),
    "IpAddressInUse": Remedy(
        "Another network interface already has the address of the mount target.",
        ("Retry: AWS chooses another one.",),
    ),
    "CreateMountTarget/NetworkInterfaceLimitExceeded": Remedy(
        "The account has reached its limit of network interfaces, or the VPC its limit of mount targets.",
        ("Delete interfaces that are `available`, or ask AWS for a higher quota.",),
        quota=quotas.INTERFACES,
    ),
    "CreateMountTarget/SecurityGroupLimitExceeded": Remedy(
        "A mount target can have at most five security groups.",
        ("Use fewer groups; tier1 itself uses one.",),
    ),
    "SecurityGroupNotFound": Remedy(
        "The security group of the mount target no longer exists.",
        ("Retry: tier1 recreates what it created.",),
    ),
    "SubnetNotFound": Remedy(
        "The subnet of the mount target no longer exists.",
        ("Retry: tier1 recreates what it created. Correct what the spec names.",),
    ),
    "DependencyTimeout": Remedy(
        "EFS gave up waiting for EC2 while deleting the mount target.",
        ("Resume in a few minutes.",),
        (_MOUNTS,),
    ),
    # --- IAM
    "EntityAlreadyExists": _ROLE_IN_THE_WAY,
    "NoSuchEntity": Remedy(
        "A role, profile or policy that the call names does not exist.",
        ("Correct `instance.iam_profile`; what tier1 created is recreated on a retry.",),
    ),
    "CreateRole/LimitExceeded": Remedy(
        "The account has reached its limit of roles.",
        ("Delete unused roles, or use one of your profiles in `instance.iam_profile`.",),
        quota=quotas.ROLES,
    ),
    "CreateInstanceProfile/LimitExceeded": Remedy(
        "The account has reached its limit of instance profiles.",
        ("Delete unused profiles, or use one of yours in `instance.iam_profile`.",),
        quota=quotas.PROFILES,
    ),
    "AttachRolePolicy/LimitExceeded": Remedy(
        "The role has reached its limit of managed policies.",
        ("Detach policies that are no longer needed, or ask AWS for a higher quota.",),
        quota=quotas.POLICIES,
    ),
    "LimitExceeded": Remedy(
        "The account has reached an IAM limit.",
        ("Check the usage of each limit with the command below, and delete what is no longer needed.",),
        (("iam", "get-account-summary"),),
    ),
    "DeleteConflict": Remedy(
        "Something is still attached to the role or profile, or it is in a profile that tier1 does not own.",
        ("Detach or remove it there, then resume.",),
        (("iam", "list-instance-profiles-for-role", "--role-name", "{role_name}"),),
    ),
    "MalformedPolicyDocument": Remedy(
        "IAM rejects the trust policy; in some partitions the service has another name.",
        ("Use one of your profiles in `instance.iam_profile`.",),
    ),
    "UnmodifiableEntity": Remedy(
        "Only AWS may change this role.",
        ("Use another profile in `instance.iam_profile`.",),
    ),
    # --- SSM
    "ParameterNotFound": Remedy(
        "The public parameter that names the AMI is not in {region}.",
        ("Correct `instance.ami`, or give the id of an AMI.",),
        (
            (
                "ssm",
                "get-parameters-by-path",
                "--path",
                "/aws/service/ami-amazon-linux-latest",
                "--query",
                "Parameters[].Name",
                "--output",
                "text",
            ),
        ),
    ),
    "InvalidInstanceId": Remedy(
        "The instance never registered with Systems Manager.",
        (
            (
                "The instance needs access to the internet or to SSM endpoints, and the policy "
                "AmazonSSMManagedInstanceCore; or use `health.mount_check: console`."
            ),
        ),
        (
            (
                "ssm",
                "describe-instance-information",
                "--filters",
                "Key=InstanceIds,Values={instance_id}",
            ),
        ),
    ),
    # --- credentials
    "NoCredentials": Remedy(
        "This host has no usable AWS credentials for the deployment's profile.",
        (
            (
                "Sign in to account {account}, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, then resume."
            ),
        ),
        (_WHO,),
    ),
    "CredentialsUnusable": _WRONG_KEYS,
    "ExpiredToken": _NOT_SIGNED_IN,
    "ExpiredTokenException": _NOT_SIGNED_IN,
    "InvalidClientTokenId": _WRONG_KEYS,
    "UnrecognizedClientException": _WRONG_KEYS,
    "SignatureDoesNotMatch": Remedy(
        "The secret key does not match its key id, or the clock of this host is wrong.",
        (_SIGN_IN,),
        (_WHO,),
    ),
    "AuthFailure": Remedy(
        "EC2 could not validate the credentials, or they may not use what the call names, such as an AMI.",
        (
            _SIGN_IN,
            "If the identity is right, make sure that the AMI is shared with the account.",
        ),
        (_WHO,),
    ),
    "WrongAccount": Remedy(
        "These credentials belong to another account than the deployment.",
        ("Sign in to account {account}, then resume.",),
        (_WHO,),
    ),
    # --- AWS did not answer
    "ConnectionRefused": _UNREACHED,
    "ConnectTimeout": _UNREACHED,
    "NameNotResolved": _UNREACHED,
    "CallTimeout": Remedy(
        "AWS did not respond in time, even after retries.",
        ("Retry; TIER1_CALL_TIMEOUT_SECONDS sets the time limit of one call.",),
    ),
    "UnreadableReply": Remedy(
        "The reply is not from AWS: a proxy answered, or the endpoint is wrong.",
        ("Check the proxy of this host and the endpoint of the deployment, then resume.",),
        (_WHO,),
    ),
    "RequestLimitExceeded": Remedy(
        "AWS throttled this account's calls in {region}, even after retries.",
        ("Find out what else makes so many calls in this account, and retry in a few minutes.",),
    ),
}
