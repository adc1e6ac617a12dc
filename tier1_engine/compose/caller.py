"""Says who runs this command, for the record.

Owns where that is read: AWS's GetCallerIdentity, which a run needs anyway for the account, the user database
and the variables of CI systems. Nothing here ends a command: what is unknown is None.
"""

from __future__ import annotations

import os
import pwd
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tier1_engine.compose.place import session
from tier1_engine.deployment.actor import Actor
from tier1_engine.errors import Blocked, CallError, ConfigurationError
from tier1_engine.masking import masked_text

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.deployment.place import Place
    from tier1_engine.deployment.record import Deployment
    from tier1_engine.settings import Settings

MAX_CHARACTERS = 512
MAX_SECONDS = 5.0

RUN_URLS = (
    "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
    "{CI_JOB_URL}",
    "{BUILDKITE_BUILD_URL}",
    "{CIRCLE_BUILD_URL}",
    "{BUILD_URL}",
)
"""The URL of the run from the variables of GitHub Actions, GitLab, Buildkite, CircleCI and Jenkins:
https://docs.github.com/en/actions/reference/workflows-and-actions/variables,
https://docs.gitlab.com/ci/variables/predefined_variables/,
https://buildkite.com/docs/pipelines/configure/environment-variables,
https://circleci.com/docs/variables/ and https://www.jenkins.io/doc/book/pipeline/jenkinsfile/.
"""


def here(environ: Mapping[str, str] = os.environ) -> Actor:
    """Return who runs this command, without asking AWS."""
    return Actor(None, _user(), socket.gethostname()[:MAX_CHARACTERS], run_url(environ))


def run_url(environ: Mapping[str, str]) -> str | None:
    """Return the URL of the CI run, without passwords; None outside CI."""
    values = {name: value for name, value in environ.items() if value}
    for template in RUN_URLS:
        with suppress(KeyError):
            found = template.format_map(values)
            if found.startswith(("https://", "http://")):
                return masked_text(found)[:MAX_CHARACTERS]
    return None


def _user() -> str:
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"  # a container may run as a user that has no entry


def in_place(place: Place | Deployment, settings: Settings) -> Actor:
    """Return who runs this command, for one that asks AWS nothing else: it waits a few seconds at most."""
    try:
        patience = min(settings.call_timeout_seconds, MAX_SECONDS)
        return Caller(session(place, replace(settings, call_timeout_seconds=patience)))()
    except (Blocked, ConfigurationError):
        return here()


class Caller:
    """Who runs this command, with the caller's ARN.

    AWS is asked at most once, and not at all if the session has its answer. The engine's own look at the
    account then uses that answer; if AWS gives none, it tries again and decides what follows.
    """

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._asked = False
        self._lock = threading.Lock()
        self._here = here()

    def __call__(self) -> Actor:
        with self._lock:
            if not self._asked:
                self._asked = True
                with suppress(CallError, ConfigurationError):
                    self._session.identity()
        return replace(self._here, arn=self._session.caller_arn)
