"""Which AWS a command talks to.

Owns which endpoint, profile and credentials are used. A deployment's row says where it lives; what
the environment says today does not move it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tier1_engine.errors import ConfigurationError
from tier1_engine.masking import has_password
from tier1_engine.settings import Settings, state_directory

if TYPE_CHECKING:
    from tier1_engine.aws.session import AwsSession
    from tier1_engine.deployment.place import Place
    from tier1_engine.deployment.record import Deployment


SERVICES = ("EC2", "EFS", "IAM", "S3", "SSM", "STS")


PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


IGNORE_ENDPOINTS = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


DUMMY_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}
"""What the local AWS is shown by an operator who has no credentials. They open nothing anywhere."""


def environment_profile() -> str:
    """The profile that a new deployment remembers; none where keys in the environment rule."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return ""
    return next((os.environ[name] for name in PROFILE_VARIABLES if os.environ.get(name)), "")


def environment_endpoint(profile: str) -> str:
    """The endpoint that the environment or the profile names for all of AWS; empty for AWS itself.

    Raises:
        ConfigurationError: a single service has an endpoint of its own, which a row cannot remember; or
            the URL has a password, which none should.
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
        return ""  # the first call says what is wrong with the profile
    return str(found or "")


def _has_config_file() -> bool:
    return Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser().is_file()


def start_sandbox() -> str:
    """Start the local AWS if it is not running; answer its endpoint."""
    from tier1_engine import sandbox

    return str(sandbox.start(state_directory()).endpoint)


def lend_credentials(endpoint: str, profile: str) -> None:
    """Give this process dummy credentials, where it has none and talks to the local AWS of this user.

    Also where that is gone: what is missing then is the local AWS, not a sign-in.
    """
    if profile or os.environ.get("AWS_ACCESS_KEY_ID"):
        return
    from tier1_engine.compose.gone import nobody_listens
    from tier1_engine.sandbox.process.state import read

    record = read(state_directory())
    if (record is not None and record.endpoint == endpoint) or nobody_listens(endpoint):
        for name in PROFILE_VARIABLES:
            os.environ.pop(name, None)  # a profile of real AWS says nothing here
        os.environ.update(DUMMY_CREDENTIALS)


def session(place: Place | Deployment, settings: Settings) -> AwsSession:
    """The AWS of a deployment: its region, profile and endpoint, and no other."""
    from tier1_engine.aws.session import AwsSession

    # The endpoint is ours to name: what the environment or a config file says of endpoints must not count.
    os.environ[IGNORE_ENDPOINTS] = "true"
    return AwsSession(
        place.region, place.profile or None, place.endpoint or None, settings.call_timeout_seconds
    )
