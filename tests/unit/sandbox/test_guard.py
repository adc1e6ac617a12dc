"""No web page drives or reads the local AWS: it answers the programs of this host only."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.account import client
from tier1_engine.sandbox.process import remote, server
from tier1_engine.sandbox.process.state import Status

CREATE = "/?Action=CreateVpc&CidrBlock=10.0.0.0/16&Version=2016-11-15"
EC2 = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/ec2/aws4_request"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Status]]:
    directory = tmp_path_factory.mktemp("sandbox")
    yield directory, server.start(directory)
    server.stop(directory)


def ask(found: Status, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
    """The status of a request, and the headers of the answer."""
    place = urlsplit(str(found.endpoint))
    connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=20)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): v for name, v in headers.items()})
        reply = connection.getresponse()
        reply.read()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}
    finally:
        connection.close()


def vpcs(found: Status) -> int:
    return len(client("ec2", str(found.endpoint)).describe_vpcs()["Vpcs"])


@pytest.mark.field_case("a trial: any web page could drive the local AWS")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_request_of_a_web_page_changes_nothing(
    running: tuple[Path, Status], method: str, headers: dict[str, str]
) -> None:
    """Of another site, of none, of a page of this host, and of a name that was rebound to it."""
    _, found = running
    before = vpcs(found)
    status, answered = ask(found, CREATE, method, **EC2, **headers)
    assert status == 403
    assert not [name for name in answered if name.startswith("access-control")]
    assert vpcs(found) == before


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost:5000", "[::1]:1", "bucket.localhost"]
)
def test_a_program_is_answered_by_each_local_name(running: tuple[Path, Status], host: str) -> None:
    """No answer allows another origin to read it, although moto would."""
    _, found = running
    status, answered = ask(found, "/?Action=DescribeVpcs&Version=2016-11-15", Host=host, **EC2)
    assert status == 200
    assert not [name for name in answered if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/moto-api/", "/moto-api/reset", "/moto-api/data.json", "/moto-api/seed?a=1"]
)
def test_motos_own_pages_are_closed(running: tuple[Path, Status], path: str) -> None:
    """They would empty the account, and show everything in it, without any token."""
    directory, found = running
    vpc = client("ec2", str(found.endpoint)).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert {ask(found, path, method)[0] for method in ("GET", "POST")} == {404}
    assert vpc in {thing.id for thing in remote.census(directory)}
    client("ec2", str(found.endpoint)).delete_vpc(VpcId=vpc)


def test_who_has_the_token_may_empty_it(running: tuple[Path, Status]) -> None:
    """Without it the control path is refused, as for faults."""
    directory, found = running
    client("ec2", str(found.endpoint)).create_vpc(CidrBlock="10.0.0.0/16")
    assert ask(found, "/_tier1/reset", "POST")[0] == 403
    remote.reset(directory)
    assert vpcs(found) == 1
