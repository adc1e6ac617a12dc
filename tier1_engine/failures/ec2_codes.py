"""The error codes that each EC2 call of tier1 can return. Pure data.

Source: "Error codes for the Amazon EC2 API"
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html), because EC2's service model
lists no errors. A test verifies that every EC2 call of the kinds and checks is here, and that the table of
failures covers each code.
"""

from __future__ import annotations

from collections.abc import Mapping

EC2_COMMON = frozenset(
    {
        "AuthFailure",
        "Blocked",
        "FilterLimitExceeded",
        "IdempotentParameterMismatch",
        "IncompleteSignature",
        "InternalError",
        "InternalFailure",
        "InvalidAction",
        "InvalidCharacter",
        "InvalidClientTokenId",
        "InvalidFilter",
        "InvalidID",
        "InvalidInput",
        "InvalidNextToken",
        "InvalidPaginationToken",
        "InvalidParameter",
        "InvalidParameterCombination",
        "InvalidParameterDependency",
        "InvalidParameterValue",
        "InvalidQueryParameter",
        "InvalidRequest",
        "InvalidSecurity.RequestHasExpired",
        "MalformedQueryString",
        "MissingAction",
        "MissingAuthenticationToken",
        "MissingInput",
        "MissingParameter",
        "OptInRequired",
        "PendingVerification",
        "RequestExpired",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "Unavailable",
        "UnknownParameter",
        "UnsupportedOperation",
        "UnsupportedProtocol",
        "ValidationError",
    }
)
"""The codes that every EC2 call can return, without `DryRunOperation`: tier1 makes no dry runs."""

_TAGGED = {"ConcurrentTagAccess", "InvalidTagKey.Malformed", "TagLimitExceeded"}
_NO_VPC = {"InvalidVpcID.Malformed", "InvalidVpcID.NotFound", "InvalidVpcId.Malformed"}
_NO_SUBNET = {"InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound"}
_NO_GROUP = {"InvalidGroup.NotFound", "InvalidGroupId.Malformed", "InvalidSecurityGroupID.NotFound"}
_NO_GATEWAY = {"InvalidInternetGatewayID.NotFound", "InvalidInternetGatewayId.Malformed"}
_NO_TABLE = {"InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed"}
_NO_INSTANCE = {"InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound"}
_NO_INTERFACE = {"InvalidNetworkInterfaceID.NotFound"}
_NO_VOLUME = {"InvalidVolume.NotFound"}
_ROUTE = {
    *_NO_TABLE,
    "InvalidGatewayID.NotFound",
    "InvalidInternetGatewayID.NotFound",
    "InvalidRoute.InvalidState",
    "InvalidRoute.Malformed",
}
_REVOKE = {*_NO_GROUP, "InvalidPermission.Malformed", "InvalidPermission.NotFound"}

EC2_CODES: Mapping[str, frozenset[str]] = {
    operation: EC2_COMMON | codes
    for operation, codes in {
        "AssociateRouteTable": {*_NO_TABLE, *_NO_SUBNET, "Resource.AlreadyAssociated"},
        "AttachInternetGateway": {
            *_NO_GATEWAY,
            *_NO_VPC,
            "InvalidVpcState",
            "LegacySecurityGroup",
            "Resource.AlreadyAssociated",
        },
        "AuthorizeSecurityGroupIngress": {
            *_NO_GROUP,
            "InvalidPermission.Duplicate",
            "InvalidPermission.Malformed",
            "RulesPerSecurityGroupLimitExceeded",
        },
        "CreateInternetGateway": {*_TAGGED, "InternetGatewayLimitExceeded"},
        "CreateRoute": {*_ROUTE, "ResourceCountLimitExceeded", "RouteAlreadyExists", "RouteLimitExceeded"},
        "CreateRouteTable": {*_TAGGED, *_NO_VPC, "RouteTableLimitExceeded"},
        "CreateSecurityGroup": {
            *_TAGGED,
            *_NO_VPC,
            "InvalidGroup.Duplicate",
            "InvalidGroup.Reserved",
            "SecurityGroupLimitExceeded",
            "VPCIdNotSpecified",
        },
        "CreateNetworkInterface": {
            *_TAGGED,
            *_NO_GROUP,
            *_NO_SUBNET,
            "InsufficientFreeAddressesInSubnet",
            "NetworkInterfaceLimitExceeded",
            "SecurityGroupsPerInterfaceLimitExceeded",
        },
        "CreateSubnet": {
            *_TAGGED,
            *_NO_VPC,
            "InvalidAvailabilityZone",
            "InvalidSubnet.Conflict",
            "InvalidSubnet.Range",
            "InvalidZone.NotFound",
            "SubnetLimitExceeded",
        },
        "CreateVpc": {*_TAGGED, "InvalidTenancy", "InvalidVpc.Range", "InvalidVpcRange", "VpcLimitExceeded"},
        "CreateVolume": {
            *_TAGGED,
            "InsufficientVolumeCapacity",
            "InvalidSnapshot.NotFound",
            "InvalidZone.NotFound",
            "VolumeLimitExceeded",
            "VolumeTypeNotAvailableInZone",
        },
        "DeleteInternetGateway": {*_NO_GATEWAY, "DependencyViolation", "IncorrectState"},
        "DeleteRouteTable": {*_NO_TABLE, "DependencyViolation"},
        "DeleteSecurityGroup": {*_NO_GROUP, "CannotDelete", "DependencyViolation", "InvalidGroup.InUse"},
        "DeleteSubnet": {*_NO_SUBNET, "DependencyViolation", "IncorrectState", "InvalidState"},
        "DeleteVpc": {*_NO_VPC, "DependencyViolation", "InvalidVpcState", "OperationNotPermitted"},
        "DeleteNetworkInterface": {*_NO_INTERFACE, "InvalidNetworkInterface.InUse"},
        "DeleteVolume": {*_NO_VOLUME, "IncorrectState", "OperationNotPermitted", "VolumeInUse"},
        "DescribeAddresses": {"InvalidAddress.NotFound", "InvalidAllocationID.NotFound"},
        "DescribeAvailabilityZones": {"InvalidAvailabilityZone", "InvalidZone.NotFound"},
        "DescribeCapacityReservations": {
            "InvalidCapacityReservationId.Malformed",
            "InvalidCapacityReservationId.NotFound",
        },
        "DescribeImages": {"InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"},
        "DescribeInstanceStatus": _NO_INSTANCE,
        "DescribeInstanceTypeOfferings": {"InvalidInstanceType"},
        "DescribeInstanceTypes": {"InvalidInstanceType"},
        "DescribeInstances": _NO_INSTANCE,
        "DescribeInternetGateways": _NO_GATEWAY,
        "DescribeKeyPairs": {"InvalidKeyPair.NotFound"},
        "DescribeNetworkAcls": {"InvalidNetworkAclID.NotFound"},
        "DescribeNetworkInterfaces": _NO_INTERFACE,
        "DescribeRouteTables": _NO_TABLE,
        "DescribeSecurityGroups": _NO_GROUP,
        "DescribeSpotInstanceRequests": {
            "InvalidSpotInstanceRequestID.NotFound",
            "RequestResourceCountExceeded",
        },
        "DescribeSubnets": _NO_SUBNET,
        "DescribeVolumes": _NO_VOLUME,
        "DescribeVpcAttribute": _NO_VPC,
        "DescribeVpcEndpoints": {"InvalidVpcEndpointId.NotFound"},
        "DescribeVpcPeeringConnections": {"InvalidVpcPeeringConnectionID.NotFound"},
        "DescribeVpcs": _NO_VPC,
        "DescribeVpnGateways": {"InvalidVpnGatewayID.NotFound"},
        "DetachInternetGateway": {*_NO_GATEWAY, *_NO_VPC, "DependencyViolation", "Gateway.NotAttached"},
        "DisassociateRouteTable": {"InvalidAssociationID.NotFound"},
        "GetConsoleOutput": _NO_INSTANCE,
        "ModifyVpcAttribute": {*_NO_VPC, "OperationNotPermitted"},
        "ReplaceRoute": {*_ROUTE, "InvalidRoute.NotFound"},
        "RevokeSecurityGroupEgress": _REVOKE,
        "RevokeSecurityGroupIngress": _REVOKE,
        "RunInstances": {
            *_TAGGED,
            *_NO_SUBNET,
            *_NO_GROUP,
            "AttachmentLimitExceeded",
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "BootForVolumeTypeUnsupported",
            "CustomerKeyHasBeenRevoked",
            "EncryptedVolumesNotSupported",
            "IdempotentInstanceTerminated",
            "InstanceLimitExceeded",
            "InsufficientCapacity",
            "InsufficientFreeAddressesInSubnet",
            "InsufficientHostCapacity",
            "InsufficientInstanceCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientVolumeCapacity",
            "InvalidAMIID.Malformed",
            "InvalidAMIID.NotFound",
            "InvalidAMIID.Unavailable",
            "InvalidAvailabilityZone",
            "InvalidBlockDeviceMapping",
            "InvalidCapacityReservationId.Malformed",
            "InvalidCapacityReservationId.NotFound",
            "InvalidIPAddress.InUse",
            "InvalidIamInstanceProfileArn.Malformed",
            "InvalidIamInstanceProfileArn.NotFound",
            "InvalidInstanceAttributeValue",
            "InvalidInstanceType",
            "InvalidInterface.IpAddressLimitExceeded",
            "InvalidKeyPair.NotFound",
            "InvalidNetworkInterface.InUse",
            "InvalidSnapshot.NotFound",
            "InvalidSubnet",
            "InvalidUserData.Malformed",
            "InvalidZone.NotFound",
            "MaxIOPSLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "NetworkInterfaceLimitExceeded",
            "OperationNotPermitted",
            "PrivateIpAddressLimitExceeded",
            "RequestResourceCountExceeded",
            "ReservationCapacityExceeded",
            "ResourceCountExceeded",
            "ResourceLimitExceeded",
            "SecurityGroupLimitExceeded",
            "SecurityGroupsPerInstanceLimitExceeded",
            "SecurityGroupsPerInterfaceLimitExceeded",
            "SpotMaxPriceTooLow",
            "UnfulfillableCapacity",
            "UnknownVolumeType",
            "Unsupported",
            "UnsupportedTenancy",
            "VPCIdNotSpecified",
            "VPCResourceNotSpecified",
            "VcpuLimitExceeded",
            "VolumeLimitExceeded",
            "VolumeTypeNotAvailableInZone",
        },
        "TerminateInstances": {*_NO_INSTANCE, "IncorrectInstanceState", "OperationNotPermitted"},
    }.items()
}
"""The codes of each operation, including the common ones."""
