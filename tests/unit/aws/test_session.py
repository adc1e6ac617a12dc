"""The errors of `aws`, against an endpoint on loopback that disconnects, stalls and answers nonsense."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest
from botocore import xform_name

from tests.support.loopback import (
    BUDGET_SECONDS,
    HTML,
    VPC_XML,
    Respond,
    ec2_error,
    efs_error,
    endpoint,
    failure,
    http,
    nobody,
)
from tier1_engine.aws.session import AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.errors import Acted, CallError

REFUSED, UNKNOWN = Acted.REFUSED, Acted.UNKNOWN


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials from the environment alone, without this machine's settings."""
    nobody(monkeypatch, tmp_path)


EC2, EFS = "ec2.create_vpc", "efs.describe_file_systems"

ANSWERS: dict[str, tuple[str, bytes, str, Acted, int | None]] = {
    "a 4xx of AWS's": (EC2, ec2_error(400, "VpcLimitExceeded"), "VpcLimitExceeded", REFUSED, 400),
    "a throttle with 503": (
        EC2,
        ec2_error(503, "RequestLimitExceeded"),
        "RequestLimitExceeded",
        REFUSED,
        503,
    ),
    "a throttle of EFS's": (EFS, efs_error(429, "ThrottlingException"), "ThrottlingException", REFUSED, 429),
    "no capacity with 500": (
        EC2,
        ec2_error(500, "InsufficientInstanceCapacity"),
        "InsufficientInstanceCapacity",
        REFUSED,
        500,
    ),
    "an error of the server's": (EC2, ec2_error(500, "InternalError"), "InternalError", UNKNOWN, 500),
    "unavailable": (EC2, ec2_error(503, "Unavailable"), "Unavailable", UNKNOWN, 503),
    "a 5xx of EFS's": (EFS, efs_error(500, "InternalServerError"), "InternalServerError", UNKNOWN, 500),
    "an operation that it lacks": (EC2, ec2_error(501, "NotImplemented"), "NotImplemented", REFUSED, 501),
    "501 without a code": (EFS, http(501, b"nope"), "NotImplemented", REFUSED, 501),
    "HTML with 200": (EC2, http(200, HTML), "UnreadableReply", UNKNOWN, 200),
    "HTML that is XML, with 200": (EC2, http(200, b"<html><b/></html>"), "UnreadableReply", UNKNOWN, 200),
    "HTML with 200 where JSON should be": (EFS, http(200, HTML), "UnreadableReply", UNKNOWN, 200),
    "HTML with 404": (EC2, http(404, HTML), "UnreadableReply", REFUSED, 404),
    "HTML with 404 where JSON should be": (EFS, http(404, HTML), "UnreadableReply", REFUSED, 404),
    "HTML with 502": (EC2, http(502, b"<html>Bad gateway</html>"), "UnreadableReply", UNKNOWN, 502),
    "HTML with 502 where JSON should be": (EFS, http(502, HTML), "UnreadableReply", UNKNOWN, 502),
    "503 without a body": (EC2, http(503, b""), "UnreadableReply", UNKNOWN, 503),
    "408 of somebody in between": (EC2, http(408, HTML), "UnreadableReply", UNKNOWN, 408),
    "a redirect": (EC2, http(301, HTML), "UnreadableReply", UNKNOWN, 301),
    "a redirect without a body": (EC2, http(302, b""), "UnreadableReply", UNKNOWN, 302),
    "XML that is cut": (EC2, http(200, VPC_XML[:120], length=len(VPC_XML)), "UnreadableReply", UNKNOWN, 200),
    "XML that breaks off": (EC2, http(200, VPC_XML[:180]), "UnreadableReply", UNKNOWN, 200),
    "JSON that breaks off": (EFS, http(200, b'{"FileSystems": [{"Fi'), "UnreadableReply", UNKNOWN, 200),
    "JSON that is no object": (EFS, http(200, b"[1, 2]"), "UnreadableReply", UNKNOWN, 200),
    "nothing with 200": (EC2, http(200, b""), "UnreadableReply", UNKNOWN, 200),
    "nothing with 200 where JSON should be": (EFS, http(200, b" "), "UnreadableReply", UNKNOWN, 200),
    "XML with a number that is none": (
        "ec2.describe_subnets",
        http(
            200,
            b"<DescribeSubnetsResponse><subnetSet><item><availableIpAddressCount>many"
            b"</availableIpAddressCount></item></subnetSet></DescribeSubnetsResponse>",
        ),
        "UnreadableReply",
        UNKNOWN,
        200,
    ),
    "XML without its result": (
        "sts.get_caller_identity",
        http(200, b"<GetCallerIdentityResponse/>"),
        "UnreadableReply",
        UNKNOWN,
        200,
    ),
    "no HTTP": (EC2, b"220 mail ready\r\n", "ConnectionReset", UNKNOWN, None),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_says_whether_aws_acted(answer: str) -> None:
    """Each has its code and status, and is `refused` only if AWS provably did not act."""
    operation, reply, code, acted, status = ANSWERS[answer]
    with endpoint(reply) as served:
        error = failure(served.url, operation)
    assert (error.code, error.acted, error.http_status) == (code, acted, status)
    assert xform_name(error.operation) == operation.partition(".")[2]
    assert len(served.requests) == 1, "a call is made once"


def test_aws_s_message_and_request_id_are_kept() -> None:
    """The error contains what AWS support asks for."""
    with endpoint(ec2_error(400, "VpcLimitExceeded")) as served:
        error = failure(served.url)
    assert (error.message, error.request_id) == ("No.", "req-7")


def test_a_valid_reply_is_returned() -> None:
    """The checks accept a plain answer, and the user agent names tier1."""
    with endpoint(http(200, VPC_XML)) as served:
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(AlwaysPermitted())
        assert cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] == "vpc-1"
    assert b"tier1/" in served.requests[0]


RDS_XML = b"""<DeleteDBInstanceResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">
<DeleteDBInstanceResult/><ResponseMetadata><RequestId>req-9</RequestId></ResponseMetadata>
</DeleteDBInstanceResponse>"""


def test_a_reply_has_the_operation_as_aws_names_it() -> None:
    """boto3's spelling cannot be converted: `delete_db_instance` is DeleteDBInstance."""
    with endpoint(http(200, RDS_XML)) as served:
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(AlwaysPermitted())
        reply = cloud.change("rds", "delete_db_instance", DBInstanceIdentifier="one")
    assert (reply.operation, reply.request_id) == ("DeleteDBInstance", "req-9")


def test_an_empty_reply_is_valid_for_an_operation_without_output() -> None:
    """DeleteFileSystem answers 204 without a body."""
    with endpoint(http(204, b"")) as served:
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(AlwaysPermitted())
        cloud.change("efs", "delete_file_system", FileSystemId="fs-1")
    assert len(served.requests) == 1


def test_a_bucket_is_in_the_path_for_a_custom_endpoint() -> None:
    """A local endpoint has no host name for each bucket, and S3's create answers in headers alone."""
    answer = http(200, b"").replace(b"\r\n\r\n", b"\r\nLocation: /reports\r\n\r\n", 1)
    with endpoint(answer) as served:
        url = served.url.replace("127.0.0.1", "localhost")
        cloud = AwsSession("us-east-1", endpoint_url=url).cloud(AlwaysPermitted())
        assert cloud.change("s3", "create_bucket", Bucket="reports")["Location"] == "/reports"
    assert served.requests[0].startswith(b"PUT /reports HTTP")


def reset(connection: socket.socket) -> None:
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_in_the_head(connection: socket.socket) -> None:
    """Close within the header lines."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


def cut_in_a_chunk(connection: socket.socket) -> None:
    """Close within a chunk."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + b"400\r\n<CreateVpcResponse>")


@pytest.mark.parametrize("cut", [reset, cut_in_the_head, cut_in_a_chunk, lambda connection: None])
def test_a_connection_that_ends_after_the_request_leaves_the_outcome_unknown(cut: Respond) -> None:
    """It is reset or closed, before or within the answer."""
    with endpoint(cut) as served:
        error = failure(served.url)
    assert (error.acted, error.code in {"ConnectionReset", "UnreadableReply"}) == (UNKNOWN, True)


def test_a_missing_answer_is_a_time_out_and_unknown() -> None:
    """The call ends with its budget, whatever the endpoint does."""
    over = threading.Event()

    def silent(connection: socket.socket) -> None:
        over.wait(BUDGET_SECONDS)

    with endpoint(silent) as served:
        error = failure(served.url, budget=0.3)
        over.set()
    assert (error.code, error.acted) == ("CallTimeout", UNKNOWN)


def test_a_dripping_answer_is_a_time_out_too() -> None:
    """The budget covers the whole call: a byte now and then does not extend it."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b" ")
            if over.wait(0.05):
                break

    with endpoint(drip) as served:
        error = failure(served.url, budget=0.5)
        over.set()
    assert (error.code, error.acted) == ("CallTimeout", UNKNOWN)


def test_a_change_abandoned_before_it_was_sent_is_never_sent() -> None:
    """A permit or credential chain hangs: the caller gets `refused`, which stays true."""
    asked, over = threading.Event(), threading.Event()

    class Slow:
        def check(self) -> None:
            asked.set()
            over.wait(BUDGET_SECONDS)

    before = set(threading.enumerate())
    with endpoint(http(200, VPC_XML)) as served:
        cloud = AwsSession("us-east-1", None, served.url, 0.5).cloud(Slow())
        with pytest.raises(CallError) as caught:
            cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
        over.set()
        for thread in set(threading.enumerate()) - before:
            if thread.name == "tier1-CreateVpc":
                thread.join(BUDGET_SECONDS)
        assert (caught.value.code, caught.value.acted) == ("CallTimeout", REFUSED)
        assert (asked.is_set(), served.requests) == (True, [])


def test_an_endpoint_that_does_not_listen_was_sent_nothing() -> None:
    """A refused connection is certain."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}")
    assert (error.code, error.acted) == ("ConnectionRefused", REFUSED)


def test_a_name_that_does_not_resolve_was_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The region does not exist, or there is no network: nothing was sent, and the name is reported."""

    def no_such_name(*_arguments: object, **_keywords: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    error = failure("http://nowhere.invalid")
    assert (error.code, error.acted) == ("NameNotResolved", REFUSED)


def test_a_connection_that_is_never_accepted_was_sent_nothing() -> None:
    """A full backlog makes connecting time out."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        error = failure(f"http://127.0.0.1:{address[1]}", budget=0.6)
        for one in waiting:
            one.close()
    assert (error.code, error.acted) == ("ConnectTimeout", REFUSED)
