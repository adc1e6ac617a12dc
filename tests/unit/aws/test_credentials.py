"""Whatever is raised before a call is sent is about credentials: it blocks, and its cause is in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.support.loopback import VPC_XML, ec2_error, endpoint, failure, http, nobody
from tier1_engine.aws.session import AwsCloud, AwsSession
from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.deployment.states import Action
from tier1_engine.errors import Acted, CallError
from tier1_engine.failures.calls import Verdict, judge

KEYS = {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "hidden"}
SECRET = "hidden"
NUMBERS = json.dumps({**KEYS, "AccessKeyId": 5})
NULLS = json.dumps({**KEYS, "SecretAccessKey": None})
ENDLESS = json.dumps({**KEYS, "Expiration": "never"})
Configure = Callable[[str], None]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Configure:
    """Writes the default profile of the AWS config file, which is the only source of credentials."""
    nobody(monkeypatch, tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(lines: str) -> None:
        (tmp_path / "config").write_text(f"[default]\n{lines}\n", encoding="utf-8")

    return write


def refused(budget: float = 5.0) -> CallError:
    """What a change runs into; nothing reaches AWS, and the engine counts it as blocked."""
    with endpoint(http(200, VPC_XML)) as served, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_EC2", served.url)
        session = AwsSession("us-east-1", None, None, budget)
        with pytest.raises(CallError) as caught:
            session.cloud(AlwaysPermitted()).change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
        assert served.requests == []
    error = caught.value
    assert (error.acted, error.operation) == (Acted.REFUSED, "CreateVpc")
    assert judge(error, Action.CREATE, None, young=False) is Verdict.BLOCKED
    assert SECRET not in str(error)
    return error


def program(folder: Path, body: str) -> str:
    """A program for `credential_process`."""
    path = folder / "source"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o700)
    return f"credential_process = {path}"


@pytest.mark.field_case("a trial: a `credential_process` that prints prose ended in a raw exception")
@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (f"echo Welcome. Your key is {SECRET}", "CredentialsUnusable", "does not print JSON"),
        ("true", "CredentialsUnusable", "does not print JSON"),
        ("echo '[]'", "CredentialsUnusable", "must print a JSON object"),
        ("echo null", "CredentialsUnusable", "must print a JSON object"),
        (f"echo '{NUMBERS}'", "CredentialsUnusable", "must print a JSON object"),
        (f"echo '{NULLS}'", "CredentialsUnusable", "the secret access key is missing"),
        (f"echo '{ENDLESS}'", "CredentialsUnusable", "Unknown string format"),
        ("echo '{\"Version\": 1}'", "CredentialsUnusable", "AccessKeyId"),
        ("echo '{\"Version\": 7}'", "CredentialsUnusable", "version"),
        ("printf '\\377\\376'", "CredentialsUnusable", "no UTF-8 text"),
        ("printf '\\377' >&2; exit 1", "CredentialsUnusable", "no UTF-8 text"),
        ("exit 1", "CredentialsUnusable", "`credential_process` failed: it does not say why"),
        ("echo Sign in first. >&2; exit 1", "CredentialsUnusable", "Sign in first"),
    ],
)
def test_a_credential_process_that_fails_is_reported_in_words(
    config: Configure, tmp_path: Path, body: str, code: str, words: str
) -> None:
    """It may print prose, nothing, another shape or bytes; what it prints is never shown."""
    config(program(tmp_path, body))
    error = refused()
    assert error.code == code
    assert words in error.message


def test_a_missing_program_is_named(config: Configure, tmp_path: Path) -> None:
    """The path is in the message."""
    config(f"credential_process = {tmp_path}/no-such-program")
    error = refused()
    assert error.code == "CredentialsUnusable"
    assert f"{tmp_path}/no-such-program: No such file" in error.message


@pytest.mark.field_case("a trial: a missing file of a web identity token was reported as a defect")
def test_a_missing_web_identity_token_is_named(config: Configure, tmp_path: Path) -> None:
    """A pod without its token file."""
    config(f"role_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = {tmp_path}/no-token")
    error = refused()
    assert error.code == "CredentialsUnusable"
    assert f"{tmp_path}/no-token: No such file" in error.message


def test_a_config_file_that_is_none_is_reported(config: Configure) -> None:
    """A line without a key."""
    config("= nothing [")
    assert refused().code == "NoCredentials"


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_a_key_with_a_line_break_is_refused_and_not_shown(
    config: Configure, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Copied with its line end; the HTTP client would print the whole token."""
    for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(each, "abc")
    monkeypatch.setenv(name, f"{SECRET}\n")
    error = refused()
    assert error.code == "CredentialsUnusable"
    assert "contains a line break" in error.message


@pytest.mark.field_case(
    "a trial: a `credential_process` that hangs took four times as long as the message said"
)
def test_a_source_that_hangs_is_abandoned_with_the_budget_of_a_call(
    config: Configure, tmp_path: Path
) -> None:
    """It would ask something at a terminal, for example."""
    config(program(tmp_path, "exec sleep 5"))
    error = refused(budget=0.3)
    assert (error.code, error.message) == (
        "CredentialSourceSilent",
        "there were no credentials within 0.3 seconds",
    )


@pytest.mark.field_case(
    "piskvorky/smart_open#507, synfinatic/aws-sso-cli#520: a source of credentials throttles"
)
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (ec2_error(429, "TooManyRequests"), "CredentialSourceBusy"),
        (
            http(400, b"<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
            "CredentialSourceBusy",
        ),
        (
            http(503, b"<ErrorResponse><Error><Code>Odd</Code></Error></ErrorResponse>"),
            "CredentialSourceBusy",
        ),
        (b"", "CredentialSourceBusy"),
        (
            http(403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"),
            "NoCredentials",
        ),
    ],
)
def test_a_busy_source_is_told_from_one_that_refuses(
    config: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reply: bytes, code: str
) -> None:
    """STS throttles, fails, hangs up, or denies the role."""
    (tmp_path / "credentials").write_text("[base]\naws_access_key_id = a\naws_secret_access_key = b\n")
    config("role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base")
    with endpoint(reply) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        assert refused().code == code


def test_an_sts_that_cannot_be_reached_is_no_unreachable_aws(
    config: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The call itself was never sent: this must not count as one of its attempts."""
    (tmp_path / "credentials").write_text("[base]\naws_access_key_id = a\naws_secret_access_key = b\n")
    config("role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    assert refused().code == "CredentialSourceBusy"


def test_a_source_is_asked_again_after_it_has_failed(config: Configure, tmp_path: Path) -> None:
    """The same session works as soon as its source does."""
    config(program(tmp_path, "cat keys.json"))
    with endpoint(http(200, VPC_XML)) as served, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        cloud = AwsSession("us-east-1", None, served.url).cloud(AlwaysPermitted())
        with pytest.raises(CallError, match=r"keys\.json"):
            cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
        (tmp_path / "keys.json").write_text(json.dumps(KEYS), encoding="utf-8")
        cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")
        assert len(served.requests) == 1


def repeated(cloud: AwsCloud) -> Iterator[object]:
    """Three calls in a row."""
    for _ in range(3):
        yield cloud.change("ec2", "create_vpc", CidrBlock="10.0.0.0/16")


def test_credentials_that_cannot_be_renewed_block_like_missing_ones(
    config: Configure, tmp_path: Path
) -> None:
    """They were good for the first call, and are about to expire before the second."""
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    (tmp_path / "keys.json").write_text(json.dumps({**KEYS, "Expiration": soon}), encoding="utf-8")
    config(program(tmp_path, f"cat {tmp_path}/keys.json; echo Goodbye > {tmp_path}/keys.json"))
    with endpoint(http(200, VPC_XML)) as served:
        cloud = AwsSession("us-east-1", None, served.url).cloud(AlwaysPermitted())
        with pytest.raises(CallError) as caught:
            list(repeated(cloud))
    assert (caught.value.code, caught.value.acted) == ("CredentialsUnusable", Acted.REFUSED)
    assert "does not print JSON" in caught.value.message


@pytest.mark.field_case("a trial: a wrong clock was reported as wrong keys")
@pytest.mark.parametrize(
    ("minutes", "words"), [(-17, "17 minutes ahead of"), (20, "20 minutes behind"), (1, "")]
)
def test_a_wrong_clock_is_told_from_wrong_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, minutes: int, words: str
) -> None:
    """By the date of AWS's reply; AWS's own code stays in the message."""
    nobody(monkeypatch, tmp_path)
    theirs = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    reply = ec2_error(403, "SignatureDoesNotMatch").replace(
        b"Connection:", f"Date: {theirs}\r\nConnection:".encode()
    )
    with endpoint(reply) as served:
        error = failure(served.url)
    assert error.code == ("ClockSkew" if words else "SignatureDoesNotMatch")
    if words:
        assert f"{words} AWS's (SignatureDoesNotMatch: No.)" in error.message
    assert judge(error, Action.CREATE, None, young=False) is Verdict.BLOCKED
