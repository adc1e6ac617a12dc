"""A region that is not enabled answers as if it did not know the credentials: another region tells."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.loopback import ec2_error, endpoint, failure, http, nobody
from tier1_engine.aws.session import AwsSession
from tier1_engine.compose.refusals import of_call
from tier1_engine.deployment.place import home_of
from tier1_engine.errors import Acted, Blocked, CallError

pytestmark = pytest.mark.promise(8)


def region_is(status: str) -> bytes:
    shown = f"<item><regionName>af-south-1</regionName><optInStatus>{status}</optInStatus></item>"
    return http(
        200,
        f"<DescribeRegionsResponse><regionInfo>{shown}</regionInfo></DescribeRegionsResponse>".encode(),
    )


class Replies:
    """Answers one request after the other; the last answer again and again."""

    def __init__(self, *replies: bytes) -> None:
        self.left = list(replies)

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self.left.pop(0) if len(self.left) > 1 else self.left[0])


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody(monkeypatch, tmp_path)


@pytest.mark.field_case("segmentio/aws-okta#225: AuthFailure, and the region was not enabled")
@pytest.mark.parametrize("code", ["AuthFailure", "InvalidClientTokenId"])
def test_the_code_says_that_the_region_is_not_enabled(code: str) -> None:
    with endpoint(Replies(ec2_error(401, code), region_is("not-opted-in"))) as served:
        error = failure(served.url, region="af-south-1")
        assert b"/us-east-1/ec2/" in served.requests[1]
        assert b"AllRegions=true" in served.requests[1]
    assert (error.code, error.operation, error.acted) == ("RegionNotEnabled", "CreateVpc", Acted.REFUSED)
    assert error.message.startswith("af-south-1 is not enabled for the account. AWS said: No")


@pytest.mark.field_case("nccgroup/ScoutSuite#1389: a token of the global endpoint, in an enabled region")
def test_an_enabled_region_that_refuses_the_token_is_said_to() -> None:
    with endpoint(Replies(ec2_error(401, "AuthFailure"), region_is("opted-in"))) as served:
        error = failure(served.url, region="af-south-1")
    assert error.code == "AuthFailure"
    assert "af-south-1 is enabled, but does not accept this session token" in error.message


def test_credentials_that_no_region_knows_stay_what_they_are() -> None:
    with endpoint(ec2_error(401, "AuthFailure")) as served:
        error = failure(served.url, region="af-south-1")
        assert len(served.requests) == 2
    assert (error.code, error.message) == ("AuthFailure", "No.")


@pytest.mark.parametrize(
    ("region", "status", "code"),
    [
        ("us-east-1", 401, "AuthFailure"),
        ("us-iso-east-1", 401, "AuthFailure"),
        ("af-south-1", 400, "AuthFailure"),
        ("af-south-1", 403, "UnauthorizedOperation"),
    ],
)
def test_nobody_else_is_asked(region: str, status: int, code: str) -> None:
    """Every account has that region; or it is the image that is not authorized, or the action."""
    with endpoint(ec2_error(status, code)) as served:
        assert failure(served.url, region=region).code == code
        assert len(served.requests) == 1


def test_it_is_asked_once() -> None:
    with endpoint(
        Replies(ec2_error(401, "AuthFailure"), region_is("not-opted-in"), ec2_error(401, "AuthFailure"))
    ) as served:
        session = AwsSession("af-south-1", None, served.url)
        for _ in range(3):
            with pytest.raises(CallError, match="is not enabled for the account") as caught:
                session.call("ec2", "describe_vpcs")
            assert caught.value.code == "RegionNotEnabled"
        assert len(served.requests) == 4


def test_a_deployment_there_is_refused_before_anything_is_recorded() -> None:
    message = "af-south-1 is not enabled for the account. AWS said: No."
    refused = of_call(CallError("RegionNotEnabled", message, operation="GetCallerIdentity"), endpoint="")
    assert isinstance(refused, Blocked)
    assert "not enabled" in str(refused)
    assert "Enable the region" in str(refused)


@pytest.mark.parametrize(
    ("region", "home"),
    [("af-south-1", "us-east-1"), ("cn-northwest-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")],
)
def test_each_partition_has_a_region_that_every_account_has(region: str, home: str) -> None:
    assert home_of(region) == home
