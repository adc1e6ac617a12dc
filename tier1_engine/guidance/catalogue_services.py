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
_SIGN_IN = "Sign in again to account {account}, and check with the command below who you are; then go on."
_NOT_SIGNED_IN = Remedy("The credentials have expired, so AWS does not let us act.", (_SIGN_IN,), (_WHO,))
_WRONG_KEYS = Remedy("AWS does not know these credentials.", (_SIGN_IN,), (_WHO,))
_UNREACHED = Remedy(
    "AWS, or the endpoint of this deployment, could not be reached from this host.",
    ("Check the network, DNS and proxy of this host, or start the local AWS; then go on.",),
    (_WHO,),
)
_ROLE_IN_THE_WAY = Remedy(
    "A role or profile of this name, which is not ours, exists already.",
    ("Find whose it is; delete it if it is a left-over, then try again.",),
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
        "The account has as many file systems in {region} as it may have.",
        ("Delete file systems that are not needed, or use one of yours with `efs.file_system_id`.",),
        (_FILE_SYSTEMS,),
        quotas.FILE_SYSTEMS,
    ),
    "InsufficientThroughputCapacity": Remedy(
        "EFS has no capacity for this throughput mode at the moment.",
        ("Try again later, or use `efs.throughput_mode: bursting`.",),
    ),
    "ThroughputLimitExceeded": Remedy(
        "The throughput asked for is above the limit of the file system.",
        ("Use `efs.throughput_mode: elastic` or `bursting`.",),
    ),
    "UnsupportedAvailabilityZone": Remedy(
        "EFS is not offered in {zone}.",
        ("Name other zones in `network.zones`.",),
    ),
    "AvailabilityZonesMismatch": Remedy(
        "The file system is a One Zone one, of another zone than the subnet.",
        ("Name the zone of the file system in `network.zones`, or another file system.",),
        (_FILE_SYSTEMS,),
    ),
    "FileSystemNotFound": Remedy(
        "The file system {file_system_id} is not there, or not in {region}.",
        ("Correct `efs.file_system_id`; one that tier1 made and somebody deleted is made anew on a retry.",),
        (_FILE_SYSTEMS,),
    ),
    "FileSystemInAnotherVpc": Remedy(
        "The file system that the spec brings is mounted in another VPC, and AWS allows one.",
        ("Deploy into that VPC with `network.vpc_id`, or name another file system.",),
        (_MOUNTS,),
    ),
    "FileSystemInUse": Remedy(
        "The file system still has mount targets.",
        ("Those that somebody else made must go first; ours go by themselves.",),
        (_MOUNTS,),
    ),
    "IncorrectFileSystemLifeCycleState": Remedy(
        "The file system is not `available`.",
        ("Wait until it is, then try again.",),
        (_FILE_SYSTEMS,),
    ),
    "LifeCycleState.error": Remedy(
        "EFS could not make it and marks it with an error.",
        ("Try again: it is deleted and made anew on a new deployment.",),
        (_MOUNTS,),
    ),
    "MountTargetConflict": Remedy(
        "The file system has a mount target in this zone already, or is mounted in another VPC.",
        ("See whose it is with the command below; AWS allows one in each zone, and one VPC.",),
        (_MOUNTS,),
    ),
    "NoFreeAddressesInSubnet": Remedy(
        "The subnet {subnet_id} has no free address for the mount target.",
        ("Free addresses in it, or name another subnet in `network.subnet_ids`.",),
        (("ec2", "describe-subnets", "--subnet-ids", "{subnet_id}"),),
    ),
    "IpAddressInUse": Remedy(
        "Another interface has the address that the mount target was to have.",
        ("Try again: AWS chooses another one.",),
    ),
    "CreateMountTarget/NetworkInterfaceLimitExceeded": Remedy(
        "The account has as many network interfaces, or the VPC as many mount targets, as it may have.",
        ("Delete interfaces that are `available`, or ask AWS for more.",),
        quota=quotas.INTERFACES,
    ),
    "CreateMountTarget/SecurityGroupLimitExceeded": Remedy(
        "A mount target may have five security groups.",
        ("Name fewer groups; tier1 itself uses one.",),
    ),
    "SecurityGroupNotFound": Remedy(
        "The security group of the mount target is not there any more.",
        ("Try again: what tier1 made is made anew.",),
    ),
    "SubnetNotFound": Remedy(
        "The subnet of the mount target is not there any more.",
        ("Try again: what tier1 made is made anew. What the spec names must be corrected there.",),
    ),
    "DependencyTimeout": Remedy(
        "EFS gave up waiting for EC2 while it took the mount target away.",
        ("Go on in some minutes.",),
        (_MOUNTS,),
    ),
    # --- IAM
    "EntityAlreadyExists": _ROLE_IN_THE_WAY,
    "NoSuchEntity": Remedy(
        "A role, profile or policy that the call names is not there.",
        ("Correct `instance.iam_profile`; what tier1 made is made anew on a retry.",),
    ),
    "CreateRole/LimitExceeded": Remedy(
        "The account has as many roles as it may have.",
        ("Delete roles that nothing uses, or name a profile of yours in `instance.iam_profile`.",),
        quota=quotas.ROLES,
    ),
    "CreateInstanceProfile/LimitExceeded": Remedy(
        "The account has as many instance profiles as it may have.",
        ("Delete profiles that nothing uses, or name one of yours in `instance.iam_profile`.",),
        quota=quotas.PROFILES,
    ),
    "AttachRolePolicy/LimitExceeded": Remedy(
        "The role has as many managed policies as it may have.",
        ("Detach what is not needed, or ask for more.",),
        quota=quotas.POLICIES,
    ),
    "LimitExceeded": Remedy(
        "The account has reached a limit of IAM.",
        ("See how near each limit is with the command below, and delete what is not needed.",),
        (("iam", "get-account-summary"),),
    ),
    "DeleteConflict": Remedy(
        "Something is still attached to the role or profile, or it is in a profile that is not ours.",
        ("Take it out where it is, then go on.",),
        (("iam", "list-instance-profiles-for-role", "--role-name", "{role_name}"),),
    ),
    "MalformedPolicyDocument": Remedy(
        "IAM does not take the trust policy; in some partitions the service has another name.",
        ("Name a profile of yours in `instance.iam_profile`.",),
    ),
    "UnmodifiableEntity": Remedy(
        "Only AWS may change this role.",
        ("Name another profile in `instance.iam_profile`.",),
    ),
    # --- SSM
    "ParameterNotFound": Remedy(
        "The public parameter that names the AMI is not in {region}.",
        ("Correct `instance.ami`, or name an AMI by its id.",),
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
        "The instance's agent never reported to Systems Manager.",
        (
            (
                "The instance needs a way to the internet or SSM endpoints, and the policy "
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
                "AWS_SECRET_ACCESS_KEY; then go on."
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
        "The secret key does not fit its key id, or the clock of this host is off.",
        (_SIGN_IN,),
        (_WHO,),
    ),
    "AuthFailure": Remedy(
        "EC2 could not validate the credentials, or they may not use what was named, such as an AMI.",
        (_SIGN_IN, "If you are who you should be, see that the AMI of the spec is shared with the account."),
        (_WHO,),
    ),
    "WrongAccount": Remedy(
        "These credentials are of another account than the deployment's.",
        ("Sign in to account {account}; then go on.",),
        (_WHO,),
    ),
    # --- AWS did not answer
    "ConnectionRefused": _UNREACHED,
    "ConnectTimeout": _UNREACHED,
    "NameNotResolved": _UNREACHED,
    "CallTimeout": Remedy(
        "AWS did not answer in time, also when it was tried again.",
        ("Try again; TIER1_CALL_TIMEOUT_SECONDS is the budget of one call.",),
    ),
    "UnreadableReply": Remedy(
        "What answered does not answer like AWS: a proxy, or the wrong endpoint.",
        ("Check the proxy of this host and the endpoint of the deployment; then go on.",),
        (_WHO,),
    ),
    "RequestLimitExceeded": Remedy(
        "AWS throttled this account's calls in {region}, also when it was tried again.",
        ("See what else calls AWS that often in this account, and try again in some minutes.",),
    ),
}
