"""The codes with which AWS can permanently refuse the calls of tier1, by what each is about. Pure data.

Owns the lists; `calls` decides the consequences. Sources: the service models of botocore for EFS, IAM and
SSM; for EC2, whose model has none, the page that `ec2_codes` names; for STS, "Common errors" of its API
reference. A test checks the models and `ec2_codes` for every call that tier1 makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class About(StrEnum):
    """What a failure is about, and so what kind of fix it needs."""

    ACCESS = "access"  # a permission is missing
    ACCOUNT = "account"  # AWS restricts the account
    CAPACITY = "capacity"  # AWS or the subnet has no capacity now
    QUOTA = "quota"  # a quota of the account
    MISSING = "missing"  # the call refers to something that does not exist
    CONFLICT = "conflict"  # the name, address or key is already in use
    STATE = "state"  # the state of the resource does not allow the call
    REQUEST = "request"  # the request is not valid: the spec must change
    CREDENTIALS = "credentials"  # AWS does not accept the credentials
    AWS = "aws"  # AWS throttles, fails or does not respond
    BOOT = "boot"  # software on the instance: mount, user data
    SERVICE = "service"  # a service that does not respond
    OURS = "ours"  # tier1's own conclusion from what AWS returned


FINAL_CODES: Mapping[About, frozenset[str]] = {
    About.ACCESS: frozenset(
        {
            "AccessDenied",
            "AccessDeniedException",
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "NotAuthorized",
            "TagPolicyViolation",
            "UnauthorizedOperation",
        }
    ),
    About.ACCOUNT: frozenset({"Blocked", "RegionDisabledException"}),
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
            "ReservationCapacityExceeded",
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
            "InvalidAddress.NotFound",
            "InvalidAllocationID.NotFound",
            "InvalidAssociationID.NotFound",
            "InvalidAvailabilityZone",
            "InvalidCapacityReservationId.NotFound",
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
            "InvalidNetworkAclID.NotFound",
            "InvalidNetworkInterfaceID.NotFound",
            "InvalidPermission.NotFound",
            "InvalidRoute.NotFound",
            "InvalidRouteTableID.NotFound",
            "InvalidSecurityGroupID.NotFound",
            "InvalidSnapshot.NotFound",
            "InvalidSpotInstanceRequestID.NotFound",
            "InvalidSubnet",
            "InvalidSubnetID.NotFound",
            "InvalidVolume.NotFound",
            "InvalidVpcEndpointId.NotFound",
            "InvalidVpcID.NotFound",
            "InvalidVpcPeeringConnectionID.NotFound",
            "InvalidVpnGatewayID.NotFound",
            "InvalidZone.NotFound",
            "MountTargetNotFound",
            "NoSuchEntity",
            "NotFoundException",
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
            "Client.InstanceInitiatedShutdown",
            "Client.InstanceTerminated",
            "Client.InternalError",
            "Client.InvalidKMSKey.InvalidState",
            "Client.InvalidParameterCombination",
            "Client.InvalidParameterValue",
            "Client.UserInitiatedHibernate",
            "Client.UserInitiatedShutdown",
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
            "Server.InternalError",
            "Server.ScheduledStop",
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
            "InvalidArnException",
            "InvalidAuthorizationMessageException",
            "InvalidBlockDeviceMapping",
            "InvalidCapacityReservationId.Malformed",
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
            "InvalidVpcId.Malformed",
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
"""The codes for which no further attempt helps, unless a kind declares otherwise."""
