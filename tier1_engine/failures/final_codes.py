"""The codes with which AWS can refuse our calls for good, by what each is about. Pure data.

Owns the lists, and nothing of what follows: that is `failures`. Sources: the service models of botocore
for EFS, IAM and SSM; for EC2, whose model has none, the page that `ec2_codes` names; for STS, "Common
errors" of its API reference. A test walks the models and `ec2_codes` for every call that we make.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class About(StrEnum):
    """What a failure is about, so what kind of fix it needs."""

    ACCESS = "access"  # a permission is missing
    ACCOUNT = "account"  # AWS holds the account itself back
    CAPACITY = "capacity"  # AWS has no room now, or the subnet has not
    QUOTA = "quota"  # the account's own limit
    MISSING = "missing"  # what the call refers to is not there
    CONFLICT = "conflict"  # something else has the place, the name or the number
    STATE = "state"  # it is not in a state in which this can be done
    REQUEST = "request"  # what was asked for cannot be, so the spec is to be changed
    CREDENTIALS = "credentials"  # AWS does not know who asks
    AWS = "aws"  # AWS throttles, fails or does not answer
    BOOT = "boot"  # what runs on the instance: mount, user data
    SERVICE = "service"  # a service that does not answer
    OURS = "ours"  # tier1's own judgement of what AWS showed


FINAL_CODES: Mapping[About, frozenset[str]] = {
    About.ACCESS: frozenset(
        {
            "AccessDenied",
            "AccessDeniedException",
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "NotAuthorized",
            "UnauthorizedOperation",
        }
    ),
    About.ACCOUNT: frozenset({"Blocked", "PendingVerification", "RegionDisabledException"}),
    About.CAPACITY: frozenset(
        {
            "InsufficientCapacity",
            "InsufficientFreeAddressesInSubnet",
            "InsufficientHostCapacity",
            "InsufficientInstanceCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientThroughputCapacity",
            "InsufficientVolumeCapacity",
            "NoFreeAddressesInSubnet",
            "Server.InsufficientInstanceCapacity",
            "Server.SpotInstanceShutdown",
            "Server.SpotInstanceTermination",
            "SpotMaxPriceTooLow",
            "UnfulfillableCapacity",
            "Unsupported",
            "VolumeTypeNotAvailableInZone",
        }
    ),
    About.QUOTA: frozenset(
        {
            "AddressLimitExceeded",
            "AttachmentLimitExceeded",
            "Client.VolumeLimitExceeded",
            "FileSystemLimitExceeded",
            "InstanceLimitExceeded",
            "InternetGatewayLimitExceeded",
            "LimitExceeded",
            "MaxIOPSLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "NetworkInterfaceLimitExceeded",
            "PrivateIpAddressLimitExceeded",
            "RequestResourceCountExceeded",
            "ResourceCountExceeded",
            "ResourceCountLimitExceeded",
            "ResourceLimitExceeded",
            "RouteLimitExceeded",
            "RouteTableLimitExceeded",
            "RulesPerSecurityGroupLimitExceeded",
            "SecurityGroupLimitExceeded",
            "SecurityGroupsPerInstanceLimitExceeded",
            "SecurityGroupsPerInterfaceLimitExceeded",
            "SubnetLimitExceeded",
            "TagLimitExceeded",
            "ThroughputLimitExceeded",
            "VcpuLimitExceeded",
            "VolumeLimitExceeded",
            "VpcLimitExceeded",
        }
    ),
    About.MISSING: frozenset(
        {
            "AccessPointNotFound",
            "Client.InvalidSnapshot.NotFound",
            "FileSystemNotFound",
            "InvalidAMIID.NotFound",
            "InvalidAMIID.Unavailable",
            "InvalidAssociationID.NotFound",
            "InvalidAvailabilityZone",
            "InvalidCommandId",
            "InvalidDocument",
            "InvalidDocumentVersion",
            "InvalidGatewayID.NotFound",
            "InvalidGroup.NotFound",
            "InvalidIamInstanceProfileArn.NotFound",
            "InvalidInstanceID.NotFound",
            "InvalidInstanceId",
            "InvalidInstanceType.NotFound",
            "InvalidInternetGatewayID.NotFound",
            "InvalidKeyPair.NotFound",
            "InvalidNetworkInterfaceID.NotFound",
            "InvalidPermission.NotFound",
            "InvalidRoute.NotFound",
            "InvalidRouteTableID.NotFound",
            "InvalidSecurityGroupID.NotFound",
            "InvalidSnapshot.NotFound",
            "InvalidSpotInstanceRequestID.NotFound",
            "InvalidSubnet",
            "InvalidSubnetID.NotFound",
            "InvalidVpcID.NotFound",
            "InvalidZone.NotFound",
            "MountTargetNotFound",
            "NoSuchEntity",
            "ParameterNotFound",
            "ParameterVersionNotFound",
            "SecurityGroupNotFound",
            "SubnetNotFound",
            "VPCIdNotSpecified",
        }
    ),
    About.CONFLICT: frozenset(
        {
            "DuplicateInstanceId",
            "EntityAlreadyExists",
            "FileSystemAlreadyExists",
            "IdempotentInstanceTerminated",
            "IdempotentParameterMismatch",
            "InvalidGroup.Duplicate",
            "InvalidGroup.Reserved",
            "InvalidIPAddress.InUse",
            "InvalidPermission.Duplicate",
            "InvalidSubnet.Conflict",
            "IpAddressInUse",
            "MountTargetConflict",
            "Resource.AlreadyAssociated",
            "RouteAlreadyExists",
        }
    ),
    About.STATE: frozenset(
        {
            "CannotDelete",
            "Client.InternalError",
            "Client.InvalidParameterValue",
            "CustomerKeyHasBeenRevoked",
            "DeleteConflict",
            "DependencyTimeout",
            "DependencyViolation",
            "FileSystemInUse",
            "Gateway.NotAttached",
            "IncorrectFileSystemLifeCycleState",
            "IncorrectInstanceState",
            "IncorrectMountTargetState",
            "IncorrectState",
            "InvalidGroup.InUse",
            "InvalidInstanceState",
            "InvalidNetworkInterface.InUse",
            "InvalidState",
            "InvalidVpcState",
            "LegacySecurityGroup",
            "OperationNotPermitted",
            "PolicyNotAttachable",
            "UnmodifiableEntity",
            "VolumeInUse",
        }
    ),
    About.REQUEST: frozenset(
        {
            "AvailabilityZonesMismatch",
            "BadRequest",
            "BootForVolumeTypeUnsupported",
            "EncryptedVolumesNotSupported",
            "FilterLimitExceeded",
            "InvalidAMIID.Malformed",
            "InvalidBlockDeviceMapping",
            "InvalidCharacter",
            "InvalidFilter",
            "InvalidFilterKey",
            "InvalidGroupId.Malformed",
            "InvalidID",
            "InvalidIamInstanceProfileArn.Malformed",
            "InvalidInput",
            "InvalidInstanceAttributeValue",
            "InvalidInstanceID.Malformed",
            "InvalidInstanceType",
            "InvalidInterface.IpAddressLimitExceeded",
            "InvalidInternetGatewayId.Malformed",
            "InvalidKeyId",
            "InvalidNextToken",
            "InvalidNotificationConfig",
            "InvalidOutputFolder",
            "InvalidPaginationToken",
            "InvalidParameter",
            "InvalidParameterCombination",
            "InvalidParameterDependency",
            "InvalidParameterValue",
            "InvalidParameters",
            "InvalidPermission.Malformed",
            "InvalidQueryParameter",
            "InvalidRequest",
            "InvalidRole",
            "InvalidRoute.InvalidState",
            "InvalidRoute.Malformed",
            "InvalidRouteTableId.Malformed",
            "InvalidSecurityGroupId.Malformed",
            "InvalidSubnet.Range",
            "InvalidSubnetID.Malformed",
            "InvalidTagKey.Malformed",
            "InvalidTenancy",
            "InvalidUserData.Malformed",
            "InvalidVpc.Range",
            "InvalidVpcID.Malformed",
            "InvalidVpcRange",
            "MalformedPolicyDocument",
            "MalformedQueryString",
            "MaxDocumentSizeExceeded",
            "MissingAction",
            "MissingInput",
            "MissingParameter",
            "UnknownParameter",
            "UnknownVolumeType",
            "UnsupportedAvailabilityZone",
            "UnsupportedInstanceAttribute",
            "UnsupportedPlatformType",
            "UnsupportedProtocol",
            "UnsupportedTenancy",
            "VPCResourceNotSpecified",
            "ValidationError",
            "ValidationException",
        }
    ),
}
"""What no further try will help against, unless a kind declares more of a code."""
