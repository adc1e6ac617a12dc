"""botocore's session of one command: its configuration, and credentials from its chain of sources.

Owns that nobody is asked anything within a call: botocore itself would read an MFA code from the terminal in
the middle of one. A person is asked only in `now`, before the first call; afterwards a profile that asks is
like credentials that have expired. botocore is imported only when a session is opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tier1_engine import __version__
from tier1_engine.aws import profiles
from tier1_engine.aws.credentials import MfaCodeNeeded, check_credentials, cli_cache, person_needed
from tier1_engine.aws.errors import Call, credentials_unusable
from tier1_engine.errors import CallError

if TYPE_CHECKING:
    from botocore.config import Config

CONNECT_SECONDS_LIMIT = 5.0
CONNECT_SHARE = 3
"""Connecting may use at most a third of a call's budget."""
METADATA_TRIES = 3
"""Tries of EC2's metadata service, which throttles: after one, botocore finds no credentials
(boto/botocore#2117)."""
POOL_CONNECTIONS = 32

Ask = Callable[[str], str]
"""Asks a person for an MFA code, with a prompt that names the device."""


class SignIn:
    """One set of credentials. Safe to share between threads.

    Attributes:
        lock: held while sessions and clients are created, which is not thread-safe in botocore.
        session: botocore's; None until it is opened.

    Args:
        profile: a profile of the shared AWS config files; None for the default chain.
        endpoint_url: where the chain's own calls go, as all others do; None for AWS.
    """

    def __init__(
        self, region: str, profile: str | None, endpoint_url: str | None, call_timeout_seconds: float
    ) -> None:
        self._region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._call_timeout_seconds = call_timeout_seconds
        self._ask: Ask | None = None
        self.lock = threading.Lock()
        self.session: Any = None

    @property
    def profile(self) -> str:
        """Return the name of the profile that is used."""
        return str(self.session.get_config_variable("profile") or "default")

    @property
    def command(self) -> tuple[str, ...]:
        """Return the `aws` command that signs the profile in by browser; empty if it needs none."""
        return profiles.sign_in_command(self._profiles, self.profile)

    def needs_a_person(self) -> bool:
        """Whether the profile may ask for an MFA code, or must be signed in by browser."""
        try:
            self.open(Call("the sign-in"))
        except CallError:
            return False  # the first call reports what is wrong with the config file
        return bool(self.command) or profiles.asks_for_a_code(self._profiles, self.profile)

    def runs_a_program(self) -> bool:
        """Whether the credentials come from a program, such as `aws configure export-credentials`."""
        try:
            self.open(Call("the sign-in"))
        except CallError:
            return False
        return profiles.runs_a_program(self._profiles, self.profile)

    def now(self, ask: Ask) -> None:
        """Obtain the credentials before the first call, without a time limit while a person is asked.

        botocore asks once a session, so this begins a new one.

        Args:
            ask: called in this thread for each MFA code.

        Raises:
            CallError: there are no usable credentials.
        """
        self.session, self._ask = None, ask
        call = Call("the sign-in")
        try:
            self.open(call)
            self.obtain(call)
        finally:
            self._ask = None

    def open(self, call: Call) -> None:
        """Load botocore and its configuration, once. This takes a while, which is not the time of a call."""
        if self.session is not None:
            return
        with self.lock:
            try:
                if self.session is None:
                    self.session = self._configured()
            except Exception as error:
                raise credentials_unusable(error, call) from error

    def obtain(self, call: Call) -> None:
        """Obtain the credentials, and renew them if they are about to expire.

        In a step of its own, so that whatever their source raises is known to be about credentials.

        Raises:
            CallError: there are none that can be used. They are obtained anew for the next call.
        """
        try:
            with self.lock:
                credentials = self.session.get_credentials()
            check_credentials(credentials and credentials.get_frozen_credentials())
        except Exception as error:
            needed = person_needed(error, self.profile, self.command)
            if needed is not None:
                raise CallError(*needed, operation=call.operation) from error
            raise credentials_unusable(error, call) from error
        call.signed_in = True

    def _configured(self) -> Any:
        import botocore.session

        session: Any = botocore.session.Session(profile=self._profile)
        # Also bounds the calls that the credential chain makes.
        config = _client_config(self._call_timeout_seconds, by_path=bool(self._endpoint_url))
        session.set_default_client_config(config)
        session.set_config_variable("region", self._region)
        if session.get_config_variable("metadata_service_num_attempts") == 1:  # botocore's default
            session.set_config_variable("metadata_service_num_attempts", METADATA_TRIES)
        if self._endpoint_url:
            session.create_client = partial(session.create_client, endpoint_url=self._endpoint_url)
        roles = session.get_component("credential_provider").get_provider("assume-role")
        roles._prompter = self._code  # noqa: SLF001 - botocore has no other way to replace getpass
        name = session.get_config_variable("profile") or "default"
        # The sessions of an endpoint are not those of AWS, and the cache cannot tell them apart.
        if not self._endpoint_url and profiles.asks_for_a_code(session.full_config["profiles"], name):
            roles.cache = cli_cache()
        return session

    @property
    def _profiles(self) -> profiles.Profiles:
        found: profiles.Profiles = self.session.full_config["profiles"]
        return found

    def _code(self, prompt: str) -> str:
        if self._ask is None:
            raise MfaCodeNeeded
        return self._ask(prompt)


def _client_config(call_timeout_seconds: float, *, by_path: bool) -> Config:
    """Return the configuration of every client.

    Args:
        by_path: address S3 buckets by path instead of by host name, as a local endpoint requires.
    """
    from botocore.config import Config

    connect_seconds = min(CONNECT_SECONDS_LIMIT, call_timeout_seconds / CONNECT_SHARE)
    return Config(
        connect_timeout=connect_seconds,
        read_timeout=call_timeout_seconds - connect_seconds,
        # Set explicitly, so that no AWS variable or config file enables retries or client-side waiting.
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=POOL_CONNECTIONS,
        s3={"addressing_style": "path"} if by_path else None,
        user_agent_extra=f"tier1/{__version__}",
    )
