"""Chooses the AWS that a command uses.

Owns the choice of endpoint, profile and credentials. A deployment uses the place recorded in its row,
even if the environment has changed since.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tier1_engine.errors import Blocked, ConfigurationError
from tier1_engine.masking import has_password
from tier1_engine.settings import Settings, state_directory

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.deployment.place import Place
    from tier1_engine.deployment.record import Deployment


SERVICES = ("EC2", "EFS", "IAM", "KMS", "S3", "SSM", "STS")


PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


DUMMY_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}
"""The credentials used with the local AWS by an operator who has none. They grant no access anywhere."""


def environment_profile() -> str:
    """Return the profile to record for a new deployment; empty if keys in the environment take precedence."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return ""
    return next((os.environ[name] for name in PROFILE_VARIABLES if os.environ.get(name)), "")


def environment_endpoint(profile: str) -> str:
    """Return the endpoint that the environment or the profile sets for all of AWS; empty for AWS itself.

    Raises:
        ConfigurationError: a single service has its own endpoint, which a row cannot record, or the URL
            contains a password.
    """
    if os.environ.get(IGNORE_ENDPOINTS, "").lower() == "true":
        return ""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "").strip() or _profile_endpoint(profile)
    endpoint = endpoint.rstrip("/")
    if has_password(endpoint):
        raise ConfigurationError(
            "The AWS endpoint URL contains a password, which AWS's libraries never send and the database "
            "would store: remove it from AWS_ENDPOINT_URL or from the profile."
        )
    for service in SERVICES:
        own = os.environ.get(f"AWS_ENDPOINT_URL_{service}", "").strip().rstrip("/")
        if own and own != endpoint:
            raise ConfigurationError(
                f"AWS_ENDPOINT_URL_{service} sets the endpoint of one service only, which a deployment "
                "cannot record: set AWS_ENDPOINT_URL instead."
            )
    return endpoint


def _profile_endpoint(profile: str) -> str:
    if not _has_config_file():
        return ""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        found = botocore.session.Session(profile=profile or None).get_scoped_config().get("endpoint_url")
    except BotoCoreError:
        return ""  # the first call reports what is wrong with the profile
    return str(found or "")


def _has_config_file() -> bool:
    return Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser().is_file()


def start_sandbox() -> str:
    """Start the local AWS if it is not running, and return its endpoint."""
    from tier1_engine import sandbox

    return str(sandbox.start(state_directory()).endpoint)


def lend_credentials(endpoint: str, profile: str) -> None:
    """Set dummy credentials if this process has none and uses this user's local AWS.

    This also applies if the local AWS has stopped: then the AWS is missing, not the credentials.
    """
    if not endpoint or profile or os.environ.get("AWS_ACCESS_KEY_ID"):
        return
    from tier1_engine.compose.gone import nobody_listens
    from tier1_engine.sandbox.process.state import read

    record = read(state_directory())
    if (record is not None and record.endpoint == endpoint) or nobody_listens(endpoint):
        for name in PROFILE_VARIABLES:
            os.environ.pop(name, None)  # a profile of real AWS does not apply here
        os.environ.update(DUMMY_CREDENTIALS)


def refuse_impostor(endpoint: str) -> None:
    """Refuse to use the endpoint of this user's local AWS while another program answers there.

    Raises:
        Blocked: the one that listens is not the local AWS of the state file, or does not respond.
    """
    if not endpoint:
        return
    from tier1_engine.compose.gone import nobody_listens
    from tier1_engine.sandbox.process.ask import answers
    from tier1_engine.sandbox.process.state import read

    record = read(state_directory())
    if record is None or record.endpoint != endpoint or answers(record) or nobody_listens(endpoint):
        return
    raise Blocked(
        f"The local AWS at {endpoint} does not prove its identity: it does not respond, or another program "
        "has its port. Check it with `tier1 sandbox status`, then stop it and start it on that port."
    )


def session(place: Place | Deployment, settings: Settings) -> AwsSession:
    """Return a session for a deployment's recorded region, profile and endpoint.

    Raises:
        Blocked: another program answers at the endpoint of the local AWS.
    """
    from tier1_engine.aws.session import AwsSession

    refuse_impostor(place.endpoint)
    lend_credentials(place.endpoint, place.profile)
    # tier1 sets the endpoint: those of the environment or a config file must not apply.
    os.environ[IGNORE_ENDPOINTS] = "true"
    return AwsSession(
        place.region, place.profile or None, place.endpoint or None, settings.call_timeout_seconds
    )
