"""Who runs a command: the user, the host, the CI run, and the ARN if AWS says it."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from tier1_engine.compose import caller
from tier1_engine.errors import Acted, CallError

ARN = "arn:aws:sts::123456789012:assumed-role/deploy/ann"
GITHUB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "ann/stack",
    "GITHUB_RUN_ID": "7",
}


class Session:
    """A session with AWS that answers with an identity, or with none."""

    def __init__(self, *, answers: bool) -> None:
        self.answers, self.asked = answers, 0
        self.caller_arn: str | None = None

    def identity(self) -> Any:
        self.asked += 1
        if not self.answers:
            raise CallError("ExpiredToken", "expired", operation="GetCallerIdentity", acted=Acted.REFUSED)
        self.caller_arn = ARN


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (GITHUB, "https://github.com/ann/stack/actions/runs/7"),
        ({"CI_JOB_URL": "https://gitlab.com/ann/stack/-/jobs/7"}, "https://gitlab.com/ann/stack/-/jobs/7"),
        ({"BUILD_URL": "http://jenkins/job/stack/7/"}, "http://jenkins/job/stack/7/"),
        ({"BUILDKITE_BUILD_URL": "https://buildkite.com/a/s/7"}, "https://buildkite.com/a/s/7"),
        ({"CIRCLE_BUILD_URL": "https://circleci.com/gh/a/s/7"}, "https://circleci.com/gh/a/s/7"),
        ({"BUILD_URL": "https://ann:secret@jenkins/7"}, "https://ann:***@jenkins/7"),
        ({"BUILD_URL": "https://jenkins/" + "7" * 9000}, "https://jenkins/" + "7" * 496),
        ({"BUILD_URL": "/srv/build"}, None),
        ({**GITHUB, "GITHUB_RUN_ID": ""}, None),
        ({"CI_JOB_URL": "{HOME}"}, None),
        ({}, None),
    ],
)
def test_the_run_is_known_by_its_url(environ: Mapping[str, str], url: str | None) -> None:
    """Without passwords, within bounds, and nothing that is no URL."""
    assert caller.run_url(environ) == url


def test_a_user_without_an_entry_is_named_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as any user."""
    found = caller.here({})
    assert (found.arn, found.host) == (None, socket.gethostname())
    assert found.user == pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_123)
    assert caller.here({}).user == "uid 4000000123"


def test_aws_is_asked_once_for_a_command() -> None:
    """However often who runs it is recorded."""
    session = Session(answers=True)
    who = caller.Caller(session)  # type: ignore[arg-type]
    assert [who().arn for _ in range(3)] == [ARN] * 3
    assert session.asked == 1


def test_refused_credentials_leave_the_arn_unknown() -> None:
    """It is no error here; an answer that the engine gets later counts."""
    session = Session(answers=False)
    who = caller.Caller(session)  # type: ignore[arg-type]
    assert [who().arn for _ in range(3)] == [None] * 3
    assert session.asked == 1
    session.caller_arn = ARN
    assert who().arn == ARN
