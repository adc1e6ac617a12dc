"""A request is parsed as the call that the client made, and stays readable for moto."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from werkzeug.test import EnvironBuilder

from tests.support.moto_account import ENDPOINT, Raw, body_of, headers_of, path_of
from tier1_engine.sandbox.wire import operations
from tier1_engine.sandbox.wire.call import Call, read
from tier1_engine.sandbox.wire.wire import from_json

FILE_SYSTEM = "fs-01234567"

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("ec2", "DescribeVpcs", {}),
    ("ec2", "DescribeVpcs", {"Filters": [{"Name": "tag:a", "Values": ["b", "c"]}], "MaxResults": 5}),
    ("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16", "DryRun": True}),
    (
        "ec2",
        "RunInstances",
        {
            "MinCount": 1,
            "MaxCount": 2,
            "InstanceType": "t3.medium",
            "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": "subnet-1", "Groups": ["sg-1", "sg-2"]}],
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeSize": 30}}
            ],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": ""}]}],
            "IamInstanceProfile": {"Name": "p"},
            "ClientToken": "t",
        },
    ),
    ("ec2", "DescribeInstances", {"InstanceIds": [f"i-{number:017x}" for number in range(12)]}),
    (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {
            "GroupId": "sg-1",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
            ],
        },
    ),
    (
        "iam",
        "CreateRole",
        {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "a", "Value": "ü"}]},
    ),
    ("iam", "TagRole", {"RoleName": "r", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}),
    ("iam", "UntagRole", {"RoleName": "r", "TagKeys": ["a", "b"]}),
    ("sts", "GetCallerIdentity", {}),
    ("ssm", "GetParameter", {"Name": "/aws/service/x"}),
    ("ssm", "SendCommand", {"DocumentName": "d", "Targets": [{"Key": "k", "Values": ["v"]}]}),
    (
        "efs",
        "CreateFileSystem",
        {"CreationToken": "t", "Encrypted": True, "Tags": [{"Key": "a", "Value": "b"}]},
    ),
    (
        "efs",
        "CreateMountTarget",
        {
            "FileSystemId": FILE_SYSTEM,
            "SubnetId": "subnet-01234567",
            "SecurityGroups": ["sg-01234567"],
        },
    ),
    ("efs", "DescribeMountTargets", {"FileSystemId": FILE_SYSTEM, "MaxItems": 3}),
    ("efs", "DescribeFileSystems", {}),
    ("efs", "DeleteMountTarget", {"MountTargetId": "fsmt-01234567"}),
    ("efs", "TagResource", {"ResourceId": FILE_SYSTEM, "Tags": [{"Key": "a", "Value": "b"}]}),
    ("efs", "UpdateFileSystem", {"FileSystemId": FILE_SYSTEM, "ThroughputMode": "elastic"}),
]


def environ_of(service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The WSGI environment of the request that botocore sends for a call."""
    sent: list[Any] = []

    def catch(request: Any, **_event: Any) -> Any:
        sent.append(request)
        none: Any = {}
        return AWSResponse(ENDPOINT, 400, none, Raw(b"<ErrorResponse/>"))

    client: Any = boto3.client(
        service,  # type: ignore[call-overload]
        region_name="eu-west-1",
        endpoint_url=ENDPOINT,
    )
    client.meta.events.register("before-send", catch)
    with suppress(ClientError):
        getattr(client, xform_name(operation))(**parameters)
    (request,) = sent
    return EnvironBuilder(
        path_of(request), ENDPOINT, method=request.method, headers=headers_of(request), data=body_of(request)
    ).get_environ()


@pytest.mark.parametrize(("service", "operation", "parameters"), CALLS)
def test_a_call_has_what_the_client_sent(service: str, operation: str, parameters: dict[str, Any]) -> None:
    """Service, operation, region and every parameter are parsed in the protocol of the service."""
    environ = environ_of(service, operation, parameters)
    assert read(environ) == Call(service, operation, "eu-west-1", "123456789012", parameters)


@pytest.mark.parametrize(("service", "operation", "parameters"), CALLS)
def test_the_body_can_be_read_again(service: str, operation: str, parameters: dict[str, Any]) -> None:
    """moto receives all of it."""
    environ = environ_of(service, operation, parameters)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    read(environ)
    assert len(environ["wsgi.input"].read()) == length


@pytest.mark.parametrize("operation", operations.service_model("efs").operation_names)
def test_every_rest_operation_is_recognised_by_its_path(operation: str) -> None:
    """No other is, also if one path is the beginning of another."""
    model = operations.operation_model("efs", operation)
    assert model is not None
    path = re.sub(r"\{(\w+)\}", r"fs-\1", model.http["requestUri"]).partition("?")[0]
    found = operations.routed("efs", model.http["method"], path)
    assert found is not None
    assert found[0] == operation
    assert found[1] == {name: f"fs-{name}" for name in re.findall(r"\{(\w+)\}", model.http["requestUri"])}


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("ListBuckets", {}),
        (
            "CreateBucket",
            {"Bucket": "b", "CreateBucketConfiguration": {"Tags": [{"Key": "k", "Value": "v"}]}},
        ),
        ("GetBucketTagging", {"Bucket": "b"}),
        ("ListObjects", {"Bucket": "b", "EncodingType": "url"}),
        ("ListObjectsV2", {"Bucket": "b", "Prefix": "p", "EncodingType": "url"}),
        ("HeadBucket", {"Bucket": "b"}),
        ("DeleteBucket", {"Bucket": "b"}),
        ("GetObject", {"Bucket": "b", "Key": "a/b"}),
        ("PutBucketVersioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "Enabled"}}),
    ],
)
def test_a_call_of_s3_is_recognised_by_path_query_and_document(
    operation: str, parameters: dict[str, Any]
) -> None:
    """S3 distinguishes operations of one path by query keys, and uses XML."""
    assert read(environ_of("s3", operation, parameters)) == Call(
        "s3", operation, "eu-west-1", "123456789012", parameters
    )


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda environ: environ.pop(name)


def setting(name: str, value: str) -> Callable[[dict[str, Any]], None]:
    return lambda environ: environ.update({name: value})


@pytest.mark.parametrize(
    ("service", "operation", "spoil"),
    [
        ("sts", "GetCallerIdentity", without("HTTP_AUTHORIZATION")),
        ("sts", "GetCallerIdentity", setting("HTTP_AUTHORIZATION", "AWS key:signature")),
        (
            "sts",
            "GetCallerIdentity",
            setting(
                "HTTP_AUTHORIZATION", "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request, x"
            ),
        ),
        ("ssm", "GetParameter", setting("HTTP_X_AMZ_TARGET", "AmazonSSM.Nothing")),
        ("efs", "DescribeFileSystems", setting("PATH_INFO", "/2015-02-01/nothing")),
    ],
)
def test_an_unknown_request_is_no_call(
    service: str, operation: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    """It is passed to moto unchanged."""
    environ = environ_of(service, operation, {"Name": "n"} if service == "ssm" else {})
    spoil(environ)
    assert read(environ) is None


def environ_with(body: bytes, query: str = "") -> dict[str, Any]:
    """A query request to IAM with this body."""
    environ = environ_of("iam", "ListRoles", {})
    return {
        **environ,
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "QUERY_STRING": query,
    }


@pytest.mark.parametrize(
    ("body", "query", "parameters"),
    [
        (b"", "Action=GetRole&RoleName=r", {"RoleName": "r"}),
        (b"Action=TagRole&RoleName=r&Tags=", "", {"RoleName": "r", "Tags": []}),
        (
            b"Action=TagRole&Tags.member.2.Key=b&Tags.member.1.Key=a",
            "",
            {"Tags": [{"Key": "a"}, {"Key": "b"}]},
        ),
        (b"Action=TagRole&Tags.member=nonsense", "", {"Tags": []}),
        (b"Action=TagRole&RoleName=r&RoleName.x=2", "", {"RoleName": {"x": "2"}}),
        (b"Action=ListRoles&MaxItems=many", "", {"MaxItems": "many"}),
        (b"Action=ListRoles&MaxItems=3&Unheard=of", "", {"MaxItems": 3}),
    ],
)
def test_a_malformed_request_is_parsed_as_far_as_possible(
    body: bytes, query: str, parameters: dict[str, Any]
) -> None:
    """A URL in place of a body, empty lists, numbers out of order and untyped values are moto's to judge."""
    call = read(environ_with(body, query))
    assert call is not None
    assert call.parameters == parameters


@pytest.mark.parametrize("body", [b"{", b"[]", b"3"])
def test_a_body_that_is_no_json_object_has_no_parameters(body: bytes) -> None:
    """moto reports what is wrong with it."""
    assert from_json(body) == {}


@pytest.mark.parametrize(
    ("operation", "changes"),
    [
        ("RunInstances", True),
        ("DescribeVpcs", False),
        ("GetRole", False),
        ("ListRoles", False),
        ("TagRole", True),
    ],
)
def test_changing_operations_are_recognised_by_name(operation: str, changes: bool) -> None:
    """AWS names reads `Describe`, `Get`, `List` or `Search`."""
    assert Call("ec2", operation, "us-east-1", "1").changes is changes


def test_a_fingerprint_covers_what_is_requested() -> None:
    """It does not depend on the order of parameters."""
    one = Call("ec2", "CreateVpc", "us-east-1", "1", {"a": 1, "b": [2]})
    assert one.fingerprint() == Call("ec2", "CreateVpc", "us-east-1", "1", {"b": [2], "a": 1}).fingerprint()
    assert one.fingerprint() != Call("ec2", "CreateVpc", "us-east-1", "1", {"a": 1, "b": [3]}).fingerprint()
    assert one.fingerprint() != Call("ec2", "CreateVpc", "us-east-2", "1", {"a": 1, "b": [2]}).fingerprint()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("RunInstence", "RunInstances"), ("createvpc", "CreateVpc"), ("GetParam", "GetParameter"), ("%", None)],
)
def test_the_nearest_operation_is_named(wrong: str, right: str | None) -> None:
    """Case is ignored, and there is none if nothing is similar."""
    assert operations.nearest(wrong) == right
