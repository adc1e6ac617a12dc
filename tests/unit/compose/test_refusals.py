"""A read before a deployment is recorded: when it is repeated, and what a person is told."""

from __future__ import annotations

import pytest

from tier1_engine.compose import refusals
from tier1_engine.errors import Blocked, CallError


def looked(*answers: CallError | str) -> tuple[str, list[float]]:
    """What a read with these answers in turn comes to, and how long it waited before each further attempt."""
    waited: list[float] = []
    coming = iter(answers)

    def look() -> str:
        answer = next(coming)
        if isinstance(answer, CallError):
            raise answer
        return answer

    return refusals.looking(look, endpoint="", poll_seconds=1.0, sleep=waited.append), waited


def error(code: str, message: str = "why") -> CallError:
    return CallError(code, message, operation="GetCallerIdentity")


@pytest.mark.parametrize("code", ["CredentialSourceBusy", "AuthFailure", "Throttling"])
def test_what_often_passes_is_tried_again(code: str) -> None:
    """The source of the credentials throttles, or AWS does."""
    assert looked(error(code), error(code), "an account") == ("an account", [2.0, 4.0])


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (
            "CredentialSourceSilent",
            "there were no credentials within 20 seconds",
            "There are no usable AWS credentials (there were no credentials within 20 seconds): sign in",
        ),
        (
            "MfaCodeNeeded",
            "the profile ops asks for an MFA code",
            "The profile ops asks for an MFA code, and there is no terminal: run this command in a terminal",
        ),
        (
            "SignInNeeded",
            "the profile dev is not signed in: run `aws sso login --profile dev`",
            "The profile dev is not signed in: run `aws sso login --profile dev`, and try again.",
        ),
        ("NoCredentials", "Unable to locate credentials", "sign in, or set AWS_PROFILE"),
    ],
)
def test_what_needs_a_person_is_reported_at_once(code: str, message: str, words: str) -> None:
    """A second attempt would take as long, and end the same way."""
    with pytest.raises(Blocked) as caught:
        looked(error(code, message), "too late")
    assert words in str(caught.value)
