"""Signs a profile in before a command's first call: asks for an MFA code, or offers to run `aws sso login`.

Owns these questions. They are asked only in a terminal, before anything is shown or changed; without a
terminal the first call reports what is missing.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING

from tier1_engine.cli.screen.streams import clean, complain, interactive, read_line, say
from tier1_engine.compose.place import session
from tier1_engine.compose.refusals import of_call
from tier1_engine.errors import Blocked, CallError, Interrupted
from tier1_engine.failures.codes import CREDENTIAL_SOURCE_SILENT, SIGN_IN_NEEDED

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.aws.sign_in import SignIn
    from tier1_engine.deployment.place import Place
    from tier1_engine.deployment.record import Deployment
    from tier1_engine.settings import Settings

MAX_CODES = 3
NOTICE_SECONDS = 3.0
PROGRAM_SECONDS = 120.0
"""How long a person may take to answer a program of theirs."""
MAX_PROMPTS = 10
"""The most prompts for one code; one that is not six digits is not sent."""
CODE = re.compile(r"\d{6}")
"""Source: `TokenCode` of AssumeRole in the STS API reference."""


def signed_in(place: Place | Deployment, settings: Settings) -> AwsSession:
    """Return a session for a place, signed in if its profile needs a person and there is one.

    Any other failure is left to the first call.

    Raises:
        Blocked: nobody could sign in.
        Interrupted: Ctrl-C, or the end of input.
    """
    aws = session(place, settings)
    if not interactive():
        return aws
    try:
        if aws.sign_in.needs_a_person():
            _with_codes(aws.sign_in)
        elif aws.sign_in.runs_a_program():
            _with_a_program(aws)
    except KeyboardInterrupt:
        say("")
        raise Interrupted("Nothing was started: the sign-in was interrupted.") from None
    return aws


class Sessions(dict["Place", "AwsSession"]):
    """The sessions of a command that works in several places, by place."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def sign_in(self, places: Iterable[Place]) -> None:
        """Sign in where a person is needed. A place where that fails is reported, and left out later."""
        for place in dict.fromkeys(places):
            if place not in self and interactive():
                try:
                    self[place] = signed_in(place, self.settings)
                except Blocked as why:
                    complain(str(why))


def _with_codes(source: SignIn) -> None:
    codes, refused, offered = _Codes(source.profile), 0, False
    while True:
        before = codes.given
        try:
            return source.now(codes)
        except CallError as error:
            if error.code == SIGN_IN_NEEDED and not offered:
                _by_browser(source, error)
                offered = True
            elif codes.given == before:
                return None
            else:
                refused += 1
                complain(f"AWS did not accept the MFA code: {clean(error.message)}")
                if refused == MAX_CODES:
                    raise Blocked(
                        f"The profile {source.profile} was not signed in, in {refused} attempts: check the "
                        "MFA device, and try again."
                    ) from error


def _with_a_program(aws: AwsSession) -> None:
    """Wait for `credential_process`, which may ask something on this terminal.

    Raises:
        Blocked: it does not answer.
    """
    slow = f"tier1: waiting for `credential_process` of the profile {clean(aws.sign_in.profile)}"
    notice = Timer(NOTICE_SECONDS, say, [slow])
    notice.start()
    try:
        aws.await_credentials(PROGRAM_SECONDS)
    except CallError as error:
        if error.code == CREDENTIAL_SOURCE_SILENT:
            raise of_call(error, endpoint="") from error
    finally:
        notice.cancel()


@dataclass
class _Codes:
    """Asks for MFA codes; counts those that were given."""

    profile: str
    given: int = 0

    def __call__(self, prompt: str) -> str:
        """Return six digits. They are shown while they are typed: a code is good once.

        Args:
            prompt: botocore's, such as `Enter MFA code for arn:aws:iam::123456789012:mfa/me: `.
        """
        for _ in range(MAX_PROMPTS):
            answer = read_line(f"Profile {clean(self.profile)}: {clean(prompt)} ")
            if answer is None:
                raise KeyboardInterrupt
            if CODE.fullmatch(answer.strip()):
                self.given += 1
                return answer.strip()
            say("An MFA code has six digits.")
        raise KeyboardInterrupt


def _by_browser(source: SignIn, error: CallError) -> None:
    """Offer to run the command that signs in by browser, if it is installed.

    Raises:
        Blocked: it is not installed, not wanted, or failed.
    """
    by_hand, command = of_call(error, endpoint=""), shlex.join(source.command)
    if shutil.which(source.command[0]) is None:
        raise by_hand
    answer = read_line(f"The profile {clean(source.profile)} is not signed in. Run `{command}`? [Y/n]: ")
    if answer is None:
        raise KeyboardInterrupt
    if answer.strip().lower() not in ("", "y", "yes"):
        raise by_hand
    # Its output goes to stderr, because stdout has the result of this command.
    done = subprocess.run(source.command, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise Blocked(f"`{command}` failed (exit code {done.returncode}): nothing was started.")
