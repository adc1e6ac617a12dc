"""What the source of the credentials raises: its code, and its cause in words. Nothing was sent.

Owns the difference between a source that has no credentials, one that fails, and one that is only busy. It
shows nothing that a source returned, because that may be a secret.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tier1_engine.failures.codes import (
    CREDENTIAL_SOURCE_BUSY,
    CREDENTIALS_UNUSABLE,
    HTTP_SERVER_ERROR,
    HTTP_TOO_MANY_REQUESTS,
    NO_CREDENTIALS,
    SERVER_CODES,
    THROTTLE_CODES,
)

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials
    from botocore.exceptions import BotoCoreError, ClientError

CUSTOM_PROCESS = "custom-process"
"""botocore's name of `credential_process`: a program of this host, which does not throttle."""

_NOT_IN_A_KEY = re.compile(r"[\s\x00-\x1f\x7f]")


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
        local = error.kwargs.get("provider") == CUSTOM_PROCESS
        return CREDENTIALS_UNUSABLE if local else CREDENTIAL_SOURCE_BUSY, str(error)
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
    if isinstance(error, OSError) and error.filename:
        return f"the credential source cannot be used: {error.filename}: {error.strerror}"
    return f"the credential source failed: {type(error).__name__}: {error}"


def check_credentials(frozen: ReadOnlyCredentials | None) -> None:
    """Reject credentials that cannot be sent; otherwise the HTTP client would print them in its error.

    Raises:
        NoCredentialsError: there are none.
        ValueError: one has characters that no credential has; the message does not contain it.
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
        if value and _NOT_IN_A_KEY.search(value):
            raise ValueError(f"the {name} contains a line break, a space or a control character")


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
