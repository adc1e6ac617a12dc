"""What the source of the credentials raises: its code, and its cause in words. Nothing was sent.

Owns the difference between a source that has no credentials, one that fails, and one that is only busy. It
shows nothing that a source returned, because that may be a secret.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine.failures.codes import (
    CREDENTIAL_SOURCE_BUSY,
    CREDENTIALS_UNUSABLE,
    HTTP_SERVER_ERROR,
    HTTP_TOO_MANY_REQUESTS,
    MFA_CODE_NEEDED,
    NO_CREDENTIALS,
    SERVER_CODES,
    SIGN_IN_NEEDED,
    THROTTLE_CODES,
)

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.utils import JSONFileCache

CUSTOM_PROCESS = "custom-process"
"""botocore's name of `credential_process`: a program of this host, which does not throttle."""

CLI_CACHE = "~/.aws/cli/cache"
"""Where the `aws` command keeps the sessions of roles, so that it asks for an MFA code once a session."""

NOT_CREDENTIALS = (
    "`credential_process` must print a JSON object with Version 1, AccessKeyId and SecretAccessKey as text"
)
"""Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sourcing-external.html"""

_NOT_IN_A_KEY = re.compile(r"[\s\x00-\x1f\x7f]")


class MfaCodeNeeded(Exception):
    """A profile asks for an MFA code, and nobody can be asked now."""


class UnusableKey(ValueError):
    """A part of the credentials that cannot be sent. The message does not contain it."""


def person_needed(error: Exception, profile: str, command: Sequence[str]) -> tuple[str, str] | None:
    """Return the code and the message if only a person can obtain the credentials; None otherwise.

    Args:
        error: what the source raised.
        profile: the profile that is used.
        command: signs it in by browser; empty if that is not how it signs in.
    """
    if isinstance(error, (MfaCodeNeeded, *named("RefreshWithMFAUnsupportedError"))):
        return MFA_CODE_NEEDED, f"the profile {profile} asks for an MFA code"
    if command and isinstance(error, _signed_out()):
        return SIGN_IN_NEEDED, f"the profile {profile} is not signed in: run `{shlex.join(command)}`"
    return None


def _signed_out() -> tuple[type[BotoCoreError], ...]:
    """Return botocore's exceptions for a token that is missing, has expired or is refused."""
    return named(
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "TokenRetrievalError",
        "LoginRefreshRequired",
        "LoginTokenLoadError",
    )


def cli_cache() -> JSONFileCache:
    """Return the cache of the `aws` command. It is an aid: if it cannot be used, the code is asked again."""
    from botocore.utils import JSONFileCache

    class CliCache(JSONFileCache):
        def __contains__(self, key: str) -> bool:
            try:
                return "Credentials" in self[key]
            except (KeyError, TypeError):
                return False

        def __setitem__(self, key: str, value: Any) -> None:
            with suppress(OSError):
                super().__setitem__(key, value)

    return CliCache(str(Path(CLI_CACHE).expanduser()))


def source_failure(error: Exception) -> tuple[str, str]:
    """Return the code and the message, without anything that the source returned: it may be a secret."""
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        # The credential chain made a call of its own (AssumeRole, GetRoleCredentials).
        details = error.response.get("Error", {})
        code, status = str(details.get("Code", "")), _status_of(error)
        said = f"{error.operation_name}: {code}: {details.get('Message', '')}"
        busy = code in THROTTLE_CODES | SERVER_CODES or status >= HTTP_SERVER_ERROR
        return CREDENTIAL_SOURCE_BUSY if busy or status == HTTP_TOO_MANY_REQUESTS else NO_CREDENTIALS, said
    if isinstance(error, boto.CredentialRetrievalError | boto.MetadataRetrievalError):
        if error.kwargs.get("provider") == CUSTOM_PROCESS:
            said = str(error.kwargs.get("error_msg", "")).strip()
            return CREDENTIALS_UNUSABLE, f"`credential_process` failed: {said or 'it does not say why'}"
        return CREDENTIAL_SOURCE_BUSY, str(error)
    if isinstance(error, credential_failures()):
        return NO_CREDENTIALS, str(error)
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | boto.IncompleteReadError):
        return CREDENTIAL_SOURCE_BUSY, str(error)
    return CREDENTIALS_UNUSABLE, _source_in_words(error)


def _status_of(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def _source_in_words(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "the credential source (see `credential_process` in the AWS config file) does not print JSON"
    if isinstance(error, UnicodeDecodeError):
        return "the credential source (see `credential_process` in the AWS config file) prints no UTF-8 text"
    if isinstance(error, AttributeError | TypeError):
        return f"the credential source does not return credentials: {NOT_CREDENTIALS}"
    if isinstance(error, UnusableKey):
        return f"the credential source returns what cannot be sent: {error}"
    if isinstance(error, OSError) and error.filename:
        return f"the credential source cannot be used: {error.filename}: {error.strerror}"
    return f"the credential source failed: {type(error).__name__}: {error}"


def check_credentials(frozen: ReadOnlyCredentials | None) -> None:
    """Reject credentials that cannot be sent; otherwise the HTTP client would print them in its error.

    Raises:
        NoCredentialsError: there are none.
        UnusableKey: one is missing, or has characters that no credential has.
    """
    from botocore.exceptions import NoCredentialsError

    if frozen is None:
        raise NoCredentialsError
    named = {
        "access key id": frozen.access_key,
        "secret access key": frozen.secret_key,
        "token": frozen.token,
    }
    for name, value in named.items():
        if not value and name != "token":
            raise UnusableKey(f"the {name} is missing")
        if value and _NOT_IN_A_KEY.search(value):
            raise UnusableKey(f"the {name} contains a line break, a space or a control character")


def credential_failures() -> tuple[type[BotoCoreError], ...]:
    """Return botocore's exceptions that mean that there are no credentials."""
    return named(
        "NoCredentialsError",
        "PartialCredentialsError",
        "NoAuthTokenError",
        "TokenRetrievalError",
        "SSOError",
        "LoginError",
        "ProfileNotFound",
        "ConfigParseError",
        "ConfigNotFound",
        "InvalidConfigError",
        "UnknownCredentialError",
        "RefreshWithMFAUnsupportedError",
        "MissingDependencyException",
    )


def named(*names: str) -> tuple[type[BotoCoreError], ...]:
    """Return botocore's exceptions of these names; an older botocore may lack some."""
    from botocore import exceptions as boto

    return tuple(getattr(boto, name) for name in names if hasattr(boto, name))
