"""How `aws` makes its calls: with which credentials, under which permit, and within which bounds."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.loopback import VPC_XML, ec2_error, endpoint, failure, http, nobody
from tier1_engine.aws.session import PAGES_LIMIT, AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted, PermitRefused
from tier1_engine.errors import Acted, CallError, ConfigurationError, Tier1Error

REFUSED = Acted.REFUSED


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials from the environment alone, without this machine's settings."""
    nobody(monkeypatch, tmp_path)


# --- credentials and settings


def test_missing_credentials_are_reported_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credential chain is empty."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with endpoint(http(200, VPC_XML)) as served:
        error = failure(served.url)
    assert (error.code, error.acted, served.requests) == ("NoCredentials", REFUSED, [])


def test_half_of_the_credentials_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a key id without its secret."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with endpoint(http(200, VPC_XML)) as served:
        error = failure(served.url)
    assert (error.code, error.acted, served.requests) == ("NoCredentials", REFUSED, [])


def test_a_missing_profile_counts_as_no_credentials() -> None:
    """The error names the profile."""
    session = AwsSession("us-east-1", profile="nobody")
    with pytest.raises(CallError, match="nobody") as caught:
        session.identity()
    assert (caught.value.code, caught.value.operation) == ("NoCredentials", "GetCallerIdentity")


def test_a_role_that_cannot_be_assumed_counts_as_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A refusal within the credential chain is not taken for the answer to the call."""
    (tmp_path / "credentials").write_text("[base]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (tmp_path / "config").write_text(
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n"
    )
    refusal = http(
        403,
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
        b"<RequestId>r</RequestId></ErrorResponse>",
    )
    with endpoint(refusal) as sts, endpoint(http(200, VPC_XML)) as ec2:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", ec2.url)
        cloud = AwsSession("us-east-1", profile="role").cloud(AlwaysPermitted())
        with pytest.raises(CallError) as caught:
            cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
    assert (caught.value.code, caught.value.acted, caught.value.operation) == (
        "NoCredentials",
        REFUSED,
        "CreateVpc",
    )
    assert (len(sts.requests), ec2.requests) == (1, [])


def test_an_endpoint_that_is_no_url_is_an_invalid_setting() -> None:
    """It is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="not a url"):
        AwsSession("us-east-1", endpoint_url="not a url").identity()


def test_a_region_that_is_no_name_is_an_invalid_setting() -> None:
    """It has characters that no region has."""
    with pytest.raises(ConfigurationError, match="region"):
        AwsSession("us east/1").identity()


def test_parameters_that_the_model_rejects_are_a_bug() -> None:
    """They are neither refused nor unknown: nothing was sent, and a retry will not help."""
    cloud = AwsSession("us-east-1", endpoint_url="http://127.0.0.1:1").cloud(AlwaysPermitted())
    for service, operation, parameters in (
        ("ec2", "describe_vpcs", {"Colour": "red"}),
        ("ec2", "describe_colours", {}),
        ("colours", "describe_vpcs", {}),
    ):
        with pytest.raises(Tier1Error) as caught:
            cloud.read(service, operation, **parameters)
        assert type(caught.value) is Tier1Error


# --- the permit


class Withdrawn:
    """A permit that was withdrawn."""

    asked = 0

    def check(self) -> None:
        self.asked += 1
        raise PermitRefused("The lease has run out.")


def test_a_change_without_a_permit_is_not_sent() -> None:
    """The refusal reaches the caller with the operation's name, and no byte is sent."""
    permit = Withdrawn()
    with endpoint(http(200, VPC_XML)) as served:
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(permit)
        with pytest.raises(CallError) as caught:
            cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
    error = caught.value
    assert (error.code, error.acted, error.operation) == ("PermitRefused", REFUSED, "CreateVpc")
    assert (error.message, permit.asked, served.requests) == ("The lease has run out.", 1, [])


def test_reading_needs_no_permit() -> None:
    """A driver that has lost its lease may still read."""
    permit = Withdrawn()
    reply = http(
        200,
        b"<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>",
    )
    with endpoint(reply) as served:
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(permit)
        assert cloud.read("ec2", "describe_vpcs")["Vpcs"] == [{"VpcId": "vpc-1"}]
        assert list(cloud.pages("ec2", "describe_vpcs", "Vpcs")) == [{"VpcId": "vpc-1"}]
    assert permit.asked == 0


def test_the_permit_is_checked_after_signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding credentials can take long, so an earlier check would prove nothing."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    permit = Withdrawn()
    cloud = AwsSession("us-east-1", endpoint_url="http://127.0.0.1:1").cloud(permit)
    with pytest.raises(CallError) as caught:
        cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
    assert (caught.value.code, permit.asked) == ("NoCredentials", 0)


def test_clouds_of_one_session_keep_their_permits_apart() -> None:
    """Two deployments share the clients; one may change something while the other may not."""
    with endpoint(http(200, VPC_XML)) as served:
        session = AwsSession("us-east-1", endpoint_url=served.url)
        outcomes: dict[str, list[str]] = {"permitted": [], "withdrawn": []}

        def work(name: str) -> None:
            cloud = session.cloud(AlwaysPermitted() if name == "permitted" else Withdrawn())
            for _ in range(5):
                try:
                    outcomes[name].append(
                        cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
                    )
                except CallError as error:
                    outcomes[name].append(error.code)

        threads = [threading.Thread(target=work, args=(name,)) for name in outcomes for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert outcomes == {"permitted": ["vpc-1"] * 20, "withdrawn": ["PermitRefused"] * 20}
    assert len(served.requests) == 20


# --- identity, pages, start-up


def test_the_identity_is_requested_once() -> None:
    """The account and the ARN are cached for the session."""
    reply = http(
        200,
        b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>"
        b"<Arn>arn:aws:iam::123456789012:user/a</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>",
    )
    with endpoint(reply) as served:
        session = AwsSession("us-east-1", endpoint_url=served.url)
        assert session.identity() == ("123456789012", "arn:aws:iam::123456789012:user/a")
        assert session.cloud(AlwaysPermitted()).account_id == "123456789012"
    assert len(served.requests) == 1


def test_an_identity_without_an_account_is_unreadable() -> None:
    """An endpoint that omits members is refused."""
    reply = b"<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>"
    with endpoint(http(200, reply)) as served, pytest.raises(CallError) as caught:
        AwsSession("us-east-1", endpoint_url=served.url).identity()
    assert caught.value.code == "UnreadableReply"


def test_a_list_that_never_ends_is_an_error() -> None:
    """Every page names a next one: the call stops at the limit."""
    count = iter(range(10 * PAGES_LIMIT))

    def page(connection: socket.socket) -> None:
        connection.sendall(
            http(200, b"<DescribeVpcsResponse><nextToken>%d</nextToken></DescribeVpcsResponse>" % next(count))
        )

    with endpoint(page) as served, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tier1_engine.aws.session.PAGES_LIMIT", 5)
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(AlwaysPermitted())
        with pytest.raises(CallError, match="5 pages"):
            list(cloud.pages("ec2", "describe_vpcs", "Vpcs"))


def test_pages_are_joined() -> None:
    """Items of the second page are included."""
    pages = iter(
        [
            b"<vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet><nextToken>more</nextToken>",
            b"<vpcSet><item><vpcId>vpc-2</vpcId></item></vpcSet>",
        ]
    )

    def page(connection: socket.socket) -> None:
        connection.sendall(http(200, b"<DescribeVpcsResponse>" + next(pages) + b"</DescribeVpcsResponse>"))

    with endpoint(page) as served:
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(AlwaysPermitted())
        assert [vpc["VpcId"] for vpc in cloud.pages("ec2", "describe_vpcs", "Vpcs")] == ["vpc-1", "vpc-2"]


def test_a_failure_on_a_later_page_fails_the_list() -> None:
    """A list that breaks off midway is an error, never a shorter list."""
    replies = iter(
        [
            http(200, b"<DescribeVpcsResponse><nextToken>more</nextToken></DescribeVpcsResponse>"),
            ec2_error(503, "RequestLimitExceeded"),
        ]
    )
    with endpoint(lambda connection: connection.sendall(next(replies))) as served:
        cloud = AwsSession("us-east-1", endpoint_url=served.url).cloud(AlwaysPermitted())
        with pytest.raises(CallError) as caught:
            list(cloud.pages("ec2", "describe_vpcs", "Vpcs"))
    assert caught.value.code == "RequestLimitExceeded"


def test_aws_variables_cannot_switch_retries_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blind retry of a create makes a second resource, so the environment cannot enable it."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    with endpoint(ec2_error(500, "InternalError")) as served:
        failure(served.url)
    assert len(served.requests) == 1


def test_the_module_loads_without_botocore() -> None:
    """A command without calls starts without it."""
    code = (
        "import sys, tier1_engine.aws.session; "
        "print([m for m in sys.modules if m.startswith(('boto', 'urllib3'))])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "[]"


def test_the_endpoint_of_a_service_can_be_read() -> None:
    """A deployment stores the endpoint that is really used."""
    assert AwsSession("eu-west-1").endpoint("ec2") == "https://ec2.eu-west-1.amazonaws.com"
    assert AwsSession("eu-west-1", endpoint_url="http://127.0.0.1:1").endpoint("efs") == "http://127.0.0.1:1"
