"""Who must be asked for credentials is asked before the first call, and never within one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.credentials import SSOProvider
from botocore.exceptions import LoginRefreshRequired, LoginTokenLoadError
from botocore.tokens import SSOTokenProvider

from tests.support.loopback import BUDGET_SECONDS, nobody
from tests.support.sts import CODE, DEVICE, ROLE, Sts
from tests.support.sts import sts as serve_sts
from tier1_engine.aws.credentials import person_needed
from tier1_engine.aws.profiles import sign_in_command
from tier1_engine.aws.session import AwsSession
from tier1_engine.deployment.states import Action
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge

BEHIND = ROLE + "[profile deploy]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = ops\n"
SSO = """[sso-session work]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[profile dev]
sso_session = work
sso_account_id = 123456789012
sso_role_name = dev
[profile legacy]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = dev
[profile deploy]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = dev
"""
Configure = Callable[[str], None]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Configure:
    """Writes the AWS config file, which is the only source of credentials."""
    nobody(monkeypatch, tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for provider in (SSOProvider, SSOTokenProvider):
        monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / ".aws" / "sso" / "cache"))

    def write(text: str) -> None:
        (tmp_path / "config").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    """The STS that every session of the test uses."""
    with serve_sts() as it:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", it.served.url)
        yield it


def session(profile: str, endpoint_url: str | None = None) -> AwsSession:
    return AwsSession("us-east-1", profile, endpoint_url, BUDGET_SECONDS)


def never(prompt: str) -> str:
    raise AssertionError(f"nobody may be asked: {prompt}")


def failed(aws: AwsSession) -> CallError:
    """What the first call runs into; the engine counts it as blocked."""
    with pytest.raises(CallError) as caught:
        aws.identity()
    assert judge(caught.value, Action.CREATE, None, young=False) is Verdict.BLOCKED
    return caught.value


@pytest.mark.field_case("a trial: a profile with `mfa_serial` was asked for its code in the middle of a call")
@pytest.mark.parametrize("profile", ["ops", "deploy"])
def test_a_call_never_asks_for_a_code(config: Configure, sts: Sts, profile: str) -> None:
    """Neither the first nor the next, also where a role behind the profile's role wants one."""
    config(BEHIND)
    aws = session(profile)
    for _ in range(2):
        error = failed(aws)
        assert (error.code, error.message) == (
            "MfaCodeNeeded",
            f"the profile {profile} asks for an MFA code",
        )
    assert sts.asked == []


def test_the_code_is_asked_once_before_the_first_call(config: Configure, sts: Sts) -> None:
    """The prompt names the device; every later call uses the session of the role."""
    config(ROLE)
    prompts: list[str] = []
    aws = session("ops")
    assert aws.sign_in.needs_a_person()

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return CODE

    aws.sign_in.now(answer)
    assert aws.identity() == ("123456789012", "arn:aws:sts::123456789012:assumed-role/ops/me")
    (prompt,) = prompts
    assert DEVICE in prompt
    assert sts.asked == ["AssumeRole", "GetCallerIdentity"]


def test_a_refused_code_may_be_corrected(config: Configure, sts: Sts) -> None:
    """AWS's message is reported; botocore itself would refuse to ask twice."""
    config(ROLE)
    aws = session("ops")
    with pytest.raises(CallError, match="invalid MFA one time pass code"):
        aws.sign_in.now(lambda prompt: "000000")
    aws.sign_in.now(lambda prompt: CODE)
    assert aws.identity()[0] == "123456789012"


def test_a_session_is_shared_with_the_aws_command(config: Configure, sts: Sts, tmp_path: Path) -> None:
    """The next command does not ask; the file is private."""
    config(ROLE)
    session("ops").sign_in.now(lambda prompt: CODE)
    (kept,) = (tmp_path / ".aws" / "cli" / "cache").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert json.loads(kept.read_text())["Credentials"]["AccessKeyId"] == "ASIA"
    session("ops").sign_in.now(never)
    assert session("ops").identity()[0] == "123456789012"  # nor does one without a terminal


@pytest.mark.parametrize("damage", ["", "[]", "{}", "null"])
def test_a_damaged_cache_only_means_that_the_code_is_asked(
    config: Configure, sts: Sts, tmp_path: Path, damage: str
) -> None:
    """So does one that cannot be written."""
    config(ROLE)
    session("ops").sign_in.now(lambda prompt: CODE)
    (kept,) = (tmp_path / ".aws" / "cli" / "cache").iterdir()
    kept.write_text(damage)
    aws = session("ops")
    aws.sign_in.now(lambda prompt: CODE)
    assert aws.identity()[0] == "123456789012"


def test_a_cache_that_cannot_be_written_is_no_failure(config: Configure, sts: Sts, tmp_path: Path) -> None:
    """A home folder may be read-only."""
    config(ROLE)
    (tmp_path / ".aws").write_text("a file, where a folder is needed")
    session("ops").sign_in.now(lambda prompt: CODE)


def test_a_role_without_a_code_is_not_cached(config: Configure, sts: Sts, tmp_path: Path) -> None:
    """Only what spares a question is written to disk."""
    config(ROLE.partition("mfa_serial")[0])
    aws = session("ops")
    assert not aws.sign_in.needs_a_person()
    assert aws.identity()[0] == "123456789012"
    assert not (tmp_path / ".aws").exists()


def test_the_session_of_an_endpoint_is_neither_cached_nor_obtained_from_aws(
    config: Configure, sts: Sts, tmp_path: Path
) -> None:
    """A rehearsal on an emulator must not leave its keys to the `aws` command."""
    config(ROLE)
    with serve_sts() as emulator:
        aws = session("ops", emulator.served.url)
        aws.sign_in.now(lambda prompt: CODE)
        assert aws.identity()[0] == "123456789012"
    assert emulator.asked == ["AssumeRole", "GetCallerIdentity"]
    assert sts.asked == []
    assert not (tmp_path / ".aws").exists()


def test_a_session_that_ends_within_a_run_blocks_and_asks_nobody(config: Configure, sts: Sts) -> None:
    """botocore renews ten minutes before the end; a new command at a terminal asks again."""
    config(ROLE)
    sts.lives = timedelta(minutes=5)
    aws = session("ops")
    prompts: list[str] = []

    def once(prompt: str) -> str:
        prompts.append(prompt)
        return CODE

    aws.sign_in.now(once)
    assert failed(aws).code == "MfaCodeNeeded"
    assert len(prompts) == 1


@pytest.mark.parametrize(
    ("profile", "command"),
    [
        ("dev", "aws sso login --profile dev"),
        ("legacy", "aws sso login --profile legacy"),
        ("deploy", "aws sso login --profile dev"),
    ],
)
def test_a_missing_sso_token_names_the_command(config: Configure, profile: str, command: str) -> None:
    """For a role it names the profile that signs in."""
    config(SSO)
    aws = session(profile)
    assert aws.sign_in.needs_a_person()
    error = failed(aws)
    assert error.code == "SignInNeeded"
    assert error.message == f"the profile {profile} is not signed in: run `{command}`"


def test_an_expired_sso_token_names_the_command(config: Configure, tmp_path: Path) -> None:
    """The file of a former sign-in is still there; botocore raises something else for it."""
    config(SSO)
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {"accessToken": "old", "expiresAt": "2020-01-01T00:00:00Z"}
    for named in ("work", "https://example.awsapps.com/start"):
        key = hashlib.sha1(named.encode(), usedforsecurity=False).hexdigest()
        (cache / f"{key}.json").write_text(json.dumps(token))
    for profile in ("dev", "legacy"):
        error = failed(session(profile))
        assert (error.code, "aws sso login" in error.message) == ("SignInNeeded", True)


@pytest.mark.parametrize("error", [LoginRefreshRequired(), LoginTokenLoadError(error_msg="none")])
def test_a_console_sign_in_names_its_command(error: Exception) -> None:
    """`aws login` of the profile that has the session, not of the role that uses it."""
    profiles = {"console": {"login_session": "arn"}, "ops": {"role_arn": "r", "source_profile": "console"}}
    command = sign_in_command(profiles, "ops")
    assert person_needed(error, "ops", command) == (
        "SignInNeeded",
        "the profile ops is not signed in: run `aws login --profile console`",
    )


def test_keys_in_the_environment_ask_nobody(
    config: Configure, sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go before the profile of AWS_PROFILE, as with the `aws` command."""
    config(ROLE)
    monkeypatch.setenv("AWS_PROFILE", "ops")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "from-the-environment")
    aws = AwsSession("us-east-1", None, None, BUDGET_SECONDS)
    aws.sign_in.now(never)
    assert aws.identity()[0] == "123456789012"


def test_a_profile_that_refers_to_itself_ends(config: Configure) -> None:
    """Two roles that are each other's source."""
    config("[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n")
    aws = session("a")
    assert not aws.sign_in.needs_a_person()
    assert failed(aws).code == "NoCredentials"
