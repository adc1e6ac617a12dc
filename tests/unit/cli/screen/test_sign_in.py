"""The questions of a sign-in at a terminal: MFA codes, and `aws sso login`."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.loopback import nobody
from tests.support.sts import CODE, DEVICE, ROLE, Sts, sts
from tier1_engine.aws.session import AwsSession
from tier1_engine.cli.screen import sign_in
from tier1_engine.deployment.place import Place
from tier1_engine.errors import Blocked, Interrupted
from tier1_engine.settings import from_environment

END_OF_INPUT = "\x04"
SSO = """[profile ops]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = dev
"""
Typed = Callable[[str, str], AwsSession]
"""Signs in with a config file, while this is typed."""


@pytest.fixture
def server() -> Iterator[Sts]:
    with sts() as it:
        yield it


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Sts) -> Iterator[Typed]:
    nobody(monkeypatch, tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    near, far = pty.openpty()

    def run(config: str, typed: str) -> AwsSession:
        (tmp_path / "config").write_text(config, encoding="utf-8")
        os.write(near, typed.encode())
        return sign_in.signed_in(
            Place("123456789012", "us-east-1", "ops", server.served.url), from_environment()
        )

    with os.fdopen(far, "r", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sign_in, "interactive", lambda: True)
        yield run
    os.close(near)


def test_the_question_names_profile_and_device(
    at_a_terminal: Typed, server: Sts, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no code is not sent; stdout stays empty, because it has the result."""
    aws = at_a_terminal(ROLE, f"12345\nsix678\n{CODE}\n")
    assert aws.identity()[0] == "123456789012"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count(f"Profile ops: Enter MFA code for {DEVICE}: ") == 3
    assert err.count("An MFA code has six digits.") == 2
    assert server.asked == ["AssumeRole", "GetCallerIdentity"]


def test_a_wrong_code_is_asked_again(
    at_a_terminal: Typed, server: Sts, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what AWS said."""
    assert at_a_terminal(ROLE, f"000000\n{CODE}\n").identity()[0] == "123456789012"
    assert (
        "tier1: AWS did not accept the MFA code: AssumeRole: AccessDenied: Multi" in capsys.readouterr().err
    )
    assert server.asked == ["AssumeRole", "AssumeRole", "GetCallerIdentity"]


def test_three_wrong_codes_end_the_command(at_a_terminal: Typed, server: Sts) -> None:
    """AWS would lock nothing, but the device is another, or out of step."""
    with pytest.raises(Blocked, match="The profile ops was not signed in, in 3 attempts"):
        at_a_terminal(ROLE, f"000000\n111111\n222222\n{CODE}\n")
    assert server.asked == ["AssumeRole"] * 3


def test_the_end_of_input_interrupts(at_a_terminal: Typed, server: Sts) -> None:
    """As Ctrl-C does; nothing is sent."""
    with pytest.raises(Interrupted, match="Nothing was started"):
        at_a_terminal(ROLE, END_OF_INPUT)
    assert server.asked == []


def test_a_profile_that_asks_nothing_is_left_to_the_first_call(at_a_terminal: Typed, server: Sts) -> None:
    """No call is made before it."""
    aws = at_a_terminal(ROLE.partition("mfa_serial")[0], "")
    assert server.asked == []
    assert aws.identity()[0] == "123456789012"


def test_without_a_terminal_nobody_is_asked(
    at_a_terminal: Typed, server: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call reports it."""
    monkeypatch.setattr(sign_in, "interactive", lambda: False)
    at_a_terminal(ROLE, f"{CODE}\n")
    assert server.asked == []


class TestByBrowser:
    @pytest.fixture
    def aws_command(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
        """Puts a program `aws` on the path, which records its arguments."""
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin:/usr/bin")

        def install(body: str) -> Path:
            (tmp_path / "bin").mkdir()
            program = tmp_path / "bin" / "aws"
            program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n{body}\n', encoding="utf-8")
            program.chmod(0o700)
            return tmp_path / "called"

        return install

    @pytest.mark.parametrize("answer", ["", "y", "YES"])
    def test_the_command_is_run_unless_declined(
        self, at_a_terminal: Typed, aws_command: Callable[[str], Path], answer: str, tmp_path: Path
    ) -> None:
        """By default it is; then the credentials are asked for again."""
        called = aws_command(
            f"sed -i 's/sso_.*//' {tmp_path}/config; echo aws_access_key_id=a >> "
            f"{tmp_path}/config; echo aws_secret_access_key=b >> {tmp_path}/config"
        )
        assert at_a_terminal(SSO, f"{answer}\n").identity()[0] == "123456789012"
        assert called.read_text() == "sso login --profile ops\n"

    def test_no_names_the_command(self, at_a_terminal: Typed, aws_command: Callable[[str], Path]) -> None:
        """It is not run."""
        called = aws_command("")
        with pytest.raises(Blocked, match="run `aws sso login --profile ops`, and try again"):
            at_a_terminal(SSO, "n\n")
        assert not called.exists()

    def test_where_it_is_not_installed_it_is_named(
        self, at_a_terminal: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Nothing is asked."""
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Blocked, match="run `aws sso login --profile ops`, and try again"):
            at_a_terminal(SSO, "")

    def test_its_failure_ends_the_command(
        self, at_a_terminal: Typed, aws_command: Callable[[str], Path]
    ) -> None:
        """Its own output said why."""
        aws_command("exit 3")
        with pytest.raises(Blocked, match="failed \\(exit code 3\\)"):
            at_a_terminal(SSO, "\n")

    def test_a_sign_in_that_did_not_help_is_left_to_the_first_call(
        self, at_a_terminal: Typed, aws_command: Callable[[str], Path]
    ) -> None:
        """It is offered once."""
        aws_command("")
        at_a_terminal(SSO, "y\ny\n")


class TestProgram:
    @pytest.fixture
    def config(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
        """A config file with a program that gives the credentials; the first call has little time for it."""
        monkeypatch.setenv("TIER1_CALL_TIMEOUT_SECONDS", "1")

        def of(body: str) -> str:
            program = tmp_path / "program"
            program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            program.chmod(0o700)
            return f"[profile ops]\ncredential_process = {program}\n"

        return of

    def test_it_may_take_longer_than_a_call(
        self,
        at_a_terminal: Typed,
        config: Callable[[str], str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """It asks for a code itself, for example; after a while a message says what tier1 waits for."""
        monkeypatch.setattr(sign_in, "NOTICE_SECONDS", 0.0)
        keys = '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"}'
        aws = at_a_terminal(config(f"sleep 1.2; echo '{keys}'"), "")
        assert aws.identity()[0] == "123456789012"
        assert "waiting for `credential_process` of the profile ops" in capsys.readouterr().err

    def test_one_that_never_answers_ends_the_command(
        self, at_a_terminal: Typed, config: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the time that it was given."""
        monkeypatch.setattr(sign_in, "PROGRAM_SECONDS", 0.2)
        with pytest.raises(Blocked, match=r"there were no credentials within 0\.2 seconds"):
            at_a_terminal(config("exec sleep 2"), "")

    def test_one_that_fails_is_left_to_the_first_call(
        self, at_a_terminal: Typed, config: Callable[[str], str]
    ) -> None:
        """That reports it, or tries again."""
        at_a_terminal(config("exit 1"), "")
